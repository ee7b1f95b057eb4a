/* SPDX-License-Identifier: MIT */
/* Surveys where something is known: of an earlier time, or of another host of the prefix. */
#include "fabric.h"

/* The map has grown old by then: all is asked anew. Whether one of the four ways is missed. */
static bool misses_a_way_after(struct fabric_play *play, uint64_t time_ns)
{
	struct path_map *map = play->survey.map;

	play->now_ns += time_ns;
	path_map_renew(map);
	fabric_look(play, FABRIC_PEER);
	assert_int_equal(map->state, PATH_KNOWN);
	return fabric_count_ways(map) != 4;
}

/* Rate limits are short: what nobody said is asked again with the next survey, not after ten
 * minutes.
 */
static void what_was_silent_in_the_middle_may_answer_later(void **state)
{
	static const struct fabric fabrics[] = {
		{.hops = 3, .ways = 4, .rtt_ns = MS / 10, .silent = 1 << 2},
		{.hops = 5, .ways = 2, .rtt_ns = MS / 10, .silent = 1 << 3},
	};
	struct path_map *map;
	struct fabric_play play;
	unsigned int missed = 0;

	(void)state;
	for (unsigned int seed = 1; seed <= FABRICS; seed++) {
		map = fabric_explore(&play, &fabrics[seed % 2], seed);
		assert_true(map->state == PATH_SILENT || map->is_partial);
		play.fabric.silent = 0;
		missed += misses_a_way_after(&play, 60 * SECOND_NS);
		path_table_done(&play.table);
	}
	assert_in_range(missed, 0, FABRICS / 50);
}

/* What is told apart elsewhere says nothing of how many there are in the middle. */
static void what_is_seen_beside_the_middle_is_not_of_the_prefix(void **state)
{
	static const struct fabric fabric = {
		.hops = 5, .ways = 2, .rtt_ns = MS / 10, .silent = 1 << 3};
	struct path_map *map;
	struct fabric_play play;

	(void)state;
	fabric_begin(&play, &fabric, 2);
	fabric_survey(&play, FABRIC_PEER);
	map = play.survey.map;
	/* Another survey has been luckier meanwhile. */
	play.survey.prefix->hops = 5;
	play.survey.prefix->depth = 3;
	play.survey.prefix->paths = 4;
	fabric_run(&play);
	assert_int_equal(map->state, PATH_KNOWN);
	assert_int_equal(fabric_count_ways(map), 2);
	assert_int_equal(play.survey.prefix->depth, 3);
	assert_int_equal(play.survey.prefix->paths, 4);
	path_table_done(&play.table);
}

/* Of two addresses a port meets the same one again half of the time, however many paths there are.
 */
static void routers_of_two_addresses_are_no_paths(void **state)
{
	static const struct fabric fabrics[] = {
		{.hops = 3, .ways = 4, .rtt_ns = MS / 10, .has_aliases = true},
		{.hops = 3, .ways = 8, .rtt_ns = MS / 10, .has_aliases = true},
	};
	unsigned int believed = 0;
	struct fabric_play play;

	(void)state;
	for (uint64_t seed = 1; seed <= FABRICS; seed++) {
		believed += fabric_explore(&play, &fabrics[seed % 2], seed)->state == PATH_KNOWN;
		path_table_done(&play.table);
	}
	assert_in_range(believed, 0, FABRICS / 50);
}

/* The routers are out of answers just when ports are asked again. */
static void silence_agrees_with_nothing(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	struct fabric_play play;
	struct path_map *map;

	(void)state;
	fabric_begin(&play, &fabric, 1);
	play.muted = SURVEY_VERIFY;
	map = fabric_look(&play, FABRIC_PEER);
	assert_int_equal(map->state, PATH_KNOWN);
	assert_true(map->is_partial);
	assert_false(play.survey.prefix->is_verified);
	assert_in_range(play.now_ns, SECOND_NS, 30 * SECOND_NS);
	/* Nor does a port that is asked again for another connection. */
	play.muted = SURVEY_HOPS;
	play.now_ns += 30 * SECOND_NS;
	fabric_look(&play, FABRIC_PEER);
	assert_false(play.survey.prefix->is_verified);
	/* The map has grown old. */
	path_map_renew(map);
	fabric_look(&play, FABRIC_PEER);
	assert_true(play.survey.prefix->is_verified);
	assert_false(map->is_partial);
	path_table_done(&play.table);
}

