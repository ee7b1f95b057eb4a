/* SPDX-License-Identifier: MIT */
/* Surveys of fabrics that lose, delay and ration answers, on machines that stall. */
#include "core/survey.h"

#include <string.h>
#include <sys/param.h>

#include "../unit.h"

#define MS           1000000ull
#define SECOND_NS    (1000 * MS)
#define FLIGHTS_MAX  64
#define FABRICS      400
#define PEER_PORT    7000
#define ROUTERS_ADDR 0x0a000000u

/* Routers of a leaf-spine (3 hops) or of a fat-tree (5), and how they behave. */
struct fabric {
	unsigned int hops;
	unsigned int ways;      /* leaf-spine: spines; fat-tree: routers up at each of two tiers */
	uint64_t seed;          /* how they hash */
	uint64_t rtt_ns;        /* of an answer; up to twice that, by lot */
	unsigned int lost;      /* answers of 1000 */
	uint64_t period_ns;     /* each router answers once in so long; 0 = always */
	unsigned int silent;    /* bits: hops that never answer */
	uint64_t stall_ns;      /* the daemon sleeps up to so long at every turn */
	uint64_t first_rtt_ns;  /* before anything was answered: caches are cold */
	uint64_t spoken_ns[16]; /* the last answer of the routers of a hop */
};

struct flight {
	uint64_t due_ns;
	uint16_t port;
	uint32_t cookie;
	struct in6_addr router;
};

struct play {
	struct fabric fabric;
	struct path_table table;
	struct survey survey;
	uint64_t now_ns, random;
	struct flight flights[FLIGHTS_MAX];
	unsigned int n_flights;
	unsigned int probes, peer_probes, heard;
	enum survey_phase parted; /* what it was at when it first knew two ways */
	uint64_t parted_ns;
};

static struct endpoint endpoint(uint32_t address, uint16_t port)
{
	return (struct endpoint){.family = AF_INET, .port = port, .v4.s_addr = htonl(address)};
}

static uint64_t hash(uint64_t seed, unsigned int hop, uint16_t port)
{
	uint64_t state = (seed << 24 ^ (uint64_t)hop << 16 ^ port) * 0x9e3779b97f4a7c15ull | 1;

	for (int i = 0; i < 4; i++)
		ports_random(&state);
	return ports_random(&state) >> 32;
}

static uint32_t router_at(const struct fabric *fabric, unsigned int hop, uint16_t port)
{
	uint64_t up = hash(fabric->seed, 1, port) % fabric->ways;
	uint64_t core = hash(fabric->seed, 2, port) % fabric->ways;

	if (fabric->hops == 3)
		return ROUTERS_ADDR + (hop << 8) + (hop == 2 ? up : 0);
	switch (hop) {
	case 2:
	case 4:
		return ROUTERS_ADDR + (hop << 8) + up;
	case 3:
		return ROUTERS_ADDR + (hop << 8) + up * fabric->ways + core;
	default:
		return ROUTERS_ADDR + (hop << 8);
	}
}

static void answer(struct play *play, const struct survey_probe *probe)
{
	struct fabric *fabric = &play->fabric;
	uint64_t rtt_ns =
		play->heard || !fabric->first_rtt_ns ? fabric->rtt_ns : fabric->first_rtt_ns;
	struct endpoint router;

	play->probes++;
	if (probe->ttl > fabric->hops) {
		play->peer_probes++;
		return;
	}
	if (fabric->silent & 1 << probe->ttl)
		return;
	if (ports_random(&play->random) >> 32 < fabric->lost * (UINT32_MAX / 1000))
		return;
	if (fabric->period_ns && fabric->spoken_ns[probe->ttl] &&
		play->now_ns - fabric->spoken_ns[probe->ttl] < fabric->period_ns)
		return;
	fabric->spoken_ns[probe->ttl] = play->now_ns;
	assert_in_range(play->n_flights, 0, FLIGHTS_MAX - 1);
	router = endpoint(router_at(fabric, probe->ttl, probe->port), 0);
	play->flights[play->n_flights++] = (struct flight){
		.due_ns = play->now_ns + rtt_ns + ports_random(&play->random) % (rtt_ns + 1),
		.port = probe->port,
		.cookie = probe->cookie,
		.router = path_address(&router)};
}

static void note_parting(struct play *play)
{
	const struct path_map *map = play->survey.map;
	unsigned int ports;

	if (play->parted_ns || !map->depth || path_count(map, map->depth, &ports) < 2)
		return;
	play->parted = play->survey.phase;
	play->parted_ns = play->now_ns;
}

