/* SPDX-License-Identifier: MIT */
/*
 * Minutes of trouble in no time at all, by lot: every path is bad, a link flaps, a thousand
 * elephants begin at once. What the plan hears is recorded, and played to another one that is
 * watched: in no trouble does anything oscillate.
 */
#include "play.h"
#include "watch.h"

#include "core/ports.h"

#include <errno.h>
#include <string.h>

#define MS     1000000ull
#define TICK   (20 * MS)
#define WAYS   4
#define PLACED 50000 /* ports that lead to the ways 0, 1, ... */
#define SEEDS  3
#define FULL   12500 /* bytes a millisecond: 100 Mbit/s */
#define START  1     /* MB: the lab's thresholds are scaled so */

/* What becomes of a join, percent; the others come up. */
struct weather {
	unsigned int mute, refused;
	/* Of each subflow in each tick, one in so many; 0 = never. */
	unsigned int timeout, reset;
	int dead; /* the way that swallows everything; -1 = none */
};

struct world {
	struct play *play;
	struct weather weather;
	uint64_t random;
	uint16_t next_port; /* of what the kernel chooses */
	uint32_t n_conns;
	uint64_t begun_ns, tick_ns;
};

static struct world world;

static uint32_t draw(uint32_t below)
{
	return (ports_random(&world.random) >> 32) * below >> 32;
}

/* The same whenever it is asked about this subflow. */
static uint32_t fate(const struct conn *conn, const struct subflow *subflow, uint32_t below)
{
	uint64_t seed = ((uint64_t)conn->key.token << 32 | subflow->serial) + 1;

	ports_random(&seed);
	return (ports_random(&seed) >> 32) * below >> 32;
}

static struct rate_sample sample_of(const struct conn *conn, const struct subflow *subflow)
{
	uint64_t us = (world.play->now_ns - world.begun_ns) / 1000;

	/* Some are half as fast as others. */
	return (struct rate_sample){
		.bytes_acked = us * (FULL - fate(conn, subflow, FULL * 2 / 3)) / 1000,
		.busy_us = us,
		.srtt_us = 1000,
		.least_us = 1000};
}

static void answer_pace(struct play *play, const struct action *action)
{
	struct conn *conn = conn_find(&play->plan.table, &action->key);
	struct subflow *subflow = conn ? conn_find_serial(conn, action->serial) : NULL;
	struct event event = {.kind = EVENT_PACED,
		.key = action->key,
		.now_ns = play->now_ns,
		.serial = action->serial,
		.error = subflow ? 0 : ENOENT};

	if (subflow)
		event.sample = sample_of(conn, subflow);
	plan_hear(&play->plan, &event);
}

/* All as by default, but for the thresholds; four ways are known. */
static int begin(void **state)
{
	struct play *play = play_new(state);
	struct path_map *map;
	struct plan *plan;

	if (!play)
		return -1;
	plan = &play->plan;
	plan->table.limit = 65536;
	plan->rule = (struct elephant_rule){.start_bytes = START * MB,
		.step_bytes = MB / 2,
		.stop_bytes = 3 * MB,
		.max_subflows = 4};
	plan->does_repair = true;
	plan->steer.mode = STEER_PATHS;
	plan->refusals.rule = (struct refusals_rule){.most = REFUSED, .hold_ns = REFUSED_NS};
	plan->in_vain.rule.hold_ns = HOLD_NS;
	plan->benefits.rule = (struct benefit_rule){.margin_percent = 10,
		.time_rtts = 20,
		.time_min_ns = SECOND_NS / 5,
		.tries = TRIES_MOST};
	plan->aparts.rule = (struct apart_rule){
		.moves = MOVES_MOST, .hold_ns = HOLD_NS, .delay_ns = SECOND_NS / 10};
	plan->lags.rule.slow_percent = 60;
	plan->lasthops.rule = (struct lasthop_rule){.is_on = true, .hold_ns = HOLD_NS};
	plan->brakes.rule.fast_bytes_per_s = 625000000;
	plan->quiets.rule.time_ns = SECOND_NS / 50;
	play->answer_pace = answer_pace;
	world = (struct world){.play = play,
		.weather.dead = -1,
		.next_port = 20000,
		.begun_ns = play->now_ns,
		.tick_ns = TICK};
	/* Those are its settings from the beginning. */
	tape_done(&play->tape);
	play->tape = (struct tape){};
	tape_begin(&play->tape, plan, "a test");
	map = play_know(play);
	map->hops = 3;
	for (uint16_t i = 0; i < PATH_PORTS_MAX && i < 64; i++)
		play_learn(play, map, PLACED + i, i % WAYS);
	map->is_changed = true;
	return 0;
}

