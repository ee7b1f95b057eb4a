/* SPDX-License-Identifier: MIT */
/* Somebody on the control socket: who asks, and then is answered or watches. */
#ifndef SUBFLOW_CLIENT_H
#define SUBFLOW_CLIENT_H

#include "base/loop.h"
#include "control/peer.h"
#include "control/request.h"
#include "control/server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct client {
	TAILQ_ENTRY(client) entry;
	struct source source;
	struct server *server;
	struct peer peer;
	struct request request;
	char *answer; /* NULL while the request is being read */
	void *rest;   /* of the answer, which goes on; NULL: it does not */
	size_t answer_len, written;
	uint64_t taken_ns;   /* its answer waits to be read, and it took something then; 0: it does
				not */
	uint64_t waiting_ns; /* since when it has been waiting for its turn, as it has said
				something or its answer goes on; 0: it is not */
	bool is_watcher;
	bool is_deaf;  /* it has closed its own direction */
	uint64_t lost; /* events that it is still to be told of */
};

/*
 * Gives it what it has not been given of its answer. -EAGAIN: it has to read first. Else -errno of
 * send(2): it is gone.
 */
int client_send(struct client *client);

#endif