static void hear_due(struct play *play)
{
	struct flight flight;

	for (unsigned int i = 0; i < play->n_flights;) {
		flight = play->flights[i];
		if (flight.due_ns > play->now_ns) {
			i++;
			continue;
		}
		play->flights[i] = play->flights[--play->n_flights];
		play->heard++;
		survey_hear(
			&play->survey, flight.port, flight.cookie, &flight.router, play->now_ns);
		note_parting(play);
	}
}

/* As the scout does it: what has come is heard before the clock is looked at. */
static void run(struct play *play)
{
	struct survey_probe probe;
	uint64_t next_ns;

	while (play->survey.phase != SURVEY_DONE) {
		hear_due(play);
		survey_tick(&play->survey, play->now_ns);
		while (survey_next(&play->survey, play->now_ns, &probe))
			answer(play, &probe);
		if (play->survey.phase == SURVEY_DONE)
			break;
		next_ns = survey_deadline(&play->survey);
		for (unsigned int i = 0; i < play->n_flights; i++)
			next_ns = MIN(next_ns, play->flights[i].due_ns);
		play->now_ns = MAX(play->now_ns, next_ns);
		if (play->fabric.stall_ns)
			play->now_ns += ports_random(&play->random) % play->fabric.stall_ns;
	}
}

static void begin_survey(struct play *play, uint32_t address)
{
	struct ports ports = {.low = 32768, .high = 60999};
	struct endpoint local = endpoint(0xc0a80001, 0), remote = endpoint(address, PEER_PORT);

	play->n_flights = 0;
	assert_int_equal(survey_init(&play->survey, &play->table, 1, &local, &remote, &ports, false,
				 play->random | 1, play->now_ns),
		0);
}

static struct path_map *explore(struct play *play, const struct fabric *fabric, uint64_t seed)
{
	*play = (struct play){.fabric = *fabric, .now_ns = SECOND_NS, .random = seed * 2 + 1};
	play->fabric.seed = seed;
	for (int i = 0; i < 4; i++)
		ports_random(&play->random);
	path_table_init(&play->table);
	begin_survey(play, 0xc0a80101);
	run(play);
	return play->survey.map;
}

static unsigned int count_ways(const struct path_map *map)
{
	unsigned int ports;

	return path_count(map, map->depth, &ports);
}

