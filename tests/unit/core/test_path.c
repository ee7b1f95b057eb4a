/* SPDX-License-Identifier: MIT */
/* The path map: ports, ways, the stopping rule, and what is kept when it is asked again. */
#include "core/path_table.h"
#include "core/ports.h"

#include <errno.h>

#include "../unit.h"

static struct path_table table;

static int begin(void **state)
{
	(void)state;
	path_table_init(&table);
	return 0;
}

static int end(void **state)
{
	(void)state;
	path_table_done(&table);
	return 0;
}

static struct endpoint endpoint(uint32_t address, uint16_t port)
{
	return (struct endpoint){.family = AF_INET, .port = port, .v4.s_addr = htonl(address)};
}

static struct path_map *get_map(uint32_t address)
{
	struct endpoint local = endpoint(1, 0), remote = endpoint(address, 80);
	struct path_key key = path_key_of(1, &local, &remote);
	struct path_map *map = path_table_get(&table, &key);

	assert_non_null(map);
	map->depth = 2;
	return map;
}

static void learn(struct path_map *map, uint16_t port, unsigned int tier, uint32_t router)
{
	struct endpoint endpoint_of = endpoint(router, 0);
	struct in6_addr address = path_address(&endpoint_of);

	assert_int_equal(path_learn(&table, map, port, tier, &address), 0);
}

/* Those that a subflow took while less was known are to be asked for again. */
static void what_was_known_at_a_nearer_tier_stays(void **state)
{
	struct path_map *map = get_map(2);

	(void)state;
	learn(map, 1000, 1, 11);
	learn(map, 1000, 2, 21);
	learn(map, 1001, 2, 21);
	learn(map, 1001, 1, 12);
	map->ports[0].is_taken = true;
	assert_true(map->is_tangled);
	assert_false(path_is_seeking(map));
	path_map_deepen(map, 3);
	assert_false(map->is_tangled);
	assert_true(path_is_sought(map, &map->ports[0]));
	assert_false(path_is_sought(map, &map->ports[1]));
	learn(map, 1000, 3, 31);
	assert_false(path_is_seeking(map));
	assert_non_null(path_of(map, &map->ports[0]).tiers[2]);
	/* They meet again: now that counts. */
	learn(map, 1001, 3, 31);
	assert_true(map->is_tangled);
}

/* The numbers of Veitch et al.: 99 % for one of 1, 2, 3, 4 ways more. */
static void so_many_flows_are_enough(void **state)
{
	(void)state;
	assert_int_equal(path_flows_enough(0), 0);
	assert_int_equal(path_flows_enough(1), 8);
	assert_int_equal(path_flows_enough(2), 15);
	assert_int_equal(path_flows_enough(3), 21);
	assert_int_equal(path_flows_enough(4), 28);
	assert_int_equal(path_flows_sure(3), 45);
	assert_int_equal(path_flows_sure(4), 59);
	assert_in_range(path_flows_sure(16), 1, PATH_PORTS_MAX);
}

static void ports_that_meet_have_come_the_same_way(void **state)
{
	struct path_map *map = get_map(2);
	struct path path;

	(void)state;
	learn(map, 1000, 1, 11);
	learn(map, 1000, 2, 21);
	learn(map, 1001, 2, 21);
	path = path_of(map, path_port_find(map, 1001));
	assert_non_null(path.tiers[1]);
	assert_ptr_equal(path.tiers[1], map->routers[0]);
	learn(map, 1002, 2, 21);
	learn(map, 1002, 1, 12);
	assert_true(map->is_tangled);
	path = path_of(map, path_port_find(map, 1001));
	assert_null(path.tiers[1]);
}

