/* SPDX-License-Identifier: MIT */
/* What the daemon shows of the path maps, as JSON. */
#include "paths.h"

#include "base/loop.h"
#include "control/put.h"
#include "kernel/served_list.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define SECOND_NS    1000000000ull
#define MAP_NAME_MAX 24 /* a pointer in hex */

/* null: never. */
static void put_age(struct json_object *object, const char *key, uint64_t since_ns)
{
	if (since_ns)
		put_number(object, key, (loop_now_ns() - since_ns) / SECOND_NS);
	else
		json_object_object_add(object, key, NULL);
}

struct way {
	struct path path;
	struct json_object *ports;
};

static struct json_object *write_way(const struct path_map *map, const struct way *way)
{
	const struct router *last = way->path.tiers[map->depth];
	struct json_object *object = json_object_new_object();
	uint64_t now_ns = loop_now_ns(), until_ns = path_shunned_until_ns(&way->path);

	put_routers(object, "routers", &way->path);
	put_number(object, "load", last->load);
	put_number(object, "unsplit", last->light);
	put_number(object, "shunned_s", until_ns > now_ns ? (until_ns - now_ns) / SECOND_NS : 0);
	json_object_object_add(object, "ports", way->ports);
	return object;
}

/* The ports that are known, by the way that they take. */
static struct json_object *write_ways(const struct path_map *map)
{
	struct way ways[PATH_PORTS_MAX];
	struct json_object *array = json_object_new_array();
	size_t n = 0, i;
	struct path path;

	for (unsigned int p = 0; p < map->n_ports; p++) {
		if (!path_is_known(map, &map->ports[p]))
			continue;
		path = path_of(map, &map->ports[p]);
		for (i = 0; i < n; i++) {
			if (!memcmp(&ways[i].path, &path, sizeof(path)))
				break;
		}
		if (i == n)
			ways[n++] = (struct way){.path = path, .ports = json_object_new_array()};
		json_object_array_add(ways[i].ports, json_object_new_int(map->ports[p].port));
	}
	for (i = 0; i < n; i++)
		json_object_array_add(array, write_way(map, &ways[i]));
	return array;
}

static void name_map(const struct path_map *map, char name[MAP_NAME_MAX])
{
	snprintf(name, MAP_NAME_MAX, "%p", (const void *)map);
}

static struct json_object *write_subflow(const struct conn *conn, const struct subflow *subflow)
{
	struct json_object *object = json_object_new_object();

	put_number(object, "token", conn->key.token);
	put_number(object, "port", subflow->local.port);
	put_text(object, "asked_by", conn_asker_text(subflow->asker));
	put_routers(object, "routers", &subflow->path);
	return object;
}

/* The subflows of all connections, by the name of the map that is theirs. */
static struct json_object *gather_subflows(struct plan *plan)
{
	struct json_object *by_map = json_object_new_object(), *array;
	const struct subflow *subflow;
	const struct path_map *map;
	struct conn *conn, *next;
	char name[MAP_NAME_MAX];
	struct path_key key;

	HASH_ITER (hh, plan->table.conns, conn, next) {
		TAILQ_FOREACH (subflow, &conn->subflows, entry) {
			key = path_key_of(conn->key.netns, &subflow->local, &subflow->remote);
			map = path_table_find(&plan->steer.paths, &key);
			if (!map || !subflow->local.port)
				continue;
			name_map(map, name);
			if (!json_object_object_get_ex(by_map, name, &array)) {
				array = json_object_new_array();
				json_object_object_add(by_map, name, array);
			}
			json_object_array_add(array, write_subflow(conn, subflow));
		}
	}
	return by_map;
}

static void put_ends(struct json_object *object, const struct path_map *map)
{
	struct endpoint local = path_endpoint(&map->key.local, 0);
	struct endpoint remote = path_endpoint(&map->key.remote, map->key.remote_port);
	char text[ENDPOINT_TEXT_MAX];

	inet_ntop(local.family, &local.v6, text, sizeof(text));
	put_text(object, "local", text);
	put_endpoint(object, "remote", &remote);
}

static struct json_object *write_map(
	const struct path_map *map, const char *namespace_name, struct json_object *by_map)
{
	static const char *const states[] = {
		[PATH_UNKNOWN] = "unknown",
		[PATH_ASKING] = "asking",
		[PATH_KNOWN] = "known",
		[PATH_SILENT] = "silent",
	};
	struct json_object *object = json_object_new_object(), *subflows;
	unsigned int flows;
	char name[MAP_NAME_MAX];

	name_map(map, name);
	if (!json_object_object_get_ex(by_map, name, &subflows))
		subflows = json_object_new_array();
	else
		json_object_get(subflows);
	path_count(map, map->depth, &flows);
	put_text(object, "namespace", namespace_name);
	put_ends(object, map);
	put_text(object, "state", states[map->state]);
	put_text(object, "reason", *map->why ? map->why : NULL);
	put_number(object, "hops", map->hops);
	put_number(object, "flows", map->depth ? flows : 0);
	json_object_object_add(object, "missed", json_object_new_double(path_missed(map)));
	put_flag(object, "is_thorough", map->is_thorough);
	put_flag(object, "is_partial", map->is_partial);
	put_age(object, "age_s", map->learned_ns);
	put_age(object, "confirmed_s", map->confirmed_ns);
	put_number(object, "probes", map->probes);
	json_object_object_add(object, "ways", write_ways(map));
	json_object_object_add(object, "subflows", subflows);
	return object;
}

char *paths_write(const struct peer *peer, struct plan *plan, struct served *served)
{
	struct json_object *root = json_object_new_object(), *array = json_object_new_array(),
			   *by_map = peer->is_operator ? gather_subflows(plan) : NULL;
	const struct served_netns *netns;
	const struct path_map *map;

	TAILQ_FOREACH (map, &plan->steer.paths.by_age, age) {
		if (!by_map)
			break;
		netns = served_find(served, map->key.netns);
		json_object_array_add(array, write_map(map, netns ? netns->name : NULL, by_map));
	}
	json_object_put(by_map);
	json_object_object_add(root, "paths", array);
	return put_whole(root);
}
