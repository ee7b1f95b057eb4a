/* SPDX-License-Identifier: MIT */
/* Memory: which ways of a map the subflows of this host take. */
#include "traffic.h"

#include <string.h>

#define RIVALS_MAX 8 /* that began before, and that began after */

bool traffic_is_between(const struct subflow *subflow, const struct path_map *map, uint64_t netns)
{
	struct path_key key = path_key_of(netns, &subflow->local, &subflow->remote);

	return subflow->local.port && !memcmp(&key, &map->key, sizeof(key));
}

static bool is_beyond(const struct path *path, unsigned int depth)
{
	for (unsigned int tier = depth + 1; tier < PATH_TIERS_MAX; tier++) {
		if (path->tiers[tier])
			return true;
	}
	return false;
}

/*
 * The map may know more than when the subflow began, or another way: routes change. What was known
 * is kept until it is known again how far it is.
 */
static void update(
	struct path_map *map, struct subflow *subflow, const struct path_port *port, bool is_light)
{
	bool is_kept = map->state == PATH_ASKING && is_beyond(&subflow->path, map->depth);
	struct path path = is_kept ? subflow->path : path_of(map, port);

	if (subflow->is_light == is_light && !memcmp(&path, &subflow->path, sizeof(path)))
		return;
	path_unload(&subflow->path, subflow->is_light);
	subflow->path = path;
	subflow->is_light = is_light;
	path_load(&subflow->path, is_light);
}

void traffic_note(struct path_map *map, struct subflow *subflow, bool is_light)
{
	struct path_port *port = path_port_find(map, subflow->local.port);

	if (!port) {
		path_port_seek(map, subflow->local.port);
		return;
	}
	port->is_taken = true;
	if (path_is_known(map, port) && !subflow->is_leaving)
		update(map, subflow, port, is_light);
}

static void note_subflows(struct path_map *map, struct conn *conn, bool is_light)
{
	struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (traffic_is_between(subflow, map, conn->key.netns))
			traffic_note(map, subflow, is_light);
	}
}

static bool is_whole(const struct conn *conn)
{
	return conn_count_all(conn) < 2 && !conn->is_elephant;
}

void traffic_note_all(struct path_map *map, struct conn *conn)
{
	struct conn *rival = conn;

	note_subflows(map, conn, false);
	if (!conn->ends)
		return;
	for (int i = 0; i < RIVALS_MAX && (rival = TAILQ_NEXT(rival, rival)); i++)
		note_subflows(map, rival, is_whole(rival));
	rival = conn;
	for (int i = 0; i < RIVALS_MAX && (rival = TAILQ_PREV(rival, conn_rivals, rival)); i++)
		note_subflows(map, rival, is_whole(rival));
}

size_t traffic_collect(const struct conn *conn, struct path own[SUBFLOWS_HARD_MAX])
{
	const struct subflow *subflow;
	size_t n = 0;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (n < SUBFLOWS_HARD_MAX && path_is_set(&subflow->path))
			own[n++] = subflow->path;
	}
	return n;
}

size_t traffic_collect_live(const struct conn *conn, struct path live[SUBFLOWS_HARD_MAX])
{
	const struct subflow *subflow;
	size_t n = 0;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (n < SUBFLOWS_HARD_MAX && subflow->state == SUBFLOW_ESTABLISHED &&
			!subflow->is_silent && path_is_set(&subflow->path))
			live[n++] = subflow->path;
	}
	return n;
}
