/* SPDX-License-Identifier: MIT */
/* What those who watch are told, one line of JSON each. */
#include "watch.h"

#include "control/put.h"

#include <stdio.h>

static const char *const names[] = {
	[NEWS_CONNECTION] = "connection",
	[NEWS_ESTABLISHED] = "established",
	[NEWS_ADOPTED] = "adopted",
	[NEWS_FOREIGN] = "foreign",
	[NEWS_REQUEST] = "request",
	[NEWS_THRESHOLD] = "threshold",
	[NEWS_HELD] = "held",
	[NEWS_CLOSED] = "closed",
	[NEWS_SUBFLOW_ASKED] = "subflow_asked",
	[NEWS_SUBFLOW_FAILED] = "subflow_failed",
	[NEWS_SUBFLOW_UP] = "subflow_up",
	[NEWS_SUBFLOW_REFUSED] = "subflow_refused",
	[NEWS_SUBFLOW_REPAIR] = "subflow_repair",
	[NEWS_SUBFLOW_MOVE] = "subflow_move",
	[NEWS_SUBFLOW_JUDGED] = "subflow_judged",
	[NEWS_SUBFLOW_CLOSED] = "subflow_closed",
};

static struct json_object *begin(const char *event, uint64_t time_us)
{
	struct json_object *object = json_object_new_object();

	put_text(object, "event", event);
	put_number(object, "time_us", time_us);
	return object;
}

static char *take_line(struct json_object *object)
{
	const char *text = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	char *line;

	if (!text || asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	json_object_put(object);
	return line;
}

char *watch_write_begin(uint64_t time_us)
{
	struct json_object *object = begin("watching", time_us);

	put_text(object, "version", SUBFLOW_VERSION);
	return take_line(object);
}

char *watch_write_news(const struct news *news, const char *netns, uint64_t time_us)
{
	struct json_object *object = begin(names[news->kind], time_us);

	put_text(object, "namespace", netns);
	put_number(object, "token", news->key.token);
	put_text(object, "role", news->is_server ? "server" : "client");
	put_endpoint(object, "local", &news->local);
	put_endpoint(object, "remote", &news->remote);
	put_number(object, "subflows", news->subflows);
	if (news->kind == NEWS_THRESHOLD) {
		put_number(object, "threshold", news->threshold);
		put_number(object, "bytes", news->bytes);
	}
	if (news->kind >= NEWS_SUBFLOW_ASKED) {
		put_number(object, "id", news->id);
		put_text(object, "asked_by", conn_asker_text(news->asker));
	}
	put_text(object, "why", news->why);
	return take_line(object);
}

char *watch_write_netns(const char *event, const char *netns, const char *why, uint64_t time_us)
{
	struct json_object *object = begin(event, time_us);

	put_text(object, "namespace", netns);
	put_text(object, "why", why);
	return take_line(object);
}

char *watch_write_lost(uint64_t count, uint64_t time_us)
{
	struct json_object *object = begin("lost", time_us);

	put_number(object, "count", count);
	return take_line(object);
}
