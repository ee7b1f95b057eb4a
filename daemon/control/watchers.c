/* SPDX-License-Identifier: MIT */
/* Those who watch are told what happens. */
#include "watchers.h"

#include "control/watch.h"
#include "kernel/served_list.h"

#include <stdlib.h>
#include <time.h>

static uint64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

char *watchers_greet(void)
{
	return watch_write_begin(clock_us());
}

void watchers_tell_news(struct server *server, struct plan *plan, struct served *served)
{
	const struct served_netns *netns;
	const struct news *news;
	const struct conn *conn;
	const uint32_t *uid;
	uint64_t lost;
	char *line;

	while ((news = news_next(&plan->news))) {
		/* Meanwhile it may be known whose it is. */
		conn = conn_find(&plan->table, &news->key);
		uid = news->has_uid ? &news->uid : conn && conn->has_uid ? &conn->uid : NULL;
		if (!server_is_heard(server, uid))
			continue;
		netns = served_find(served, news->key.netns);
		line = watch_write_news(news, netns ? netns->name : NULL, clock_us());
		if (line)
			server_tell(server, uid, line);
		free(line);
	}
	lost = news_take_lost(&plan->news);
	if (lost)
		server_tell_lost(server, lost);
	plan->news.is_wanted = server->watchers;
	plan->wants_owners = server->user_watchers;
}

void watchers_tell_netns(struct server *server, const char *event, const struct served_netns *netns)
{
	char *line;

	if (!server->watchers)
		return;
	line = watch_write_netns(event, netns->name, netns->why, clock_us());
	if (line)
		server_tell_all(server, line);
	free(line);
}

char *watchers_tell_lost(void *owner, uint64_t count)
{
	(void)owner;
	return watch_write_lost(count, clock_us());
}