static void hear(const struct conn_key *key, struct event event)
{
	event.key = *key;
	event.remote = play_remote();
	play_hear(world.play, event);
}

static bool is_dead(const struct subflow *subflow)
{
	return world.weather.dead >= 0 && subflow->local.port >= PLACED &&
	       (subflow->local.port - PLACED) % WAYS == world.weather.dead;
}

/* What the network and the kernel make of one subflow by now; true: the plan was told of it. */
static bool befalls(const struct conn *conn, const struct subflow *subflow)
{
	const struct weather *weather = &world.weather;
	struct conn_key key = conn->key;
	struct event event = {.local = subflow->local, .id = subflow->id, .reset_reason = -1};
	uint32_t lot = fate(conn, subflow, 100);

	if (!event.local.port)
		event.local.port = world.next_port;
	switch (subflow->state) {
	case SUBFLOW_CLOSING:
		event.kind = EVENT_SUBFLOW_CLOSED;
		break;
	case SUBFLOW_OPENING:
		if (!subflow->is_sent || lot < weather->mute || is_dead(subflow))
			return false;
		event.kind = EVENT_SUBFLOW_ESTABLISHED;
		if (lot < weather->mute + weather->refused) {
			event.kind = EVENT_SUBFLOW_CLOSED;
			event.error = ECONNRESET;
		}
		world.next_port++;
		break;
	default:
		return false;
	}
	hear(&key, event);
	return true;
}

static void settle_one(struct conn *conn)
{
	struct subflow *subflow, *next;

	for (subflow = TAILQ_FIRST(&conn->subflows); subflow; subflow = next) {
		next = TAILQ_NEXT(subflow, entry);
		if (befalls(conn, subflow))
			next = TAILQ_FIRST(&conn->subflows);
	}
}

/* At most one of a connection's subflows in a tick. */
static void strike(struct conn *conn)
{
	const struct weather *weather = &world.weather;
	struct conn_key key = conn->key;
	struct subflow *subflow;
	struct event event;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->state != SUBFLOW_ESTABLISHED)
			continue;
		event = (struct event){.local = subflow->local, .reset_reason = -1};
		if (is_dead(subflow) || (weather->timeout && !draw(weather->timeout))) {
			event.kind = EVENT_TIMEOUT;
			world.play->listen_error = is_dead(subflow) || draw(2) ? 0 : EAGAIN;
		} else if (weather->reset && !draw(weather->reset)) {
			event.kind = EVENT_SUBFLOW_CLOSED;
			event.error = ECONNRESET;
		} else {
			continue;
		}
		hear(&key, event);
		return;
	}
}

/* A survey tells of each flow that it was asked about, and of each that is there. */
static void survey(struct conn *conn)
{
	struct path_map *map = play_map(world.play);
	struct conn_key key = conn->key;

	for (unsigned int i = 0; i < map->n_ports; i++) {
		if (path_is_known(map, &map->ports[i]))
			continue;
		play_learn(world.play, map, map->ports[i].port, map->ports[i].port % WAYS);
		map->learned_ns = map->confirmed_ns = world.play->now_ns;
		map->is_changed = true;
	}
	hear(&key, (struct event){.kind = EVENT_PATHS});
}

/* So much time passes; what is measured rises and falls. */
static void pass(uint64_t ns)
{
	struct play *play = world.play;
	uint64_t end_ns = play->now_ns + ns, tick_ns;
	struct conn *conn, *next;

	while (play->now_ns < end_ns) {
		tick_ns = play->now_ns + world.tick_ns;
		while (play_step(play, tick_ns))
			;
		play->now_ns = tick_ns;
		play->sample.bytes_acked += draw(4 * FULL) * world.tick_ns / MS;
		play->sample.busy_us += world.tick_ns / 1000;
		play->sample.srtt_us = 1000;
		HASH_ITER (hh, play->plan.table.conns, conn, next) {
			if (conn->is_steering)
				survey(conn);
			settle_one(conn);
			strike(conn);
		}
	}
}

static struct conn_key open_one(void)
{
	struct conn_key key = {.netns = 1, .token = 100 + world.n_conns};
	struct event event = {.local = play_local(1024 + world.n_conns++)};

	event.kind = EVENT_CREATED;
	hear(&key, event);
	event.kind = EVENT_ESTABLISHED;
	hear(&key, event);
	return key;
}

static void ask_for(const struct conn_key *key, uint32_t adds)
{
	hear(key, (struct event){.kind = EVENT_INTENT, .generation = 1, .adds = adds});
}

