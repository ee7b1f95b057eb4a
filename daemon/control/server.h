/* SPDX-License-Identifier: MIT */
/*
 * The operator's window: a Unix socket that takes one line and gives one answer, or goes on
 * telling what happens.
 */
#ifndef SUBFLOW_SERVER_H
#define SUBFLOW_SERVER_H

#include "base/loop.h"
#include "control/peer.h"
#include "control/turns.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define SERVER_CLIENTS_MAX 32
#define SERVER_ANSWERS_MAX 8 /* that wait to be read */

struct server_answer {
	char *text; /* on the heap, or its first part; NULL when memory is short */
	void *rest; /* of what go_on() gives the next part; NULL: that was all */
	bool stays; /* its client is a watcher from then on; not with a rest */
};

struct server {
	struct source source;
	struct loop *loop;
	char *path;
	TAILQ_HEAD(, client) clients; /* oldest first */
	uint32_t count;
	uint32_t watchers, user_watchers; /* all; those that are no operators */
	uint64_t refused;                 /* clients that gave way to newer ones */
	struct source turn;               /* a timer: somebody's turn, or a deadline, has come */
	struct turns turns;
	uint64_t deferred;  /* requests that waited for their user's turn */
	uint64_t untold;    /* events that watchers were too slow for */
	uint32_t unread;    /* answers that wait to be read */
	uint64_t displaced; /* such answers that gave way to newer ones */
	uint64_t stalled;   /* such answers that nobody read for so long that they were given up */
	uint64_t patience_ns; /* for so long; set by server_init() */
	struct turns door;    /* what it takes to let in and to see off */
	uint64_t shut_out;    /* clients whose user came too often to be let in */
	gid_t group;          /* of the operators, see peer_read(); set by the caller */

	void *owner;
	struct server_answer (*answer)(void *owner, const struct peer *peer, const char *request);
	/* The next part of an answer, on the heap, which may be empty; NULL when memory is short.
	 */
	char *(*go_on)(void *rest, bool *ret_is_last);
	void (*give_up)(void *rest);
	/* The line that tells a watcher that it missed @count events, as above. */
	char *(*tell_lost)(void *owner, uint64_t count);
};

/*
 * Listens at @path, whose folder is made if it is missing; a socket file that
 * nobody listens on is replaced. @owner, the callbacks and @group
 * are set by the caller.
 * -EADDRINUSE: somebody listens there.
 */
int server_init(struct server *server, struct loop *loop, const char *path);
/*
 * Sends @line, which ends with a newline, to the watchers. Who is too slow misses it, and is told
 * how much that was as soon as there is room.
 */
void server_tell_all(struct server *server, const char *line);

/* The same, to operators and the user @uid; NULL = to operators alone. */
void server_tell(struct server *server, const uint32_t *uid, const char *line);

/* Events were lost on the way to here: every watcher is told. */
void server_tell_lost(struct server *server, uint64_t count);

/* Somebody is told what happens to the connections of @uid, or of NULL: of somebody not known. */
bool server_is_heard(const struct server *server, const uint32_t *uid);

/* What waits to be read by clients: answers, and events. */
uint64_t server_bytes(const struct server *server);

void server_done(struct server *server);

#endif
