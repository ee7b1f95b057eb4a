/* SPDX-License-Identifier: MIT */
/* Memory: the maps of paths, their prefixes and their routers. */
#include "path_table.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1000000000ull

void path_table_init(struct path_table *table)
{
	*table = (struct path_table){};
	TAILQ_INIT(&table->by_age);
	TAILQ_INIT(&table->prefixes_by_age);
}

static void free_map(struct path_table *table, struct path_map *map)
{
	path_map_reset(map);
	HASH_DEL(table->maps, map);
	TAILQ_REMOVE(&table->by_age, map, age);
	free(map);
}

static void free_prefix(struct path_table *table, struct path_prefix *prefix)
{
	HASH_DEL(table->prefixes, prefix);
	TAILQ_REMOVE(&table->prefixes_by_age, prefix, age);
	free(prefix);
}

/* @netns 0 = all. */
static void forget(struct path_table *table, uint64_t netns)
{
	struct path_map *map, *next_map;
	struct path_prefix *prefix, *next_prefix;
	struct router *router, *next_router;

	HASH_ITER (hh, table->maps, map, next_map) {
		if (!netns || map->key.netns == netns)
			free_map(table, map);
	}
	HASH_ITER (hh, table->prefixes, prefix, next_prefix) {
		if (!netns || prefix->key.netns == netns)
			free_prefix(table, prefix);
	}
	HASH_ITER (hh, table->routers, router, next_router) {
		if (netns && router->key.netns != netns)
			continue;
		HASH_DEL(table->routers, router);
		free(router);
	}
}

void path_table_done(struct path_table *table)
{
	forget(table, 0);
}

void path_table_forget(struct path_table *table, uint64_t netns)
{
	if (netns)
		forget(table, netns);
}

struct path_map *path_table_find(struct path_table *table, const struct path_key *key)
{
	struct path_map *map;

	HASH_FIND(hh, table->maps, key, sizeof(*key), map);
	return map;
}

/* Nobody points at one that is being asked but its survey, and that holds it. */
static void make_room(struct path_table *table)
{
	struct path_map *map;

	if (HASH_COUNT(table->maps) < PATH_TABLE_MAPS_MAX)
		return;
	TAILQ_FOREACH (map, &table->by_age, age) {
		if (map->state != PATH_ASKING)
			break;
	}
	if (map)
		free_map(table, map);
}

struct path_map *path_table_get(struct path_table *table, const struct path_key *key)
{
	struct path_map *map = path_table_find(table, key);

	if (map) {
		TAILQ_REMOVE(&table->by_age, map, age);
		TAILQ_INSERT_TAIL(&table->by_age, map, age);
		return map;
	}
	make_room(table);
	if (HASH_COUNT(table->maps) < PATH_TABLE_MAPS_MAX)
		map = calloc(1, sizeof(*map));
	if (!map) {
		table->counters.maps_refused++;
		return NULL;
	}
	map->key = *key;
	HASH_ADD(hh, table->maps, key, sizeof(map->key), map);
	TAILQ_INSERT_TAIL(&table->by_age, map, age);
	return map;
}

static struct path_key cut(const struct path_key *key)
{
	struct path_key prefix = *key;
	bool is_v4 = IN6_IS_ADDR_V4MAPPED(&prefix.remote);
	size_t kept = is_v4 ? 15 : 8;

	prefix.remote_port = 0;
	memset(&prefix.remote.s6_addr[kept], 0, sizeof(prefix.remote) - kept);
	return prefix;
}

static struct path_prefix *find_prefix(struct path_table *table, const struct path_key *key)
{
	struct path_key prefix_key = cut(key);
	struct path_prefix *prefix;

	HASH_FIND(hh, table->prefixes, &prefix_key, sizeof(prefix_key), prefix);
	return prefix;
}

static void make_room_for_prefix(struct path_table *table)
{
	struct path_prefix *prefix;

	if (HASH_COUNT(table->prefixes) < PATH_TABLE_PREFIXES_MAX)
		return;
	TAILQ_FOREACH (prefix, &table->prefixes_by_age, age) {
		if (!prefix->surveys)
			break;
	}
	if (prefix)
		free_prefix(table, prefix);
}

struct path_prefix *path_table_get_prefix(struct path_table *table, const struct path_key *key)
{
	struct path_prefix *prefix = find_prefix(table, key);

	if (prefix) {
		TAILQ_REMOVE(&table->prefixes_by_age, prefix, age);
		TAILQ_INSERT_TAIL(&table->prefixes_by_age, prefix, age);
		return prefix;
	}
	make_room_for_prefix(table);
	if (HASH_COUNT(table->prefixes) < PATH_TABLE_PREFIXES_MAX)
		prefix = calloc(1, sizeof(*prefix));
	if (!prefix) {
		table->counters.prefixes_refused++;
		return NULL;
	}
	prefix->key = cut(key);
	HASH_ADD(hh, table->prefixes, key, sizeof(prefix->key), prefix);
	TAILQ_INSERT_TAIL(&table->prefixes_by_age, prefix, age);
	return prefix;
}

bool path_prefix_may_send(struct path_prefix *prefix, uint64_t now_ns)
{
	bucket_fill(&prefix->probes, SECOND_NS, now_ns);
	return bucket_has(&prefix->probes, PATH_PREFIX_PER_SECOND);
}

void path_prefix_spend(struct path_prefix *prefix)
{
	bucket_spend(&prefix->probes, PATH_PREFIX_PER_SECOND);
}

static void sweep_routers(struct path_table *table)
{
	struct router *router, *next;

	HASH_ITER (hh, table->routers, router, next) {
		if (router->maps || router->load || router->light)
			continue;
		HASH_DEL(table->routers, router);
		free(router);
	}
}

struct router *path_table_get_router(
	struct path_table *table, uint64_t netns, const struct in6_addr *address)
{
	struct router_key key = {.netns = netns, .address = *address};
	struct router *router;

	HASH_FIND(hh, table->routers, &key, sizeof(key), router);
	if (router)
		return router;
	if (HASH_COUNT(table->routers) == PATH_TABLE_ROUTERS_MAX)
		sweep_routers(table);
	if (HASH_COUNT(table->routers) < PATH_TABLE_ROUTERS_MAX)
		router = calloc(1, sizeof(*router));
	if (!router) {
		table->counters.routers_refused++;
		return NULL;
	}
	router->key = key;
	HASH_ADD(hh, table->routers, key, sizeof(router->key), router);
	return router;
}
