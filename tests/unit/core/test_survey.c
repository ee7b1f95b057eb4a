/* SPDX-License-Identifier: MIT */
/* What a first survey finds of a fabric, however its routers answer and its machine stalls. */
#include "fabric.h"

/* In how many of the fabrics a way was missed; each map is known, and true. */
static unsigned int count_missed(const struct fabric *fabric, unsigned int depth, unsigned int ways)
{
	unsigned int missed = 0;
	struct path_map *map;
	struct fabric_play play;

	for (uint64_t seed = 1; seed <= FABRICS; seed++) {
		map = fabric_explore(&play, fabric, seed);
		assert_int_equal(map->state, PATH_KNOWN);
		assert_int_equal(map->depth, depth);
		fabric_assert_true(map, &play.fabric);
		missed += fabric_count_ways(map) != ways;
		path_table_done(&play.table);
	}
	return missed;
}

static void one_percent_of_leaf_spines_hides_a_way(void **state)
{
	(void)state;
	for (unsigned int ways = 2; ways <= 8; ways *= 2)
		assert_in_range(
			count_missed(&(struct fabric){.hops = 3, .ways = ways, .rtt_ns = MS / 10},
				2, ways),
			0, FABRICS / 50);
}

static void a_fat_tree_is_known_by_its_cores(void **state)
{
	(void)state;
	assert_in_range(
		count_missed(&(struct fabric){.hops = 5, .ways = 2, .rtt_ns = MS / 10}, 3, 4), 0,
		FABRICS / 50);
}

/* A process that shares its CPU sleeps for longer than any answer takes. */
static void a_machine_that_stalls_is_no_silent_router(void **state)
{
	static const struct fabric leaf_spine = {
		.hops = 3, .ways = 4, .rtt_ns = MS / 10, .stall_ns = 300 * MS};
	static const struct fabric fat_tree = {
		.hops = 5, .ways = 2, .rtt_ns = MS / 10, .stall_ns = 300 * MS};

	(void)state;
	assert_in_range(count_missed(&leaf_spine, 2, 4), 0, FABRICS / 50);
	assert_in_range(count_missed(&fat_tree, 3, 4), 0, FABRICS / 50);
}

static void slow_answers_are_waited_for(void **state)
{
	static const struct fabric slow = {.hops = 3, .ways = 4, .rtt_ns = 60 * MS};
	static const struct fabric uneven = {.hops = 5, .ways = 2, .rtt_ns = 20 * MS};
	static const struct fabric cold = {
		.hops = 3, .ways = 4, .rtt_ns = MS, .first_rtt_ns = 150 * MS};

	(void)state;
	assert_in_range(count_missed(&slow, 2, 4), 0, FABRICS / 50);
	assert_in_range(count_missed(&uneven, 3, 4), 0, FABRICS / 50);
	assert_in_range(count_missed(&cold, 2, 4), 0, FABRICS / 50);
}

static void lost_answers_are_asked_for_again(void **state)
{
	static const struct fabric lossy = {.hops = 3, .ways = 4, .rtt_ns = MS / 10, .lost = 50};

	(void)state;
	assert_in_range(count_missed(&lossy, 2, 4), 0, FABRICS / 50);
}

/* The silent one is told by the hops behind it. */
static void a_router_that_never_answers_hides_nothing_behind_it(void **state)
{
	static const struct fabric near = {
		.hops = 5, .ways = 2, .rtt_ns = MS / 10, .silent = 1 << 2};

	(void)state;
	assert_in_range(count_missed(&near, 3, 4), 0, FABRICS / 50);
}

/* Behind it some ways have met again: it is not said that there are no more, nor that there is one.
 */
static void silent_cores_make_no_single_path(void **state)
{
	static const struct fabric fat_tree = {
		.hops = 5, .ways = 2, .rtt_ns = MS / 10, .silent = 1 << 3};
	static const struct fabric leaf_spine = {
		.hops = 3, .ways = 4, .rtt_ns = MS / 10, .silent = 1 << 2};
	struct path_map *map;
	struct fabric_play play;
	unsigned int known = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		map = fabric_explore(&play, &fat_tree, seed);
		known += map->state == PATH_KNOWN;
		if (map->state == PATH_KNOWN) {
			assert_int_equal(fabric_count_ways(map), 2);
			assert_true(map->is_partial);
		}
		path_table_done(&play.table);
		map = fabric_explore(&play, &leaf_spine, seed);
		assert_int_equal(map->state, PATH_SILENT);
		assert_string_equal(map->why, "the routers in the middle do not answer");
		path_table_done(&play.table);
	}
	/* Of two ways few flows may take the same one. */
	assert_in_range(known, 18, 20);
}

