/* SPDX-License-Identifier: MIT */
/* What happens to connections, in the order in which it does, for those who watch. */
#include "news.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/param.h>

#define ROOM_FIRST 64

void news_done(struct news_queue *queue)
{
	free(queue->list);
	*queue = (struct news_queue){};
}

static struct news *add(struct news_queue *queue, enum news_kind kind, const struct conn *conn)
{
	struct news *list, *news;
	size_t room;

	if (!queue->is_wanted)
		return NULL;
	if (queue->count == queue->room) {
		room = MIN(MAX(queue->room * 2, ROOM_FIRST), NEWS_MAX);
		list = queue->count < NEWS_MAX ? reallocarray(queue->list, room, sizeof(*list))
					       : NULL;
		if (!list) {
			queue->lost++;
			return NULL;
		}
		queue->list = list;
		queue->room = room;
	}
	news = &queue->list[queue->count++];
	*news = (struct news){.kind = kind,
		.key = conn->key,
		.has_uid = conn->has_uid,
		.uid = conn->uid,
		.is_server = conn->is_server,
		.local = conn->local,
		.remote = conn->remote,
		.subflows = conn_count_live(conn)};
	return news;
}

void news_add(struct news_queue *queue, enum news_kind kind, const struct conn *conn)
{
	struct news *news = add(queue, kind, conn);

	if (news)
		snprintf(news->why, sizeof(news->why), "%s", conn->why);
}

void news_add_threshold(
	struct news_queue *queue, const struct conn *conn, uint64_t threshold, uint64_t bytes)
{
	struct news *news = add(queue, NEWS_THRESHOLD, conn);

	if (!news)
		return;
	news->threshold = threshold;
	news->bytes = bytes;
	snprintf(news->why, sizeof(news->why), "%s", conn->why);
}

void news_add_subflow(struct news_queue *queue, enum news_kind kind, const struct conn *conn,
	const struct subflow *subflow, const char *why)
{
	struct news *news = add(queue, kind, conn);

	if (!news)
		return;
	news->local = subflow->local;
	news->remote = subflow->remote;
	news->id = subflow->id;
	news->asker = subflow->asker;
	snprintf(news->why, sizeof(news->why), "%s", why);
}

const struct news *news_next(struct news_queue *queue)
{
	if (queue->next == queue->count) {
		queue->count = queue->next = 0;
		return NULL;
	}
	return &queue->list[queue->next++];
}

uint64_t news_take_lost(struct news_queue *queue)
{
	uint64_t lost = queue->lost;

	queue->lost = 0;
	return lost;
}
