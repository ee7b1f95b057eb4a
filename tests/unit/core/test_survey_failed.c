/* SPDX-License-Identifier: MIT */
/* What a survey makes of a way that has failed, or is dead meanwhile, and of subflows in doubt. */
#include "fabric.h"

#define SEEDS   400
#define HOLD_NS (10 * SECOND_NS)
#define LAST    3 /* of the four spines */

static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10, .ttl = 61};

static unsigned int count_ways(const struct path_map *map)
{
	unsigned int ports;

	return path_count(map, map->depth, &ports);
}

static bool is_last(const struct router *router)
{
	const struct in6_addr last = fabric_router(2, LAST);

	return IN6_ARE_ADDR_EQUAL(&router->key.address, &last);
}

/*
 * Four ways are known, three of them by subflows, and the last of them swallows everything:
 * core/steer has noticed.
 */
static struct path_map *lose_last(struct fabric_play *play, uint64_t seed)
{
	struct path_map *map;

	/* One in a hundred surveys misses one. */
	for (seed *= SEEDS; count_ways(map = fabric_explore(play, &fabric, seed)) != 4; seed++)
		path_table_done(&play->table);
	play->now_ns += 60 * SECOND_NS;
	for (unsigned int i = 0; i < map->n_ports; i++)
		map->ports[i].is_taken = !is_last(path_of(map, &map->ports[i]).tiers[2]);
	for (unsigned int i = 0; i < map->n_routers; i++) {
		if (is_last(map->routers[i]))
			map->routers[i]->shunned_until_ns = play->now_ns + HOLD_NS;
	}
	map->confirmed_ns = 0;
	play->fabric.dead = 1 << LAST;
	return map;
}

static void look(struct fabric_play *play, uint32_t address, enum want want)
{
	struct conn_key key = {.netns = 1, .token = 7};

	fabric_survey(play, address);
	assert_int_equal(survey_ask(&play->survey, &key, want), 0);
	fabric_run(play);
}

static void while_it_is_avoided_it_stays_known(void **state)
{
	struct path_map *map;
	struct fabric_play play;
	unsigned int probes;
	uint64_t learned_ns;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		map = lose_last(&play, seed);
		learned_ns = map->learned_ns;
		probes = play.probes;
		play.now_ns += HOLD_NS / 2;
		look(&play, FABRIC_PEER, WANT_WAYS);
		assert_int_equal(play.probes - probes, 1);
		assert_int_equal(map->state, PATH_KNOWN);
		assert_int_equal(map->learned_ns, learned_ns);
		assert_true(map->confirmed_ns > learned_ns);
		assert_int_equal(count_ways(map), 4);
		assert_false(map->is_partial);
		path_table_done(&play.table);
	}
}

/* Whoever looks for more then misses what is dead, which is no news. */
static void what_it_swallows_is_no_doubt(void **state)
{
	struct path_map *map;
	struct fabric_play play;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		map = lose_last(&play, seed);
		play.survey.prefix->paths = 4;
		look(&play, FABRIC_PEER, WANT_ALL);
		assert_true(map->is_thorough);
		assert_int_equal(count_ways(map), 4);
		assert_false(map->is_partial);
		assert_int_equal(play.survey.prefix->paths, 4);
		path_table_done(&play.table);
	}
}

/* Others may have found the map true meanwhile, by other ports. */
static void it_is_asked_before_it_is_taken_again(void **state)
{
	struct path_map *map;
	struct fabric_play play;
	unsigned int probes;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		map = lose_last(&play, seed);
		play.now_ns += HOLD_NS - MS;
		look(&play, FABRIC_PEER, WANT_WAYS);
		play.now_ns += MS;
		probes = play.probes;
		play.fabric.dead = 0;
		look(&play, FABRIC_PEER, WANT_WAYS);
		assert_int_equal(play.probes - probes, 1);
		assert_int_equal(count_ways(map), 4);
		assert_false(map->is_partial);
		/* Once it has answered there is no doubt any more. */
		look(&play, FABRIC_PEER, WANT_WAYS);
		assert_int_equal(play.probes - probes, 1);
		path_table_done(&play.table);
	}
}

