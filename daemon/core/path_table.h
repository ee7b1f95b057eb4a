/* SPDX-License-Identifier: MIT */
/* Memory: the maps of paths, their prefixes and their routers. */
#ifndef SUBFLOW_PATH_TABLE_H
#define SUBFLOW_PATH_TABLE_H

#include "core/bucket.h"
#include "core/path.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>

#define PATH_TABLE_MAPS_MAX     1024
#define PATH_TABLE_PREFIXES_MAX 1024
#define PATH_TABLE_ROUTERS_MAX  16384
#define PATH_PREFIX_PER_SECOND  250 /* probes; as many are saved */

/* What all destinations of one prefix (IPv4 /24, IPv6 /64) have in common. */
struct path_prefix {
	struct path_key key; /* addresses cut to the prefix, no port */
	UT_hash_handle hh;
	TAILQ_ENTRY(path_prefix) age; /* in path_table.prefixes_by_age, as a map */
	uint32_t surveys;             /* under way there */
	uint64_t learned_ns;
	uint64_t rtt_ns;      /* of the slowest answers lately */
	struct bucket probes; /* that may be sent there */
	uint8_t hops, depth;
	uint8_t paths;    /* different routers at @depth */
	bool is_verified; /* the same flow takes the same way again */
};

struct path_counters {
	/* Maps, prefixes and routers that found their table full; ports that found their map so. */
	uint64_t maps_refused, prefixes_refused, routers_refused, ports_refused;
};

struct path_table {
	struct path_map *maps;
	TAILQ_HEAD(, path_map) by_age;
	struct path_prefix *prefixes;
	TAILQ_HEAD(, path_prefix) prefixes_by_age;
	struct router *routers;
	struct path_counters counters;
};

void path_table_init(struct path_table *table);
void path_table_done(struct path_table *table);

/* Forgets a namespace. No subflow's path may be left of it. */
void path_table_forget(struct path_table *table, uint64_t netns);

struct path_map *path_table_find(struct path_table *table, const struct path_key *key);

/* Finds or makes it; NULL when memory is short. The one longest not used makes room. */
struct path_map *path_table_get(struct path_table *table, const struct path_key *key);

/* As path_table_get(); what a survey looks at makes no room. */
struct path_prefix *path_table_get_prefix(struct path_table *table, const struct path_key *key);

/*
 * Whether the prefix may be sent one more probe, and that it is: all that are sent there share
 * PATH_PREFIX_PER_SECOND, whatever ports and connections they are for.
 */
bool path_prefix_may_send(struct path_prefix *prefix, uint64_t now_ns);
void path_prefix_spend(struct path_prefix *prefix);

/* Finds or makes it; NULL when memory is short. Those of no map and no subflow make room. */
struct router *path_table_get_router(
	struct path_table *table, uint64_t netns, const struct in6_addr *address);

#endif
