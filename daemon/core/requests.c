/* SPDX-License-Identifier: MIT */
/* Memory: what applications ask for and is not carried out yet. Their users take turns. */
#include "requests.h"

#include <errno.h>
#include <stdlib.h>

struct requests_entry {
	TAILQ_ENTRY(requests_entry) entry;
	struct event event;
};

void requests_init(struct requests *requests)
{
	*requests = (struct requests){};
	TAILQ_INIT(&requests->turns);
}

void requests_done(struct requests *requests)
{
	struct event event;

	while (requests_next(requests, &event))
		;
}

static struct requests_conn *find_conn(const struct requests *requests, const struct conn_key *key)
{
	struct requests_conn *conn;

	HASH_FIND(hh, requests->conns, key, sizeof(*key), conn);
	return conn;
}

static struct requests_user *get_user(struct requests *requests, uint32_t uid)
{
	struct requests_user *user;

	HASH_FIND(hh, requests->users, &uid, sizeof(uid), user);
	if (user)
		return user;
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	TAILQ_INIT(&user->conns);
	HASH_ADD(hh, requests->users, uid, sizeof(user->uid), user);
	TAILQ_INSERT_TAIL(&requests->turns, user, turn);
	return user;
}

/* Who has nothing to ask for any more is not kept. */
static void drop_idle(struct requests *requests, struct requests_user *user)
{
	if (!TAILQ_EMPTY(&user->conns))
		return;
	HASH_DEL(requests->users, user);
	TAILQ_REMOVE(&requests->turns, user, turn);
	free(user);
}

static struct requests_conn *get_conn(
	struct requests *requests, const struct conn_key *key, uint32_t uid)
{
	struct requests_conn *conn = find_conn(requests, key);
	struct requests_user *user;

	if (conn)
		return conn;
	user = get_user(requests, uid);
	if (!user)
		return NULL;
	conn = calloc(1, sizeof(*conn));
	if (!conn) {
		drop_idle(requests, user);
		return NULL;
	}
	conn->key = *key;
	conn->user = user;
	TAILQ_INIT(&conn->entries);
	HASH_ADD(hh, requests->conns, key, sizeof(conn->key), conn);
	TAILQ_INSERT_TAIL(&user->conns, conn, turn);
	return conn;
}

/* An intent says all that was ever asked for; of a subflow the last word counts. */
static bool is_superfluous(const struct event *event, const struct event *later)
{
	return event->kind == later->kind && endpoint_is_equal(&event->local, &later->local) &&
	       endpoint_is_equal(&event->remote, &later->remote);
}

static bool replace(struct requests_conn *conn, const struct event *event)
{
	struct requests_entry *entry;

	TAILQ_FOREACH_REVERSE(entry, &conn->entries, requests_list, entry)
	{
		if (!is_superfluous(&entry->event, event))
			continue;
		/* A walk is ahead of the records that are yet to be read. */
		if (event->kind != EVENT_INTENT ||
			(int32_t)(event->generation - entry->event.generation) >= 0)
			entry->event = *event;
		return true;
	}
	return false;
}

int requests_add(struct requests *requests, const struct event *event)
{
	struct requests_conn *conn = find_conn(requests, &event->key);
	struct requests_entry *entry;

	if (conn && conn->count >= REQUESTS_OF_CONN_MAX && replace(conn, event))
		return 0;
	if (requests->count == REQUESTS_MAX) {
		requests->refused++;
		return -ENOSPC;
	}
	entry = malloc(sizeof(*entry));
	if (entry)
		conn = get_conn(requests, &event->key, event->uid);
	if (!entry || !conn) {
		free(entry);
		return -ENOMEM;
	}
	entry->event = *event;
	TAILQ_INSERT_TAIL(&conn->entries, entry, entry);
	conn->count++;
	requests->count++;
	return 0;
}

/* What is left of the connection, and of its user, waits for its next turn. */
static void take_first(
	struct requests *requests, struct requests_conn *conn, struct event *ret_event)
{
	struct requests_entry *entry = TAILQ_FIRST(&conn->entries);
	struct requests_user *user = conn->user;

	*ret_event = entry->event;
	TAILQ_REMOVE(&conn->entries, entry, entry);
	free(entry);
	conn->count--;
	requests->count--;
	TAILQ_REMOVE(&user->conns, conn, turn);
	if (TAILQ_EMPTY(&conn->entries)) {
		HASH_DEL(requests->conns, conn);
		free(conn);
	} else {
		TAILQ_INSERT_TAIL(&user->conns, conn, turn);
	}
}

bool requests_next(struct requests *requests, struct event *ret_event)
{
	struct requests_user *user = TAILQ_FIRST(&requests->turns);

	if (!user)
		return false;
	take_first(requests, TAILQ_FIRST(&user->conns), ret_event);
	TAILQ_REMOVE(&requests->turns, user, turn);
	TAILQ_INSERT_TAIL(&requests->turns, user, turn);
	drop_idle(requests, user);
	return true;
}

bool requests_has(const struct requests *requests, const struct conn_key *key)
{
	return find_conn(requests, key);
}

bool requests_take(struct requests *requests, const struct conn_key *key, struct event *ret_event)
{
	struct requests_conn *conn = find_conn(requests, key);
	struct requests_user *user;

	if (!conn)
		return false;
	user = conn->user;
	take_first(requests, conn, ret_event);
	drop_idle(requests, user);
	return true;
}