static void what_a_port_told_of_its_way_outlives_it(void **state)
{
	struct path_map *map = get_map(2);
	struct path path;

	(void)state;
	map->depth = 3;
	learn(map, 1000, 2, 21);
	learn(map, 1000, 3, 31);
	learn(map, 1001, 3, 32);
	learn(map, 1002, 3, 31);
	learn(map, 1003, 3, 31);
	path_port_drop(map, path_port_find(map, 1000));
	path = path_of(map, path_port_find(map, 1003));
	assert_ptr_equal(path.tiers[2], map->routers[0]);
	path = path_of(map, path_port_find(map, 1001));
	assert_null(path.tiers[2]);
	path_port_drop(map, path_port_find(map, 1002));
	path = path_of(map, path_port_find(map, 1003));
	assert_ptr_equal(path.tiers[2], map->routers[0]);
}

/* All at once they are what they are one by one, whatever is known of each. */
static void the_ways_of_all_ports_are_those_of_each(void **state)
{
	struct path paths[PATH_PORTS_MAX], path;
	unsigned int tangled = 0;
	uint64_t random = 1;
	struct path_map *map;

	(void)state;
	for (int round = 0; round < 200; round++) {
		map = get_map(2);
		path_map_reset(map);
		map->depth = 3;
		for (uint16_t i = 0; i < 60; i++) {
			uint16_t port = 1000 + ports_random(&random) % 40;
			unsigned int tier = 1 + (ports_random(&random) >> 8) % 3;
			/* Every other round each router there has one before it. */
			uint32_t way = round % 2 ? port % 6 : (ports_random(&random) >> 8) % 6;

			learn(map, port, tier, 10 * tier + way);
		}
		tangled += map->is_tangled;
		path_of_all(map, paths);
		for (unsigned int i = 0; i < map->n_ports; i++) {
			path = path_of(map, &map->ports[i]);
			if (!path_is_known(map, &map->ports[i]))
				path = (struct path){};
			assert_memory_equal(&paths[i], &path, sizeof(path));
		}
	}
	assert_in_range(tangled, 1, 199);
}

static void ports_of_subflows_outlive_what_was_learned(void **state)
{
	struct path_map *map = get_map(2);

	(void)state;
	learn(map, 1000, 2, 21);
	learn(map, 1001, 2, 22);
	map->ports[1].is_taken = true;
	map->state = PATH_KNOWN;
	map->is_thorough = true;
	path_map_renew(map);
	assert_int_equal(map->state, PATH_UNKNOWN);
	assert_false(map->is_thorough);
	assert_int_equal(map->n_ports, 1);
	assert_int_equal(map->ports[0].port, 1001);
	assert_true(path_is_seeking(map));
	assert_false(path_is_known(map, &map->ports[0]));
	path_map_reset(map);
	assert_int_equal(map->n_ports, 0);
	assert_false(path_is_seeking(map));
}

static void a_map_has_room_for_so_many_ports(void **state)
{
	struct path_map *map = get_map(2);

	(void)state;
	for (uint16_t i = 0; i < PATH_PORTS_MAX; i++)
		assert_int_equal(path_port_seek(map, 1000 + i), 0);
	assert_int_equal(path_port_seek(map, 1), -ENOSPC);
	path_port_drop(map, path_port_find(map, 1000));
	assert_null(path_port_find(map, 1000));
	assert_int_equal(path_port_seek(map, 1), 0);
}

static void a_port_rests_for_as_long_as_time_wait(void **state)
{
	const uint64_t second = 1000000000;
	struct path_map *map = get_map(2);
	struct path_port *port;

	(void)state;
	learn(map, 1000, 2, 21);
	port = path_port_find(map, 1000);
	assert_int_equal(path_port_state(port, 0), PORT_FREE);
	path_port_leave(port, 0);
	assert_int_equal(path_port_state(port, second), PORT_LEFT);
	path_port_leave(port, 65530 * second);
	assert_int_equal(path_port_state(port, 65530 * second), PORT_LEFT);
	assert_int_equal(path_port_state(port, 65590 * second), PORT_LEFT);
	assert_int_equal(path_port_rest_s(port, 65590 * second), 60);
	assert_int_equal(path_port_state(port, 65591 * second), PORT_FREE);
	path_port_refuse(port, 65530 * second);
	assert_int_equal(path_port_state(port, 65590 * second), PORT_HELD);
	assert_int_equal(path_port_state(port, 65591 * second), PORT_FREE);
	path_port_refuse(port, 65536 * second);
	assert_int_equal(path_port_state(port, 65536 * second), PORT_HELD);
	path_port_leave(port, 65540 * second);
	assert_int_equal(path_port_state(port, 65590 * second), PORT_LEFT);
	port->is_taken = true;
	assert_int_equal(path_port_state(port, 65601 * second), PORT_HELD);
}