/* What the map says is so: of every port, at every tier. */
static void assert_true_to(const struct path_map *map, const struct fabric *fabric)
{
	struct endpoint router;
	struct in6_addr address;
	struct path path;

	for (unsigned int i = 0; i < map->n_ports; i++) {
		path = path_of(map, &map->ports[i]);
		for (unsigned int tier = 1; tier <= map->depth; tier++) {
			if (!path.tiers[tier])
				continue;
			router = endpoint(router_at(fabric, tier, map->ports[i].port), 0);
			address = path_address(&router);
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
	struct play play;

	for (uint64_t seed = 1; seed <= FABRICS; seed++) {
		map = explore(&play, fabric, seed);
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
	static const struct fabric middle = {
		.hops = 5, .ways = 2, .rtt_ns = MS / 10, .silent = 1 << 3};

	(void)state;
	assert_in_range(count_missed(&near, 3, 4), 0, FABRICS / 50);
	assert_in_range(count_missed(&middle, 4, 2), 0, FABRICS / 50);
}

/* Linux as it comes: one answer a second to a host. */
static void rationed_answers_make_a_partial_map(void **state)
{
	static const struct fabric rationed = {
		.hops = 3, .ways = 4, .rtt_ns = MS / 10, .period_ns = SECOND_NS};
	struct path_map *map;
	struct play play;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		map = explore(&play, &rationed, seed);
		assert_int_equal(map->state, PATH_KNOWN);
		assert_int_equal(map->depth, 2);
		assert_true(map->is_partial);
		assert_true_to(map, &play.fabric);
		assert_in_range(play.now_ns, SECOND_NS, 30 * SECOND_NS);
		path_table_done(&play.table);
	}
}

static void nothing_answers(void **state)
{
	static const struct fabric dead = {.hops = 3, .ways = 4, .rtt_ns = MS, .silent = 0xff};
	struct path_map *map;
	struct play play;

	(void)state;
	map = explore(&play, &dead, 1);
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
	struct play play;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		map = explore(&play,
			&(struct fabric){
				.hops = cases[i].hops, .ways = cases[i].ways, .rtt_ns = MS / 10},
			1);
		assert_int_equal(map->state, cases[i].state);
		assert_string_equal(map->why,
			map->state == PATH_SILENT ? "a tunnel may hide the ways there" : "");
		path_table_done(&play.table);
	}
}

static void four_probes_reach_the_peer_at_most(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	struct play play;

	(void)state;
	for (uint64_t seed = 1; seed <= FABRICS; seed++) {
		explore(&play, &fabric, seed);
		assert_in_range(play.peer_probes, 1, 4);
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
	struct play play;

	(void)state;
	for (uint64_t seed = 1; seed <= 2 * FABRICS; seed++) {
		explore(&play, &fabrics[seed % 2], seed);
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
	unsigned int ports;
	struct play play;

	(void)state;
	for (uint64_t seed = 1; seed <= 10 * FABRICS; seed++) {
		explore(&play, &fabric, seed);
		begin_survey(&play, 0xc0a80101);
		assert_int_equal(survey_ask(&play.survey, &key, true), 0);
		run(&play);
		assert_true(play.survey.map->is_thorough);
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
	struct play play;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		map = explore(&play, &wide, seed);
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
	struct play play;

	(void)state;
	explore(&play, &fabric, 3);
	for (uint16_t i = 0; i < 20; i++)
		assert_int_equal(path_port_seek(play.survey.map, 1000 + i), 0);
	begin_survey(&play, 0xc0a80101);
	assert_int_equal(survey_ask(&play.survey, &key, false), 0);
	assert_int_equal(survey_ask(&play.survey, &key, false), 0);
	assert_int_equal(play.survey.n_askers, 1);
	play.probes = 0;
	run(&play);
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
	struct endpoint last = endpoint(ROUTERS_ADDR + 0x203, 0);
	struct in6_addr address = path_address(&last);
	struct path_map *map;
	struct play play;

	(void)state;
	map = explore(&play, &fabric, 5);
	for (unsigned int i = 0; i < map->n_routers; i++) {
		if (IN6_ARE_ADDR_EQUAL(&map->routers[i]->key.address, &address))
			map->routers[i]->shunned_until_ns = play.now_ns + 10 * SECOND_NS;
	}
	assert_int_equal(path_port_seek(map, 1000), 0);
	play.fabric.ways = 3;
	play.now_ns += 60 * SECOND_NS;
	begin_survey(&play, 0xc0a80101);
	run(&play);
	assert_int_equal(map->state, PATH_KNOWN);
	assert_int_equal(count_ways(map), 3);
	assert_true(path_is_known(map, path_port_find(map, 1000)));
	assert_true_to(map, &play.fabric);
	path_table_done(&play.table);
}

/* The prefix was learned from a host that is nearer. */
static void a_farther_host_of_the_prefix_is_walked_to(void **state)
{
	static const struct fabric far = {
		.hops = 5, .ways = 2, .rtt_ns = MS / 10, .silent = 1 << 2};
	static const struct fabric near = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	unsigned int missed = 0;
	struct path_map *map;
	struct play play;

	(void)state;
	for (uint64_t seed = 1; seed <= FABRICS; seed++) {
		explore(&play, &near, seed);
		play.fabric = far;
		play.fabric.seed = seed;
		begin_survey(&play, 0xc0a80102);
		run(&play);
		map = play.survey.map;
		assert_int_equal(map->state, PATH_KNOWN);
		assert_int_equal(map->depth, 3);
		missed += count_ways(map) != 4;
		path_table_done(&play.table);
	}
	assert_in_range(missed, 0, FABRICS / 50);
}

/* As long as it lives its owner may send nothing. */
static void hold(struct play *play)
{
	unsigned int holds = 0;

	for (; play->survey.phase != SURVEY_DONE && holds < 100000; holds++) {
		survey_hold(&play->survey, play->now_ns, play->now_ns + MS);
		play->now_ns = survey_deadline(&play->survey);
		survey_tick(&play->survey, play->now_ns);
	}
	assert_int_equal(play->survey.phase, SURVEY_DONE);
	assert_true(play->survey.has_news);
}

/* Others may ask at once. */
static void one_that_may_not_send_says_nothing_of_the_routers(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	struct play play = {.fabric = fabric, .now_ns = SECOND_NS, .random = 3};
	struct survey_probe probe;

	(void)state;
	path_table_init(&play.table);
	begin_survey(&play, 0xc0a80101);
	hold(&play);
	assert_int_equal(play.survey.map->state, PATH_UNKNOWN);
	assert_string_equal(play.survey.map->why, "");
	/* The same when it could send a few. */
	begin_survey(&play, 0xc0a80101);
	assert_true(survey_next(&play.survey, play.now_ns, &probe));
	answer(&play, &probe);
	play.now_ns = play.flights[0].due_ns;
	hear_due(&play);
	hold(&play);
	assert_int_equal(play.survey.map->state, PATH_UNKNOWN);
	begin_survey(&play, 0xc0a80101);
	run(&play);
	assert_int_equal(play.survey.map->state, PATH_KNOWN);
	/* What is known of the prefix stays, and so does a map. */
	begin_survey(&play, 0xc0a80101);
	play.survey.n_same = 1;
	hold(&play);
	assert_int_equal(play.survey.map->state, PATH_KNOWN);
	begin_survey(&play, 0xc0a80102);
	hold(&play);
	assert_int_equal(play.survey.map->state, PATH_UNKNOWN);
	assert_int_equal(play.survey.prefix->hops, 3);
	path_table_done(&play.table);
}

/* One wakes up when it may send, not before, and when something is due, not later. */
static void each_waits_for_itself(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	struct play play = {.fabric = fabric, .now_ns = SECOND_NS, .random = 3};
	struct survey_probe probe;
	uint64_t due_ns;

	(void)state;
	path_table_init(&play.table);
	begin_survey(&play, 0xc0a80101);
	assert_true(survey_hold(&play.survey, play.now_ns, play.now_ns + 50 * MS));
	assert_int_equal(survey_deadline(&play.survey), play.now_ns + 50 * MS);
	play.now_ns += 50 * MS;
	assert_true(survey_next(&play.survey, play.now_ns, &probe));
	while (survey_next(&play.survey, play.now_ns, &probe))
		;
	due_ns = survey_deadline(&play.survey);
	assert_in_range(due_ns, play.now_ns + MS, play.now_ns + SECOND_NS);
	assert_false(survey_hold(&play.survey, play.now_ns, play.now_ns + MS / 2));
	assert_int_equal(survey_deadline(&play.survey), due_ns);
	path_table_done(&play.table);
}

/* One that has found the ways lets others go first, and so does one that is sure of one. */
static void two_ways_or_many_flows_are_no_more_blind(void **state)
{
	static const struct fabric many = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	static const struct fabric one = {.hops = 3, .ways = 1, .rtt_ns = MS / 10};
	struct play play = {.fabric = many, .now_ns = SECOND_NS, .random = 3};
	struct in6_addr device = {};

	(void)state;
	path_table_init(&play.table);
	begin_survey(&play, 0xc0a80101);
	assert_true(survey_is_blind(&play.survey));
	/* Two devices of its own are no two ways yet. */
	for (uint16_t i = 0; i < 2; i++) {
		device.s6_addr[15] = i;
		path_learn(&play.table, play.survey.map, 1000 + i, 0, &device);
	}
	assert_true(survey_is_blind(&play.survey));
	run(&play);
	assert_false(survey_is_blind(&play.survey));
	begin_survey(&play, 0xc0a80102);
	assert_true(survey_is_blind(&play.survey));
	path_table_done(&play.table);
	explore(&play, &one, 1);
	assert_false(survey_is_blind(&play.survey));
	path_table_done(&play.table);
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
		cmocka_unit_test(rationed_answers_make_a_partial_map),
		cmocka_unit_test(nothing_answers),
		cmocka_unit_test(an_even_number_of_routers_may_hide_the_ways),
		cmocka_unit_test(four_probes_reach_the_peer_at_most),
		cmocka_unit_test(ways_are_told_apart_before_it_is_known_how_far_it_is),
		cmocka_unit_test(what_seems_to_be_all_is_looked_at_again),
		cmocka_unit_test(what_the_map_has_no_room_for_is_not_looked_for),
		cmocka_unit_test(the_ways_of_subflows_are_found),
		cmocka_unit_test(a_change_of_routes_begins_it_anew),
		cmocka_unit_test(a_farther_host_of_the_prefix_is_walked_to),
		cmocka_unit_test(one_that_may_not_send_says_nothing_of_the_routers),
		cmocka_unit_test(each_waits_for_itself),
		cmocka_unit_test(two_ways_or_many_flows_are_no_more_blind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
