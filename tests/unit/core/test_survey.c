/* SPDX-License-Identifier: MIT */
/* What a survey finds of a fabric, however its routers answer and its machine stalls. */
#include "fabric.h"

#define FABRICS 400

static unsigned int count_ways(const struct path_map *map)
{
	unsigned int ports;

	return path_count(map, map->depth, &ports);
}

/* What the map says is so: of every port, at every tier. */
static void assert_true_to(const struct path_map *map, const struct fabric *fabric)
{
	struct in6_addr address;
	struct path path;

	for (unsigned int i = 0; i < map->n_ports; i++) {
		path = path_of(map, &map->ports[i]);
		for (unsigned int tier = 1; tier <= map->depth; tier++) {
			if (!path.tiers[tier])
				continue;
			address = fabric_router_of(fabric, tier, map->ports[i].port);
			assert_memory_equal(
				&path.tiers[tier]->key.address, &address, sizeof(address));
		}
	}
}

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
		assert_true_to(map, &play.fabric);
		missed += count_ways(map) != ways;
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
			assert_int_equal(count_ways(map), 2);
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
		play.now_ns += 60 * SECOND_NS;
		path_map_renew(map);
		fabric_survey(&play, FABRIC_PEER);
		fabric_run(&play);
		assert_int_equal(map->state, PATH_KNOWN);
		missed += count_ways(map) != 4;
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
	assert_int_equal(count_ways(map), 2);
	assert_int_equal(play.survey.prefix->depth, 3);
	assert_int_equal(play.survey.prefix->paths, 4);
	path_table_done(&play.table);
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
		fabric_survey(&play, FABRIC_PEER);
		fabric_run(&play);
		assert_int_equal(map->state, PATH_KNOWN);
		assert_int_equal(count_ways(map), 4);
		path_table_done(&play.table);
	}
	map = fabric_explore(&play, &near, 1);
	assert_int_equal(map->state, PATH_KNOWN);
	assert_int_equal(count_ways(map), 1);
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
		assert_true_to(map, &play.fabric);
		assert_in_range(play.now_ns, SECOND_NS, 30 * SECOND_NS);
		path_table_done(&play.table);
	}
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
	fabric_survey(&play, FABRIC_PEER);
	fabric_run(&play);
	map = play.survey.map;
	assert_int_equal(map->state, PATH_KNOWN);
	assert_true(map->is_partial);
	assert_false(play.survey.prefix->is_verified);
	assert_in_range(play.now_ns, SECOND_NS, 30 * SECOND_NS);
	/* Nor does a port that is asked again for another connection. */
	play.muted = SURVEY_HOPS;
	play.now_ns += 30 * SECOND_NS;
	fabric_survey(&play, FABRIC_PEER);
	fabric_run(&play);
	assert_false(play.survey.prefix->is_verified);
	/* The map has grown old. */
	path_map_renew(map);
	fabric_survey(&play, FABRIC_PEER);
	fabric_run(&play);
	assert_true(play.survey.prefix->is_verified);
	assert_false(map->is_partial);
	path_table_done(&play.table);
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
		assert_true_to(map, &play.fabric);
		missed += count_ways(map) != 4;
		/* Of another such peer that is known. */
		fabric_survey(&play, FABRIC_PEER + 1);
		assert_int_equal(play.survey.map->depth, 2);
		fabric_run(&play);
		map = play.survey.map;
		assert_int_equal(map->state, PATH_KNOWN);
		assert_false(map->is_partial);
		missed += count_ways(map) != 4;
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
		fabric_survey(&play, FABRIC_PEER + 1);
		fabric_run(&play);
		assert_in_range(play.peer_probes, 0, seed % 2 ? 0 : 32);
		assert_int_equal(play.survey.map->hops, play.fabric.hops);
		path_table_done(&play.table);
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
		assert_int_equal(survey_ask(&play.survey, &key, true), 0);
		fabric_run(&play);
		assert_true(play.survey.map->is_thorough);
		/* What was asked before is as old as it was. */
		assert_int_equal(play.survey.map->learned_ns, learned_ns);
		assert_int_equal(path_count(play.survey.map, 2, &ports), 4);
		assert_in_range(ports, path_flows_sure(4), path_flows_sure(4) + SURVEY_WINDOW);
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
		assert_true_to(map, &play.fabric);
		assert_in_range(play.probes, PATH_ROUTERS_MAX, 2 * PATH_ROUTERS_MAX);
		assert_in_range(play.now_ns, SECOND_NS, 2 * SECOND_NS);
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
	assert_int_equal(survey_ask(&play.survey, &key, false), 0);
	assert_int_equal(survey_ask(&play.survey, &key, false), 0);
	assert_int_equal(play.survey.n_askers, 1);
	play.probes = 0;
	fabric_run(&play);
	for (uint16_t i = 0; i < 20; i++) {
		port = path_port_find(play.survey.map, 1000 + i);
		assert_non_null(port);
		assert_true(port->is_taken);
		assert_true(path_is_known(play.survey.map, port));
	}
	assert_true_to(play.survey.map, &play.fabric);
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
	fabric_survey(&play, FABRIC_PEER);
	fabric_run(&play);
	assert_int_equal(map->state, PATH_KNOWN);
	assert_int_equal(count_ways(map), 3);
	assert_true(path_is_known(map, path_port_find(map, 1000)));
	assert_true_to(map, &play.fabric);
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
	struct path_map *map;
	struct fabric_play play;
	uint64_t began_ns;
	unsigned int missed = 0, lasting = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= FABRICS; seed++) {
		fabric_begin(&play, &none, seed);
		play.fabric = draw_fabric(&play);
		for (unsigned int host = 0; host < 3; host++) {
			began_ns = play.now_ns;
			fabric_survey(&play, FABRIC_PEER + host % 2);
			fabric_run(&play);
			assert_in_range(play.now_ns - began_ns, 0, 25 * SECOND_NS);
			play.now_ns += 60 * SECOND_NS;
		}
		lasting += play.survey.map->state != PATH_KNOWN;
		play.fabric.silent = play.fabric.lost = 0;
		play.fabric.period_ns = play.fabric.stall_ns = 0;
		play.now_ns += 600 * SECOND_NS;
		map = play.survey.map;
		path_map_renew(map);
		fabric_survey(&play, FABRIC_PEER);
		fabric_run(&play);
		assert_int_equal(map->state, PATH_KNOWN);
		missed += count_ways(map) != 4;
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
	assert_int_equal(count_ways(map), 4);
	assert_true(map->ports[0].is_taken);
	assert_true(path_is_known(map, path_port_find(map, 1000)));
	ports_reserve(&play.ports, 32768, 50000);
	fabric_survey(&play, FABRIC_PEER);
	fabric_run(&play);
	assert_int_equal(map->state, PATH_KNOWN);
	assert_false(is_reserved_of(map, &play.ports));
	assert_int_equal(count_ways(map), 4);
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
	fabric_survey(&play, FABRIC_PEER);
	fabric_run(&play);
	assert_int_equal(map->state, PATH_KNOWN);
	assert_false(is_reserved_of(map, &play.ports));
	assert_int_equal(count_ways(map), 4);
	path_table_done(&play.table);
}