static void one_that_is_dead_still_leaves_a_map_that_is_soon_old(void **state)
{
	struct path_map *map;
	struct fabric_play play;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		map = lose_last(&play, seed);
		play.now_ns += HOLD_NS;
		look(&play, FABRIC_PEER, WANT_WAYS);
		assert_int_equal(map->state, PATH_KNOWN);
		assert_int_equal(count_ways(map), 3);
		assert_true(map->is_partial);
		assert_int_equal(play.survey.prefix->paths, 0);
		path_table_done(&play.table);
	}
}

/* Nobody has known it before. */
static void so_does_one_that_was_never_seen(void **state)
{
	struct path_map *map;
	struct fabric_play play;
	unsigned int missed = 0, known = 0, unmet = 0; /* no flow took it */

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		fabric_begin(&play, &fabric, seed);
		play.fabric.dead = 1 << LAST;
		look(&play, FABRIC_PEER, WANT_WAYS);
		map = play.survey.map;
		/* By the dead one nothing is seen beyond the first router. */
		known += map->state == PATH_KNOWN;
		unmet += map->state == PATH_KNOWN && !map->is_partial;
		/* It is back: other hosts are not said to have three ways. */
		play.fabric.dead = 0;
		look(&play, FABRIC_PEER + 1, WANT_WAYS);
		missed += count_ways(play.survey.map) != 4;
		assert_false(play.survey.map->is_partial);
		path_table_done(&play.table);
	}
	assert_in_range(missed, 0, SEEDS / 50);
	/* Where both flows that are followed take the dead one, 1 in 16, nothing is. */
	assert_in_range(known, SEEDS - SEEDS / 10, SEEDS - 1);
	assert_in_range(unmet, 0, SEEDS / 50);
}

/* Of each way one port is a subflow's, and whether it still leads there is in doubt. */
static struct path_map *doubt(struct fabric_play *play, uint64_t seed)
{
	struct path_map *map = fabric_explore(play, &fabric, seed);
	const struct router *router;
	bool is_had[FABRIC_FLIGHTS_MAX] = {};
	uint8_t way;

	for (unsigned int i = 0; i < map->n_ports; i++) {
		router = path_of(map, &map->ports[i]).tiers[2];
		way = router->key.address.s6_addr[15];
		map->ports[i].is_taken = map->ports[i].is_sought = !is_had[way];
		is_had[way] = true;
	}
	return map;
}

static void subflows_in_doubt_cost_a_probe_each(void **state)
{
	struct path_map *map;
	struct fabric_play play;
	unsigned int probes, ways;
	uint64_t learned_ns;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		map = doubt(&play, seed);
		learned_ns = map->learned_ns;
		probes = play.probes;
		ways = count_ways(map);
		look(&play, FABRIC_PEER, WANT_WAYS);
		assert_int_equal(play.probes - probes, ways);
		assert_int_equal(map->learned_ns, learned_ns);
		look(&play, FABRIC_PEER, WANT_WAYS);
		assert_int_equal(play.probes - probes, ways);
		path_table_done(&play.table);
	}
}

/* The map was confirmed a moment ago, by another port. */
static void one_that_is_elsewhere_has_all_found_anew(void **state)
{
	unsigned int known = 0;
	struct path_map *map;
	struct fabric_play play;
	uint64_t learned_ns;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		map = doubt(&play, seed);
		learned_ns = map->learned_ns;
		play.fabric.seed += SEEDS;
		play.fabric.lost = 20;
		look(&play, FABRIC_PEER, seed % 2 ? WANT_ALL : WANT_WAYS);
		assert_int_equal(map->state, PATH_KNOWN);
		known += map->learned_ns > learned_ns;
		path_table_done(&play.table);
	}
	/* Four flows find themselves where they were once in 256 times. */
	assert_in_range(known, SEEDS - SEEDS / 50, SEEDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(while_it_is_avoided_it_stays_known),
		cmocka_unit_test(what_it_swallows_is_no_doubt),
		cmocka_unit_test(it_is_asked_before_it_is_taken_again),
		cmocka_unit_test(one_that_is_dead_still_leaves_a_map_that_is_soon_old),
		cmocka_unit_test(so_does_one_that_was_never_seen),
		cmocka_unit_test(subflows_in_doubt_cost_a_probe_each),
		cmocka_unit_test(one_that_is_elsewhere_has_all_found_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
