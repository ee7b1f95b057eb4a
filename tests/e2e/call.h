/* SPDX-License-Identifier: MIT */
/*
 * Random calls of setsockopt() and getsockopt(): level, option, length and bytes. Those of a
 * socket that has a model keep to what the model knows.
 */
#ifndef CALL_H
#define CALL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <subflow.h>
#include <sys/socket.h>

enum {
	FIRST = TCP_MULTIPATH_ENABLE,
	LAST = TCP_MULTIPATH_INTENT,
	VALUE_MAX = 9000,
	N_OWN = 2,
};

/* Which calls a socket gets. */
enum kind {
	KIND_ANY,      /* all calls; there is no model */
	KIND_NUMBERS,  /* ADD and REMOVE of numbers, NDIFFPORTS */
	KIND_LISTS,    /* ADD of lists of two addresses, some with a port, and REMOVE */
	KIND_ACCEPTED, /* REMOVE of numbers, ADD and REMOVE of lists */
	KIND_PEER,     /* the other end of such a one: ADD of numbers */
};

struct call {
	bool is_set, is_null;
	int level, name;
	socklen_t len;
	unsigned char value[VALUE_MAX];
};

/* Of this host, both of which lead to the server; connect() takes the first one. */
extern struct in_addr call_own4[N_OWN];

/* A random number below @below. */
uint32_t draw(uint64_t *state, uint32_t below);

/* The next call of socket @fd. */
void call_choose(uint64_t *seed, enum kind kind, int fd, struct call *call);

bool call_is_ours(const struct call *call);
bool call_is_add_or_remove(const struct call *call);

#endif
