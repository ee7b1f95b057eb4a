/* SPDX-License-Identifier: MIT */
/*
 * A mirror of what is local in each served namespace, for the hooks: the routes of type local in
 * the routing table of that name, and what others take from these, such as 127.255.255.255. An
 * address need not be assigned to be local: all of 127.0.0.0/8 is.
 */
#ifndef SUBFLOW_LOCALS_H
#define SUBFLOW_LOCALS_H

#include "base/loop.h"
#include "core/endpoint.h"
#include "kernel/genl.h"
#include "kernel/hooks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

/* Of one namespace; those beyond it are not seen, and counted. */
#define LOCALS_OF_NETNS_MAX 4096

struct local {
	struct local_key key;
	uint32_t is_local; /* else what lies there is none, though a shorter prefix may be */
};

struct locals_netns {
	uint64_t cookie;
	UT_hash_handle hh;
	struct local *prefixes; /* sorted */
	size_t count;
};

struct locals {
	struct locals_netns *all;
	struct hooks *hooks;
	uint64_t refused; /* prefixes that found no room */

	/* Changes, in all namespaces that have an id in ours. */
	struct source source;
	struct mnl_socket *socket;
	void *owner;
	void (*changed)(void *owner, int nsid); /* to be read again */
	void (*lost)(void *owner);              /* all are */
};

/* @hooks, @owner and the callbacks are set by the caller. */
int locals_init(struct locals *locals, struct loop *loop);
void locals_done(struct locals *locals);

/* Hears all changes that wait. */
void locals_hear(struct locals *locals);

/* Reads those of the namespace that the thread is in, and tells the hooks of what has changed. */
int locals_read(struct locals *locals, uint64_t cookie);

/* Whether the address was local there when that was read last. */
bool locals_has(const struct locals *locals, uint64_t cookie, const struct endpoint *address);

/* The namespace is no more. */
void locals_forget(struct locals *locals, uint64_t cookie);

/*
 * A message of RTM_NEWROUTE: what is local by it in the namespace @cookie, or is not. -ENOENT: it
 * is of another table; -EBADMSG.
 */
int locals_decode(const struct nlmsghdr *message, uint64_t cookie, struct local *ret_local);

#endif