static void those_that_rest_make_room(void **state)
{
	struct path_map *map = get_map(2);

	(void)state;
	for (uint16_t i = 0; i < PATH_PORTS_MAX; i++)
		learn(map, 1000 + i, 2, 21 + i % 4);
	for (uint16_t i = 100; i < 150; i++)
		path_port_leave(path_port_find(map, 1000 + i), 1);
	for (uint16_t i = 100; i < 116; i++)
		path_port_refuse(path_port_find(map, 1000 + i), 1);
	path_port_find(map, 1149)->is_taken = true;
	path_make_room(map, 16);
	assert_int_equal(map->n_ports, PATH_PORTS_MAX - 16);
	assert_null(path_port_find(map, 1100));
	assert_non_null(path_port_find(map, 1116));
	path_make_room(map, 16);
	assert_int_equal(map->n_ports, PATH_PORTS_MAX - 16);
	/* That of a subflow that is there finds room, too. */
	for (uint16_t i = 0; i < 17; i++)
		assert_int_equal(path_port_seek(map, i), 0);
	assert_int_equal(map->n_ports, PATH_PORTS_MAX);
	path_make_room(map, PATH_PORTS_MAX);
	assert_int_equal(map->n_ports, PATH_PORTS_MAX - 49 + 17);
	assert_non_null(path_port_find(map, 1149));
	assert_non_null(path_port_find(map, 1000));
}

/* Its ports are those that are asked for most. */
static void no_way_is_forgotten_for_room(void **state)
{
	struct path_map *map = get_map(2);
	unsigned int ports;

	(void)state;
	for (uint16_t i = 0; i < PATH_PORTS_MAX; i++) {
		learn(map, 1000 + i, 2, i < 12 ? 25 : 21 + i % 4);
		path_port_leave(path_port_find(map, 1000 + i), 1);
	}
	for (uint16_t i = 0; i < 12; i++)
		path_port_refuse(path_port_find(map, 1000 + i), 1);
	map->is_changed = false;
	path_make_room(map, 20);
	assert_int_equal(map->n_ports, PATH_PORTS_MAX - 20);
	assert_int_equal(path_count(map, 2, &ports), 5);
	assert_non_null(path_port_find(map, 1000));
	assert_true(map->is_changed);
	path_make_room(map, PATH_PORTS_MAX);
	assert_int_equal(path_count(map, 2, &ports), 5);
	assert_int_equal(ports, 5 * 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(so_many_flows_are_enough, begin, end),
		cmocka_unit_test_setup_teardown(ports_that_meet_have_come_the_same_way, begin, end),
		cmocka_unit_test_setup_teardown(
			what_a_port_told_of_its_way_outlives_it, begin, end),
		cmocka_unit_test_setup_teardown(
			the_ways_of_all_ports_are_those_of_each, begin, end),
		cmocka_unit_test_setup_teardown(
			ports_of_subflows_outlive_what_was_learned, begin, end),
		cmocka_unit_test_setup_teardown(what_was_known_at_a_nearer_tier_stays, begin, end),
		cmocka_unit_test_setup_teardown(a_map_has_room_for_so_many_ports, begin, end),
		cmocka_unit_test_setup_teardown(a_port_rests_for_as_long_as_time_wait, begin, end),
		cmocka_unit_test_setup_teardown(those_that_rest_make_room, begin, end),
		cmocka_unit_test_setup_teardown(no_way_is_forgotten_for_room, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
