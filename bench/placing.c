/* SPDX-License-Identifier: MIT */
/*
 * What it takes to choose a port over 64 candidates on 8 ways, for a connection that has a subflow
 * on three of them and for one that has one on each, so that it has to share: the median and the
 * slowest of 1000 decisions; and what a path map takes in memory. Prints one JSON object. It is the
 * daemon's own code, from the question to the answer.
 */
#include "core/steer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/param.h>
#include <time.h>

struct times {
	double median_us, slowest_us;
};

enum { DECISIONS = 1000, CANDIDATES = 64, WAYS = 8, FIRST_PORT = 40000, PORT = 50000 };

static struct endpoint endpoint(uint32_t address, uint16_t port)
{
	return (struct endpoint){.family = AF_INET, .port = port, .v4.s_addr = htonl(address)};
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void learn(struct steer *steer, struct path_map *map, uint16_t port, uint32_t way)
{
	struct endpoint leaf = endpoint(0x0a000100, 0),
			aggregation = endpoint(0x0a000200 + way / 2, 0),
			core = endpoint(0x0a000300 + way, 0);
	const struct endpoint *routers[] = {&leaf, &aggregation, &core};
	struct in6_addr address;

	for (unsigned int tier = 1; tier <= 3; tier++) {
		address = path_address(routers[tier - 1]);
		path_learn(&steer->paths, map, port, tier, &address);
	}
}

/* With a subflow on each of the first ways. */
static struct conn *add_conn(struct conn_table *table, unsigned int subflows)
{
	struct conn_key key = {.netns = 1, .token = subflows};
	struct conn *conn = conn_get(table, &key);

	conn->is_created = true;
	conn->local = endpoint(1, FIRST_PORT);
	conn->remote = endpoint(2, 80);
	for (uint16_t i = 0; i < subflows; i++) {
		struct subflow *subflow = conn_add_subflow(conn);

		subflow->local = endpoint(1, FIRST_PORT + i);
		subflow->remote = conn->remote;
	}
	conn_join(table, conn);
	return conn;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* Of decisions for a connection that has so many subflows. */
static struct times time_decisions(unsigned int subflows)
{
	struct endpoint local = endpoint(1, 0), remote = endpoint(2, 80);
	struct path_key key = path_key_of(1, &local, &remote);
	static uint64_t took_ns[DECISIONS];
	struct steer_choice choice;
	struct conn_table table;
	struct path_map *map;
	struct steer steer;
	struct conn *conn;

	steer_init(&steer);
	steer.mode = STEER_PATHS;
	conn_table_init(&table, 1);
	conn = add_conn(&table, subflows);
	map = path_table_get(&steer.paths, &key);
	map->state = PATH_KNOWN;
	map->is_thorough = true;
	map->depth = 3;
	for (uint16_t i = 0; i < subflows; i++)
		learn(&steer, map, FIRST_PORT + i, i);
	for (uint16_t i = 0; i < CANDIDATES; i++)
		learn(&steer, map, PORT + i, i % WAYS);
	for (int i = 0; i < DECISIONS; i++) {
		took_ns[i] = now_ns();
		if (steer_choose(&steer, conn, &local, &remote, false, 1, &choice) != STEER_GO ||
			!choice.port || choice.is_shared != (subflows == WAYS))
			exit(EXIT_FAILURE);
		took_ns[i] = now_ns() - took_ns[i];
	}
	qsort(took_ns, DECISIONS, sizeof(*took_ns), compare);
	conn_table_done(&table);
	steer_done(&steer);
	return (struct times){took_ns[DECISIONS / 2] / 1e3, took_ns[DECISIONS - 1] / 1e3};
}

int main(void)
{
	struct times free = time_decisions(3), shared = time_decisions(WAYS);

	printf("{\"candidates\": %d, \"median_us\": %.2f, \"slowest_us\": %.2f,"
	       " \"shared_us\": %.2f, \"map_bytes\": %zu}\n",
		CANDIDATES, free.median_us, MAX(free.slowest_us, shared.slowest_us),
		shared.median_us, sizeof(struct path_map));
	return EXIT_SUCCESS;
}