/* It is noticed when nothing answers; a host as far as its neighbours gets none. */
static void a_nearer_host_of_the_prefix_gets_thirty_two_at_most(void **state)
{
	static const struct fabric far = {.hops = 5, .ways = 2, .rtt_ns = MS / 10};
	struct fabric_play play;

	(void)state;
	for (uint64_t seed = 1; seed <= FABRICS / 10; seed++) {
		fabric_explore(&play, &far, seed);
		play.peer_probes = 0;
		play.fabric.hops = seed % 2 ? 5 : 1;
		fabric_look(&play, FABRIC_PEER + 1);
		assert_in_range(play.peer_probes, 0, seed % 2 ? 0 : 32);
		assert_int_equal(play.survey.map->hops, play.fabric.hops);
		path_table_done(&play.table);
	}
}

static void what_seems_to_be_all_is_looked_at_again(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	struct conn_key key = {.netns = 1, .token = 7};
	uint64_t learned_ns;
	unsigned int ports;
	struct fabric_play play;

	(void)state;
	for (uint64_t seed = 1; seed <= 10 * FABRICS; seed++) {
		learned_ns = fabric_explore(&play, &fabric, seed)->learned_ns;
		fabric_survey(&play, FABRIC_PEER);
		assert_int_equal(survey_ask(&play.survey, &key, WANT_ALL), 0);
		fabric_run(&play);
		assert_true(play.survey.map->is_thorough);
		/* What was asked before is as old as it was. */
		assert_int_equal(play.survey.map->learned_ns, learned_ns);
		assert_int_equal(path_count(play.survey.map, 2, &ports), 4);
		assert_in_range(ports, path_flows_sure(4), path_flows_sure(4) + SURVEY_WINDOW);
		path_table_done(&play.table);
	}
}

/* One more for each way that is known, and no certainty. */
static void some_more_ports_take_few_probes(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	struct conn_key key = {.netns = 1, .token = 7};
	unsigned int ways, before, ports;
	struct fabric_play play;

	(void)state;
	for (uint64_t seed = 1; seed <= FABRICS; seed++) {
		fabric_explore(&play, &fabric, seed);
		ways = path_count(play.survey.map, 2, &before);
		play.probes = 0;
		fabric_survey(&play, FABRIC_PEER);
		assert_int_equal(survey_ask(&play.survey, &key, WANT_PORTS), 0);
		fabric_run(&play);
		assert_false(play.survey.map->is_thorough);
		path_count(play.survey.map, 2, &ports);
		assert_int_equal(ports, before + ways);
		assert_int_equal(play.probes, ways);
		path_table_done(&play.table);
	}
}

static void the_ways_of_subflows_are_found(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10, .lost = 20};
	struct conn_key key = {.netns = 1, .token = 7};
	struct path_port *port;
	struct fabric_play play;

	(void)state;
	fabric_explore(&play, &fabric, 3);
	for (uint16_t i = 0; i < 20; i++)
		assert_int_equal(path_port_seek(play.survey.map, 1000 + i), 0);
	fabric_survey(&play, FABRIC_PEER);
	assert_int_equal(survey_ask(&play.survey, &key, WANT_WAYS), 0);
	assert_int_equal(survey_ask(&play.survey, &key, WANT_WAYS), 0);
	assert_int_equal(play.survey.n_askers, 1);
	play.probes = 0;
	fabric_run(&play);
	for (uint16_t i = 0; i < 20; i++) {
		port = path_port_find(play.survey.map, 1000 + i);
		assert_non_null(port);
		assert_true(port->is_taken);
		assert_true(path_is_known(play.survey.map, port));
	}
	fabric_assert_true(play.survey.map, &play.fabric);
	assert_in_range(play.probes, 20, 40);
	path_table_done(&play.table);
}