/* As beside a firewall that lets no probe through: the nearest router is not all there is. */
static void what_the_peers_packets_have_passed_is_on_the_way(void **state)
{
	static const struct fabric hidden[] = {
		{.hops = 3, .ways = 4, .rtt_ns = MS / 10, .silent = 1 << 2 | 1 << 3, .ttl = 61},
		{.hops = 5, .ways = 2, .rtt_ns = MS / 10, .silent = 0x3c, .ttl = 250},
	};
	static const struct fabric near = {.hops = 1, .ways = 1, .rtt_ns = MS / 10, .ttl = 127};
	struct path_map *map;
	struct fabric_play play;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		map = fabric_explore(&play, &hidden[i], 1);
		assert_int_equal(map->state, PATH_SILENT);
		assert_string_equal(map->why, "the routers in the middle do not answer");
		/* It may let them through the next time. */
		play.fabric.silent = 0;
		play.now_ns += 60 * SECOND_NS;
		fabric_look(&play, FABRIC_PEER);
		assert_int_equal(map->state, PATH_KNOWN);
		assert_int_equal(fabric_count_ways(map), 4);
		path_table_done(&play.table);
	}
	map = fabric_explore(&play, &near, 1);
	assert_int_equal(map->state, PATH_KNOWN);
	assert_int_equal(fabric_count_ways(map), 1);
	assert_false(map->is_partial);
	path_table_done(&play.table);
}

/* Where it is known how far that is; a way back of another length does no harm. */
static void one_probe_reaches_a_peer_that_has_been_heard(void **state)
{
	static const struct fabric leaf_spine = {
		.hops = 3, .ways = 4, .rtt_ns = MS / 10, .ttl = 61};
	static const struct fabric fat_tree = {.hops = 5, .ways = 2, .rtt_ns = MS / 10, .ttl = 123};
	static const struct fabric odd = {.hops = 3, .ways = 4, .rtt_ns = MS / 10, .ttl = 100};
	static const struct fabric shorter = {.hops = 5, .ways = 2, .rtt_ns = MS / 10, .ttl = 61};
	struct fabric_play play;

	(void)state;
	fabric_explore(&play, &leaf_spine, 1);
	assert_int_equal(play.peer_probes, 1);
	path_table_done(&play.table);
	fabric_explore(&play, &fat_tree, 1);
	assert_int_equal(play.peer_probes, 1);
	path_table_done(&play.table);
	assert_in_range(count_missed(&leaf_spine, 2, 4), 0, FABRICS / 50);
	assert_in_range(count_missed(&fat_tree, 3, 4), 0, FABRICS / 50);
	assert_in_range(count_missed(&odd, 2, 4), 0, FABRICS / 50);
	assert_in_range(count_missed(&shorter, 3, 4), 0, FABRICS / 50);
}

/* Linux as it comes: one answer a second to a host. */
static void rationed_answers_make_a_partial_map(void **state)
{
	static const struct fabric rationed = {
		.hops = 3, .ways = 4, .rtt_ns = MS / 10, .period_ns = SECOND_NS};
	struct path_map *map;
	struct fabric_play play;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		map = fabric_explore(&play, &rationed, seed);
		assert_int_equal(map->state, PATH_KNOWN);
		assert_int_equal(map->depth, 2);
		assert_true(map->is_partial);
		fabric_assert_true(map, &play.fabric);
		assert_in_range(play.now_ns, SECOND_NS, 30 * SECOND_NS);
		path_table_done(&play.table);
	}
}

static void nothing_answers(void **state)
{
	static const struct fabric dead = {.hops = 3, .ways = 4, .rtt_ns = MS, .silent = 0xff};
	struct path_map *map;
	struct fabric_play play;

	(void)state;
	map = fabric_explore(&play, &dead, 1);
	assert_int_equal(map->state, PATH_SILENT);
	assert_string_equal(map->why, "no router on the way answers");
	assert_in_range(play.now_ns, SECOND_NS, 2 * SECOND_NS);
	path_table_done(&play.table);
}

/* Between two routers there is one way, or a tunnel over many. */
static void an_even_number_of_routers_may_hide_the_ways(void **state)
{
	static const struct {
		unsigned int hops, ways;
		enum path_state state;
	} cases[] = {{2, 1, PATH_SILENT}, {3, 1, PATH_KNOWN}, {4, 1, PATH_SILENT},
		{4, 2, PATH_KNOWN}, {5, 1, PATH_KNOWN}};
	struct path_map *map;
	struct fabric_play play;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		map = fabric_explore(&play,
			&(struct fabric){
				.hops = cases[i].hops, .ways = cases[i].ways, .rtt_ns = MS / 10},
			1);
		assert_int_equal(map->state, cases[i].state);
		assert_string_equal(map->why,
			map->state == PATH_SILENT ? "a tunnel may hide the ways there" : "");
		path_table_done(&play.table);
	}
}

