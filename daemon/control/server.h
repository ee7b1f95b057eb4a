/* SPDX-License-Identifier: MIT */
/* The operator's window: a Unix socket that takes one line and gives one answer. */
#ifndef SUBFLOW_SERVER_H
#define SUBFLOW_SERVER_H

#include "base/loop.h"
#include "control/peer.h"

#include <stdint.h>
#include <sys/queue.h>

struct server {
	struct source source;
	struct loop *loop;
	char *path;
	TAILQ_HEAD(, client) clients; /* oldest first */
	uint32_t count;
	uint64_t refused; /* clients that gave way to newer ones */
	gid_t group;      /* of the operators, see peer_read(); set by the caller */

	void *owner;
	/* Answers @request on the heap; NULL when memory is short. */
	char *(*answer)(void *owner, const struct peer *peer, const char *request);
};

/*
 * Listens at @path, whose folder is made if it is missing; a socket file that
 * nobody listens on is replaced. @owner, @answer and @group are set by
 * the caller.
 * -EADDRINUSE: somebody listens there.
 */
int server_init(struct server *server, struct loop *loop, const char *path);
void server_done(struct server *server);

#endif
