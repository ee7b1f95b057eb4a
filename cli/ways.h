/* SPDX-License-Identifier: MIT */
/* The daemon's path maps, chosen and drawn for people. */
#ifndef WAYS_H
#define WAYS_H

#include "answer.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/* Which maps are meant: those to a destination, or those that a connection's subflows go by. */
struct ways_filter {
	bool has_address;
	struct in6_addr address;     /* v4-mapped */
	unsigned int port;           /* 0 = any */
	struct answer_filter filter; /* of a connection, without @has_address */
};

/*
 * Reads ADDRESS, ADDRESS:PORT, [ADDRESS6]:PORT, or CONN as answer_filter_init() does; NULL means
 * all. -EINVAL if it is none. answer_filter_done() of @filter->filter is due.
 */
int ways_filter_init(struct ways_filter *filter, const char *text);

/* Leaves only the maps that are meant. -ENOENT if there are none; -EBADMSG, -ENOMEM. */
int ways_select(
	struct json_object *root, const struct ways_filter *filter, char *ret_why, size_t why_size);

/*
 * Writes the maps into *@ret_text, to be freed by the caller. -EBADMSG, with the path of the key
 * in @ret_why, when a key is missing or of a wrong type; -ENOMEM.
 */
int ways_write(struct json_object *root, char **ret_text, char *ret_why, size_t why_size);

#endif