static void grow(const struct conn_key *key, unsigned int number)
{
	uint64_t bytes = START * MB + number * MB / 2;

	hear(key, (struct event){.kind = EVENT_THRESHOLD, .threshold = bytes, .bytes = bytes});
}

/* An elephant, one whose application asks for three, and one that is both. */
static void open_three(void)
{
	struct conn_key key;

	for (int i = 0; i < 3; i++) {
		key = open_one();
		if (i)
			ask_for(&key, i == 1 ? 3 : 1);
		for (unsigned int number = 0; i != 1 && number < 4; number++) {
			pass(TICK);
			grow(&key, number);
		}
	}
}

/* Another plan is told the same, and watched. Then the play begins anew. */
static struct watch *watch_all(void)
{
	struct text *text = &world.play->tape.text;
	struct watch *watch = watch_new();
	FILE *file = fmemopen(text->bytes, text->length, "r");

	assert_false(text->is_cut);
	assert_non_null(file);
	if (watch_play(watch, file))
		fail_msg("%s", watch->replay.error);
	fclose(file);
	if (*watch->wrong)
		fail_msg("%s", watch->wrong);
	return watch;
}

static void check_bad_weather(uint64_t seed)
{
	const struct plan_counters *counters;
	struct watch *watch;

	world.random = seed;
	world.weather = (struct weather){.mute = 20,
		.refused = draw(3) * 10,
		.timeout = 5 + draw(50),
		.reset = 500,
		.dead = -1};
	open_three();
	pass(60 * SECOND_NS);
	watch = watch_all();
	counters = &watch->replay.feed.plan.counters;
	assert_in_range(counters->repairs, 30, 3 * 7 * REPAIR_MOST);
	assert_true(counters->repairs_denied > 0 && counters->false_alarms > 0);
	watch_free(watch);
}

static void where_every_path_is_bad(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		if (seed > 1)
			assert_int_equal(begin(state), 0);
		check_bad_weather(seed);
		if (seed < SEEDS)
			assert_int_equal(play_end(state), 0);
	}
}

/* Once it lies still nothing more happens than that its way is taken again. */
static void check_flapping(uint64_t seed)
{
	unsigned int before, number = 0;
	struct watch *watch;

	world.random = seed;
	open_three();
	for (; number < 60; number++) {
		world.weather.dead = number % 2 ? -1 : (int)(number / 2 % (1 + seed % WAYS));
		pass((1 + draw(80)) * TICK);
	}
	world.weather.dead = -1;
	assert_true(world.play->plan.counters.repairs > 0);
	pass(60 * SECOND_NS);
	before = world.play->creates;
	pass(30 * SECOND_NS);
	assert_in_range(world.play->creates - before, 0, 3 * MOVES_MOST);
	watch = watch_all();
	watch_free(watch);
}

static void where_a_link_flaps(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		if (seed > 1)
			assert_int_equal(begin(state), 0);
		check_flapping(seed);
		if (seed < SEEDS)
			assert_int_equal(play_end(state), 0);
	}
}

#define CROWD 1000

/* Each passes its thresholds while all others do, and fall silent now and then. */
static void a_thousand_elephants_at_once(void **state)
{
	struct play *play = *state;
	struct conn_key keys[CROWD];
	struct watch *watch;
	unsigned int paces;

	world.random = 1;
	world.weather.timeout = 2000;
	world.tick_ns = SECOND_NS / 5;
	for (int i = 0; i < CROWD; i++)
		keys[i] = open_one();
	for (unsigned int number = 0; number < 4; number++) {
		for (int i = 0; i < CROWD; i++) {
			play->now_ns += 1 + draw(MS);
			grow(&keys[i], number);
		}
		pass(SECOND_NS);
	}
	paces = play->paces;
	pass(4 * SECOND_NS);
	/* core/lag: so many questions a second, of whomever. */
	assert_in_range(play->paces - paces, 100, 4 * 400 + CROWD * 4);
	watch = watch_all();
	assert_int_equal(watch->n_ones, CROWD);
	watch_free(watch);
	/* Each has three at most, and what is replaced or moved. */
	assert_in_range(play->creates, CROWD,
		CROWD * (3 + MOVES_MOST) + play->plan.counters.repairs +
			play->plan.benefits.counters.replaced);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(where_every_path_is_bad),
		TEST(where_a_link_flaps),
		TEST(a_thousand_elephants_at_once),
	};

	return cmocka_run_group_tests_name("troubles", tests, NULL, NULL);
}
