/* SPDX-License-Identifier: MIT */
/* What happens to connections, in the order in which it does, for those who watch. */
#ifndef SUBFLOW_NEWS_H
#define SUBFLOW_NEWS_H

#include "core/conn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most that wait to be told; what comes beyond them is counted. */
#define NEWS_MAX 4096

enum news_kind {
	/* of a connection */
	NEWS_CONNECTION,  /* it was created */
	NEWS_ESTABLISHED, /* it can be given subflows */
	NEWS_ADOPTED,     /* taken up without its beginning */
	NEWS_FOREIGN,     /* it cannot be split */
	NEWS_REQUEST,     /* its application asked for something */
	NEWS_THRESHOLD,   /* threshold, bytes */
	NEWS_HELD,        /* it gets none that it is due, or keeps what it would be rid of */
	NEWS_CLOSED,
	/* of a subflow */
	NEWS_SUBFLOW_ASKED, /* the kernel has sent its SYN */
	NEWS_SUBFLOW_FAILED,
	NEWS_SUBFLOW_UP,
	NEWS_SUBFLOW_REFUSED,
	NEWS_SUBFLOW_REPAIR, /* its path is silent: it is replaced */
	NEWS_SUBFLOW_MOVE,   /* it shares its path: another is to take its place */
	NEWS_SUBFLOW_JUDGED, /* whether it helps */
	NEWS_SUBFLOW_CLOSED,
};

struct news {
	enum news_kind kind;
	struct conn_key key;
	bool has_uid;
	uint32_t uid;
	bool is_server;
	struct endpoint local, remote;
	uint8_t id;               /* of a subflow */
	enum subflow_asker asker; /* of a subflow */
	uint64_t threshold, bytes;
	uint32_t subflows; /* that the connection has */
	char why[CONN_WHY_MAX];
};

struct news_queue {
	bool is_wanted; /* somebody watches: without that, nothing is noted */
	uint64_t lost;  /* that found the queue full since the last news_take_lost() */
	struct news *list;
	size_t count, next, room;
};

void news_done(struct news_queue *queue);

/* Notes something of @conn, with its last decision as the reason. */
void news_add(struct news_queue *queue, enum news_kind kind, const struct conn *conn);
void news_add_threshold(
	struct news_queue *queue, const struct conn *conn, uint64_t threshold, uint64_t bytes);

/* Of one of its subflows, with a reason; "" = none. */
void news_add_subflow(struct news_queue *queue, enum news_kind kind, const struct conn *conn,
	const struct subflow *subflow, const char *why);

/* The next one, or NULL when none is left. Valid until the next news_add(). */
const struct news *news_next(struct news_queue *queue);

/* How many were lost since it was last asked. */
uint64_t news_take_lost(struct news_queue *queue);

#endif