/* The last of the ways has failed, and is no more. */
static void a_change_of_routes_begins_it_anew(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	struct in6_addr last = fabric_router(2, 3);
	struct path_map *map;
	struct fabric_play play;

	(void)state;
	map = fabric_explore(&play, &fabric, 5);
	for (unsigned int i = 0; i < map->n_routers; i++) {
		if (IN6_ARE_ADDR_EQUAL(&map->routers[i]->key.address, &last))
			map->routers[i]->shunned_until_ns = play.now_ns + 10 * SECOND_NS;
	}
	assert_int_equal(path_port_seek(map, 1000), 0);
	play.fabric.ways = 3;
	play.now_ns += 60 * SECOND_NS;
	fabric_look(&play, FABRIC_PEER);
	assert_int_equal(map->state, PATH_KNOWN);
	assert_int_equal(fabric_count_ways(map), 3);
	assert_true(path_is_known(map, path_port_find(map, 1000)));
	fabric_assert_true(map, &play.fabric);
	path_table_done(&play.table);
}

static unsigned int draw(struct fabric_play *play, unsigned int n)
{
	return (ports_random(&play->random) >> 32) % n;
}

/* One whose routers answer as they like. */
static struct fabric draw_fabric(struct fabric_play *play)
{
	const unsigned int hops = draw(play, 2) ? 3 : 5;
	const uint8_t ttls[] = {0, 64 - hops, 128 - hops, 255 - hops, 63, 100};

	return (struct fabric){.hops = hops,
		.ways = hops == 3 ? 4 : 2,
		.seed = draw(play, 1000),
		.rtt_ns = MS / 10 + draw(play, 20) * MS,
		.lost = draw(play, 3) ? draw(play, 1000) : 0,
		.silent = draw(play, 64),
		.period_ns = draw(play, 3) ? 0 : draw(play, 1000) * MS,
		.stall_ns = draw(play, 3) ? 0 : 1 + draw(play, 300) * MS,
		.ttl = ttls[draw(play, 6)]};
}

/* Whatever was found out, or was not: it ends, and ten minutes later the truth is. */
static void no_finding_lasts(void **state)
{
	static const struct fabric none = {};
	struct fabric_play play;
	uint64_t began_ns;
	unsigned int missed = 0, lasting = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= FABRICS; seed++) {
		fabric_begin(&play, &none, seed);
		play.fabric = draw_fabric(&play);
		for (unsigned int host = 0; host < 3; host++) {
			began_ns = play.now_ns;
			fabric_look(&play, FABRIC_PEER + host % 2);
			assert_in_range(play.now_ns - began_ns, 0, 25 * SECOND_NS);
			play.now_ns += 60 * SECOND_NS;
		}
		lasting += play.survey.map->state != PATH_KNOWN;
		play.fabric.silent = play.fabric.lost = 0;
		play.fabric.period_ns = play.fabric.stall_ns = 0;
		missed += misses_a_way_after(&play, 600 * SECOND_NS);
		path_table_done(&play.table);
	}
	assert_in_range(missed, 0, FABRICS / 50);
	assert_in_range(lasting, FABRICS / 10, FABRICS);
}

static bool is_reserved_of(const struct path_map *map, const struct ports *ports)
{
	for (unsigned int i = 0; i < map->n_ports; i++) {
		if (!map->ports[i].is_taken && !ports_has(ports, map->ports[i].port))
			return true;
	}
	return false;
}

/* While the map is fresh: those of subflows that are there stay, whatever they are. */
static void what_was_reserved_since_is_not_known_any_more(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	struct path_map *map;
	struct fabric_play play;

	(void)state;
	map = fabric_explore(&play, &fabric, 5);
	assert_int_equal(path_port_seek(map, 1000), 0);
	map->ports[0].is_taken = true;
	ports_reserve(&play.ports, map->ports[0].port, map->ports[0].port);
	ports_reserve(&play.ports, map->ports[1].port, map->ports[1].port);
	fabric_survey(&play, FABRIC_PEER);
	assert_int_equal(play.survey.phase, SURVEY_CONFIRM);
	assert_false(is_reserved_of(map, &play.ports));
	fabric_run(&play);
	assert_int_equal(fabric_count_ways(map), 4);
	assert_true(map->ports[0].is_taken);
	assert_true(path_is_known(map, path_port_find(map, 1000)));
	ports_reserve(&play.ports, 32768, 50000);
	fabric_look(&play, FABRIC_PEER);
	assert_int_equal(map->state, PATH_KNOWN);
	assert_false(is_reserved_of(map, &play.ports));
	assert_int_equal(fabric_count_ways(map), 4);
	path_table_done(&play.table);
}