/* The last router is that of a container's host: the ways have met again in the middle. */
static void a_peer_behind_its_own_host_hides_no_way(void **state)
{
	static const struct fabric fabric = {
		.hops = 4, .ways = 4, .rtt_ns = MS / 10, .has_host_router = true};
	struct path_map *map;
	struct fabric_play play;
	unsigned int missed = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= FABRICS; seed++) {
		map = fabric_explore(&play, &fabric, seed);
		assert_int_equal(map->state, PATH_KNOWN);
		assert_int_equal(map->depth, 2);
		assert_false(map->is_partial);
		assert_false(map->is_tangled);
		fabric_assert_true(map, &play.fabric);
		missed += fabric_count_ways(map) != 4;
		/* Of another such peer that is known. */
		fabric_survey(&play, FABRIC_PEER + 1);
		assert_int_equal(play.survey.map->depth, 2);
		fabric_run(&play);
		map = play.survey.map;
		assert_int_equal(map->state, PATH_KNOWN);
		assert_false(map->is_partial);
		missed += fabric_count_ways(map) != 4;
		path_table_done(&play.table);
	}
	assert_in_range(missed, 0, 2 * FABRICS / 50);
}

/* subflowd.conf(5) says so. */
static void four_probes_reach_the_peer_at_most(void **state)
{
	struct fabric fabric = {.ways = 4, .rtt_ns = MS / 10};
	struct fabric_play play;

	(void)state;
	for (fabric.hops = 1; fabric.hops <= 6; fabric.hops++) {
		for (uint64_t seed = 1; seed <= FABRICS / 10; seed++) {
			fabric_explore(&play, &fabric, seed);
			assert_in_range(play.peer_probes, 1, 4);
			path_table_done(&play.table);
		}
	}
}

/*
 * So a subflow is placed long before the survey is over: after three times there and back, the
 * silence behind the last router apart.
 */
static void ways_are_told_apart_before_it_is_known_how_far_it_is(void **state)
{
	static const struct fabric fabrics[] = {{.hops = 3, .ways = 4, .rtt_ns = 10 * MS},
		{.hops = 5, .ways = 2, .rtt_ns = 10 * MS}};
	struct fabric_play play;

	(void)state;
	for (uint64_t seed = 1; seed <= 2 * FABRICS; seed++) {
		fabric_explore(&play, &fabrics[seed % 2], seed);
		assert_int_equal(play.parted, SURVEY_HOPS);
		assert_in_range(play.parted_ns, SECOND_NS, SECOND_NS + 6 * 20 * MS);
		assert_int_equal(play.survey.map->state, PATH_KNOWN);
		path_table_done(&play.table);
	}
}

/* So a router that answers with an address of its own each time costs no more than many routers. */
static void what_the_map_has_no_room_for_is_not_looked_for(void **state)
{
	static const struct fabric wide = {.hops = 3, .ways = 200, .rtt_ns = MS / 10};
	struct path_map *map;
	struct fabric_play play;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		map = fabric_explore(&play, &wide, seed);
		assert_int_equal(map->state, PATH_KNOWN);
		assert_int_equal(map->n_routers, PATH_ROUTERS_MAX);
		assert_true(map->is_partial);
		fabric_assert_true(map, &play.fabric);
		assert_in_range(play.probes, PATH_ROUTERS_MAX, 2 * PATH_ROUTERS_MAX);
		assert_in_range(play.now_ns, SECOND_NS, 2 * SECOND_NS);
		path_table_done(&play.table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_percent_of_leaf_spines_hides_a_way),
		cmocka_unit_test(a_fat_tree_is_known_by_its_cores),
		cmocka_unit_test(a_machine_that_stalls_is_no_silent_router),
		cmocka_unit_test(slow_answers_are_waited_for),
		cmocka_unit_test(lost_answers_are_asked_for_again),
		cmocka_unit_test(a_router_that_never_answers_hides_nothing_behind_it),
		cmocka_unit_test(silent_cores_make_no_single_path),
		cmocka_unit_test(what_the_peers_packets_have_passed_is_on_the_way),
		cmocka_unit_test(one_probe_reaches_a_peer_that_has_been_heard),
		cmocka_unit_test(rationed_answers_make_a_partial_map),
		cmocka_unit_test(nothing_answers),
		cmocka_unit_test(an_even_number_of_routers_may_hide_the_ways),
		cmocka_unit_test(a_peer_behind_its_own_host_hides_no_way),
		cmocka_unit_test(four_probes_reach_the_peer_at_most),
		cmocka_unit_test(ways_are_told_apart_before_it_is_known_how_far_it_is),
		cmocka_unit_test(what_the_map_has_no_room_for_is_not_looked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
