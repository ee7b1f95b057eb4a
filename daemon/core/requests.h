/* SPDX-License-Identifier: MIT */
/* Memory: what applications ask for and is not carried out yet. Their users take turns. */
#ifndef SUBFLOW_REQUESTS_H
#define SUBFLOW_REQUESTS_H

#include "core/event.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>

#define REQUESTS_MAX         16384
#define REQUESTS_OF_CONN_MAX 16 /* that are kept in their order */

/* Of one connection, oldest first. */
struct requests_conn {
	struct conn_key key;
	UT_hash_handle hh;
	struct requests_user *user;
	TAILQ_ENTRY(requests_conn) turn;
	TAILQ_HEAD(requests_list, requests_entry) entries;
	uint32_t count;
};

struct requests_user {
	uint32_t uid;
	UT_hash_handle hh;
	TAILQ_ENTRY(requests_user) turn;
	TAILQ_HEAD(, requests_conn) conns; /* whose turn comes first, first */
};

struct requests {
	struct requests_user *users;
	struct requests_conn *conns;
	TAILQ_HEAD(, requests_user) turns; /* as above */
	uint32_t count;
	uint64_t refused; /* that found it full */
};

void requests_init(struct requests *requests);
void requests_done(struct requests *requests);

/*
 * Keeps a copy of @event, an EVENT_INTENT or EVENT_BACKUP, for the turn of @event->uid. Where many
 * of its connection wait already it takes the place of the last one that it makes superfluous.
 * -ENOSPC, -ENOMEM.
 */
int requests_add(struct requests *requests, const struct event *event);

/* Takes the one whose turn it is; false: there is none. */
bool requests_next(struct requests *requests, struct event *ret_event);

/* Whether one of this connection waits. */
bool requests_has(const struct requests *requests, const struct conn_key *key);

/* Takes the oldest one of a connection out of its turn; false: there is none. */
bool requests_take(struct requests *requests, const struct conn_key *key, struct event *ret_event);

#endif