/* What was known of its prefix says nothing any more. */
static void a_way_that_has_come_back_is_found_when_the_map_is_old(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 3, .rtt_ns = MS / 10};
	struct path_map *map;
	struct fabric_play play;
	unsigned int missed = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= FABRICS; seed++) {
		map = fabric_explore(&play, &fabric, seed);
		play.fabric.ways = 4;
		play.now_ns += 700 * SECOND_NS;
		path_map_renew(map);
		fabric_survey(&play, FABRIC_PEER);
		fabric_run(&play);
		assert_int_equal(map->state, PATH_KNOWN);
		missed += count_ways(map) != 4;
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
		fabric_survey(&play, FABRIC_PEER + 1);
		fabric_run(&play);
		map = play.survey.map;
		assert_int_equal(map->state, PATH_KNOWN);
		assert_int_equal(map->depth, 3);
		missed += count_ways(map) != 4;
		path_table_done(&play.table);
	}
	assert_in_range(missed, 0, FABRICS / 50);
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
		cmocka_unit_test(what_was_silent_in_the_middle_may_answer_later),
		cmocka_unit_test(what_is_seen_beside_the_middle_is_not_of_the_prefix),
		cmocka_unit_test(what_the_peers_packets_have_passed_is_on_the_way),
		cmocka_unit_test(one_probe_reaches_a_peer_that_has_been_heard),
		cmocka_unit_test(rationed_answers_make_a_partial_map),
		cmocka_unit_test(silence_agrees_with_nothing),
		cmocka_unit_test(nothing_answers),
		cmocka_unit_test(an_even_number_of_routers_may_hide_the_ways),
		cmocka_unit_test(a_peer_behind_its_own_host_hides_no_way),
		cmocka_unit_test(four_probes_reach_the_peer_at_most),
		cmocka_unit_test(a_nearer_host_of_the_prefix_gets_thirty_two_at_most),
		cmocka_unit_test(ways_are_told_apart_before_it_is_known_how_far_it_is),
		cmocka_unit_test(what_seems_to_be_all_is_looked_at_again),
		cmocka_unit_test(what_the_map_has_no_room_for_is_not_looked_for),
		cmocka_unit_test(the_ways_of_subflows_are_found),
		cmocka_unit_test(a_change_of_routes_begins_it_anew),
		cmocka_unit_test(no_finding_lasts),
		cmocka_unit_test(what_was_reserved_since_is_not_known_any_more),
		cmocka_unit_test(no_way_is_lost_with_its_ports),
		cmocka_unit_test(a_way_that_has_come_back_is_found_when_the_map_is_old),
		cmocka_unit_test(a_farther_host_of_the_prefix_is_walked_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
