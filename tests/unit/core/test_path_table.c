/* SPDX-License-Identifier: MIT */
/* The table of path maps: which maps, prefixes and routers make room for others. */
#include "core/path_table.h"

#include "../unit.h"

#define NETNS 1

/* To 10.x.y.1. */
static struct path_key key_of(uint32_t number)
{
	struct endpoint local = {.family = AF_INET, .v4.s_addr = htonl(0xc0a80001)};
	struct endpoint remote = {.family = AF_INET, .port = 80};

	remote.v4.s_addr = htonl(0x0a000001 + (number << 8));
	return path_key_of(NETNS, &local, &remote);
}

static struct path_map *get_map(struct path_table *table, uint32_t number)
{
	struct path_key key = key_of(number);

	return path_table_get(table, &key);
}

/* 10.x.y.0/24. */
static struct path_prefix *get_prefix(struct path_table *table, uint32_t number)
{
	struct path_key key = key_of(number);

	return path_table_get_prefix(table, &key);
}

static struct router *get_router(struct path_table *table, uint32_t number)
{
	struct path_key key = key_of(number);

	return path_table_get_router(table, NETNS, &key.remote);
}

static void the_map_used_longest_ago_makes_room(void **state)
{
	struct path_table table;
	struct path_map *asking;

	(void)state;
	path_table_init(&table);
	for (uint32_t i = 0; i < PATH_TABLE_MAPS_MAX; i++)
		get_map(&table, i)->hops = 3;
	asking = get_map(&table, 0);
	asking->state = PATH_ASKING;
	for (uint32_t i = 1; i < PATH_TABLE_MAPS_MAX; i++)
		get_map(&table, i);
	/* 1 is used, so 2 is older, and what is older still is being asked. */
	get_map(&table, 1);
	assert_int_equal(get_map(&table, 5000)->hops, 0);
	assert_int_equal(HASH_COUNT(table.maps), PATH_TABLE_MAPS_MAX);
	assert_ptr_equal(get_map(&table, 0), asking);
	assert_int_equal(get_map(&table, 1)->hops, 3);
	assert_int_equal(get_map(&table, 2)->hops, 0);
	assert_int_equal(table.counters.maps_refused, 0);
	path_table_done(&table);
}

static void the_prefix_used_longest_ago_makes_room(void **state)
{
	struct path_table table;
	struct path_prefix *pinned;

	(void)state;
	path_table_init(&table);
	for (uint32_t i = 0; i < PATH_TABLE_PREFIXES_MAX; i++)
		get_prefix(&table, i)->hops = 3;
	pinned = get_prefix(&table, 0);
	pinned->surveys = 1;
	for (uint32_t i = 1; i < PATH_TABLE_PREFIXES_MAX; i++)
		get_prefix(&table, i);
	/* 1 is used, so 2 is older, and what is older still is being looked at. */
	get_prefix(&table, 1);
	assert_int_equal(get_prefix(&table, 5000)->hops, 0);
	assert_int_equal(HASH_COUNT(table.prefixes), PATH_TABLE_PREFIXES_MAX);
	assert_ptr_equal(get_prefix(&table, 0), pinned);
	assert_int_equal(get_prefix(&table, 1)->hops, 3);
	assert_int_equal(get_prefix(&table, 2)->hops, 0);
	assert_int_equal(table.counters.prefixes_refused, 0);
	path_table_done(&table);
}

static void where_all_prefixes_are_looked_at_there_is_no_room(void **state)
{
	struct path_table table;

	(void)state;
	path_table_init(&table);
	for (uint32_t i = 0; i < PATH_TABLE_PREFIXES_MAX; i++)
		get_prefix(&table, i)->surveys = 1;
	assert_null(get_prefix(&table, 5000));
	assert_int_equal(table.counters.prefixes_refused, 1);
	get_prefix(&table, 7)->surveys = 0;
	assert_non_null(get_prefix(&table, 5000));
	assert_int_equal(table.counters.prefixes_refused, 1);
	path_table_done(&table);
}

static void routers_of_no_map_and_no_subflow_make_room(void **state)
{
	struct path_table table;

	(void)state;
	path_table_init(&table);
	for (uint32_t i = 0; i < PATH_TABLE_ROUTERS_MAX; i++)
		get_router(&table, i)->maps = 1;
	assert_null(get_router(&table, 20000));
	assert_int_equal(table.counters.routers_refused, 1);
	for (uint32_t i = 0; i < 3; i++)
		get_router(&table, i)->maps = 0;
	get_router(&table, 0)->load = 1;
	get_router(&table, 1)->light = 1;
	get_router(&table, 20000)->maps = 1;
	assert_int_equal(HASH_COUNT(table.routers), PATH_TABLE_ROUTERS_MAX);
	assert_int_equal(get_router(&table, 0)->load, 1);
	assert_int_equal(get_router(&table, 1)->light, 1);
	assert_null(get_router(&table, 2));
	assert_int_equal(table.counters.routers_refused, 2);
	path_table_done(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_map_used_longest_ago_makes_room),
		cmocka_unit_test(the_prefix_used_longest_ago_makes_room),
		cmocka_unit_test(where_all_prefixes_are_looked_at_there_is_no_room),
		cmocka_unit_test(routers_of_no_map_and_no_subflow_make_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