/* A way whose ports have all been reserved is looked for with others. */
static void no_way_is_lost_with_its_ports(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	const struct in6_addr last = fabric_router(2, 3);
	struct path_map *map;
	struct fabric_play play;
	struct in6_addr spine;

	(void)state;
	map = fabric_explore(&play, &fabric, 5);
	for (unsigned int i = 0; i < map->n_ports; i++) {
		spine = fabric_router_of(&play.fabric, 2, map->ports[i].port);
		if (IN6_ARE_ADDR_EQUAL(&spine, &last))
			ports_reserve(&play.ports, map->ports[i].port, map->ports[i].port);
	}
	fabric_look(&play, FABRIC_PEER);
	assert_int_equal(map->state, PATH_KNOWN);
	assert_false(is_reserved_of(map, &play.ports));
	assert_int_equal(fabric_count_ways(map), 4);
	path_table_done(&play.table);
}

/* Where a namespace has too few ports nothing is certain: not that there is one way either. */
static void too_few_ports_make_a_partial_map(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	static const unsigned int counts[] = {1, 2, 27, 28};
	struct path_map *map;
	struct fabric_play play;

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		fabric_begin(&play, &fabric, 5);
		play.ports.high = play.ports.low + counts[i] - 1;
		fabric_survey(&play, FABRIC_PEER);
		play.survey.is_thorough = true;
		fabric_run(&play);
		map = play.survey.map;
		assert_int_equal(map->state, PATH_KNOWN);
		assert_int_equal(map->n_ports, counts[i]);
		assert_true(map->is_partial);
		assert_false(map->is_thorough);
		path_table_done(&play.table);
	}
	/* What one percent allows for takes 28. */
	fabric_begin(&play, &fabric, 5);
	play.ports.high = play.ports.low + 27;
	map = fabric_look(&play, FABRIC_PEER);
	assert_int_equal(fabric_count_ways(map), 4);
	assert_false(map->is_partial);
	path_table_done(&play.table);
}

/* What was known of its prefix says nothing any more. */
static void a_way_that_has_come_back_is_found_when_the_map_is_old(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 3, .rtt_ns = MS / 10};
	struct fabric_play play;
	unsigned int missed = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= FABRICS; seed++) {
		fabric_explore(&play, &fabric, seed);
		play.fabric.ways = 4;
		missed += misses_a_way_after(&play, 700 * SECOND_NS);
		path_table_done(&play.table);
	}
	assert_in_range(missed, 0, FABRICS / 50);
}

/* The prefix was learned from a host that is nearer. */
static void a_farther_host_of_the_prefix_is_walked_to(void **state)
{
	static const struct fabric far = {
		.hops = 5, .ways = 2, .rtt_ns = MS / 10, .silent = 1 << 2};
	static const struct fabric near = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	unsigned int missed = 0;
	struct path_map *map;
	struct fabric_play play;

	(void)state;
	for (uint64_t seed = 1; seed <= FABRICS; seed++) {
		fabric_explore(&play, &near, seed);
		play.fabric = far;
		play.fabric.seed = seed;
		map = fabric_look(&play, FABRIC_PEER + 1);
		assert_int_equal(map->state, PATH_KNOWN);
		assert_int_equal(map->depth, 3);
		missed += fabric_count_ways(map) != 4;
		path_table_done(&play.table);
	}
	assert_in_range(missed, 0, FABRICS / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_silent_in_the_middle_may_answer_later),
		cmocka_unit_test(what_is_seen_beside_the_middle_is_not_of_the_prefix),
		cmocka_unit_test(routers_of_two_addresses_are_no_paths),
		cmocka_unit_test(silence_agrees_with_nothing),
		cmocka_unit_test(a_nearer_host_of_the_prefix_gets_thirty_two_at_most),
		cmocka_unit_test(what_seems_to_be_all_is_looked_at_again),
		cmocka_unit_test(some_more_ports_take_few_probes),
		cmocka_unit_test(the_ways_of_subflows_are_found),
		cmocka_unit_test(a_change_of_routes_begins_it_anew),
		cmocka_unit_test(no_finding_lasts),
		cmocka_unit_test(what_was_reserved_since_is_not_known_any_more),
		cmocka_unit_test(no_way_is_lost_with_its_ports),
		cmocka_unit_test(too_few_ports_make_a_partial_map),
		cmocka_unit_test(a_way_that_has_come_back_is_found_when_the_map_is_old),
		cmocka_unit_test(a_farther_host_of_the_prefix_is_walked_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
