/* SPDX-License-Identifier: MIT */
/*
 * Routes change while an elephant runs: what fails, and what lags though nothing known explains it,
 * has its paths asked again, and so has what runs for long. Who has no trouble asks nothing.
 */
#include "pipes.h"

#define SHUN_MS  10000
#define DELAY_MS 100
#define AGE_MS   600000

static bool is_doubted(struct play *play, uint16_t port)
{
	struct path_map *map = play_map(play);
	const struct path_port *known = path_port_find(map, port);

	return known->is_sought && path_is_known(map, known);
}

/* The survey has confirmed the map. */
static void confirm(struct play *play)
{
	struct path_map *map = play_map(play);

	for (unsigned int i = 0; i < map->n_ports; i++)
		map->ports[i].is_sought = false;
	map->confirmed_ns = play->now_ns;
	map->is_changed = true;
	play_hear(play, (struct event){.kind = EVENT_PATHS});
}

/* The same, and it is all that it has to do. */
static void pass(struct play *play, uint64_t ms)
{
	unsigned int surveys = play->surveys;

	for (uint64_t end_ns = play->now_ns + ms * MS; play->now_ns < end_ns;) {
		pipes_pass(play, 100);
		if (play->surveys > surveys)
			confirm(play);
		surveys = play->surveys;
	}
}

static void after_a_repair_those_of_the_others_are_asked_again(void **state)
{
	struct play *play = *state;

	play->plan.does_repair = true;
	pipes_spread(play, WAYS);
	pipes_pass(play, 1000);
	play_fell_silent(play, PLACED + 3);
	play_left(play, PLACED + 3);
	play_joined(play, play->create.local.port);
	assert_int_equal(play->plan.counters.repairs, 1);
	/* Not before the routes have had the time to change. */
	pipes_pass(play, SHUN_MS - 1);
	assert_int_equal(play->surveys, 0);
	pipes_pass(play, DELAY_MS + 2);
	assert_int_equal(play->surveys, 1);
	assert_int_equal(play->survey.local.port, 0);
	assert_true(is_doubted(play, LOCAL_PORT));
	assert_true(is_doubted(play, PLACED + 1));
	assert_true(is_doubted(play, PLACED + 2));
	assert_true(is_doubted(play, play->create.local.port));
	/* Neither those that nobody takes, nor more than once. */
	assert_false(is_doubted(play, PLACED + 7));
	confirm(play);
	pass(play, AGE_MS - 20000);
	assert_int_equal(play->surveys, 1);
	assert_int_equal(play->destroys, 1);
}

/* While paths fail it waits for the end of that. */
static void many_repairs_ask_once(void **state)
{
	struct play *play = *state;

	play->plan.does_repair = true;
	pipes_spread(play, WAYS);
	for (unsigned int i = 0; i < 4; i++) {
		pipes_pass(play, 2000);
		play_fell_silent(play, play->create.local.port);
		play_left(play, play->destroy.local.port);
		play_joined(play, play->create.local.port);
	}
	assert_int_equal(play->plan.counters.repairs, 4);
	pipes_pass(play, SHUN_MS - 1);
	assert_int_equal(play->surveys, 0);
	pass(play, 60000);
	assert_int_equal(play->surveys, 1);
}

/* Two each are on the first two ways, and two are free. */
static void rehash(struct play *play)
{
	static const uint16_t ports[] = {LOCAL_PORT, PLACED + 1, PLACED + 2, PLACED + 3};
	struct path_map *map = play_map(play);

	path_map_renew(map);
	map->state = PATH_ASKING;
	map->depth = 2;
	play_learn(play, map, LOCAL_PORT, 1);
	play_hear(play, (struct event){.kind = EVENT_PATHS});
	pipes_pass(play, 500);
	/* Where the others are now is not known yet. */
	assert_int_equal(play->creates, 3);
	for (uint16_t i = 0; i < 4; i++)
		play_learn(play, map, ports[i], (i + 1) % 2);
	for (uint16_t i = 0; i < 4; i++)
		play_learn(play, map, PLACED + 100 + i, i);
	for (unsigned int i = 0; i < map->n_ports; i++)
		map->ports[i].is_sought = false;
	map->state = PATH_KNOWN;
	map->is_thorough = true;
	map->learned_ns = map->confirmed_ns = play->now_ns;
	play_hear(play, (struct event){.kind = EVENT_PATHS});
}

/* The map says that all have one of their own. */
static void who_lags_is_moved_when_its_path_is_known_again(void **state)
{
	struct play *play = *state;

	pipes_spread(play, 4);
	pipes_pass(play, 1000);
	pipe_of(LOCAL_PORT)->rate = pipe_of(PLACED + 2)->rate = FULL / 2;
	pipes_pass(play, 600);
	assert_int_equal(play->plan.aparts.counters.slow, 1);
	assert_int_equal(play->plan.aparts.counters.stuck, 1);
	assert_int_equal(play->surveys, 1);
	rehash(play);
	pipes_pass(play, 1000);
	/* One after the other. */
	assert_int_equal(play->plan.aparts.counters.moved, 2);
	assert_in_range(play->create.local.port, PLACED + 102, PLACED + 103);
	assert_int_equal(play->surveys, 1);
}

/* Once it has moved; and where it stays, ever more seldom. */
static void somebody_elses_elephant_costs_few_questions(void **state)
{
	struct play *play = *state;

	pipes_spread(play, 4);
	pipe_of(PLACED + 2)->rate = FULL / 2;
	pass(play, 20000);
	assert_in_range(play->surveys, 1, 2);
	pass(play, AGE_MS - 30000);
	assert_in_range(play->plan.aparts.counters.slow, 40, 60);
	assert_in_range(play->surveys, 6, 11);
	assert_int_equal(play->creates, 3);
}

static void a_move_is_followed_by_a_question(void **state)
{
	struct play *play = *state;

	pipes_spread(play, WAYS);
	pipes_pass(play, 1000);
	pipe_of(PLACED + 2)->rate = FULL / 2;
	pipes_pass(play, 1000);
	assert_int_equal(play->plan.aparts.counters.moved, 1);
	assert_int_equal(play->surveys, 1);
	assert_true(is_doubted(play, play->create.local.port));
}

/* It may be asked by others meanwhile; and a map that is soon old is so for who opens subflows. */
static void who_runs_for_long_has_all_asked_anew(void **state)
{
	struct play *play = *state;
	struct path_map *map;

	pipes_spread(play, WAYS);
	map = play_map(play);
	map->is_partial = true;
	map->is_changed = true;
	pipes_pass(play, AGE_MS - 1);
	assert_int_equal(play->surveys, 0);
	assert_int_equal(map->state, PATH_KNOWN);
	pipes_pass(play, 1000);
	assert_int_equal(play->surveys, 1);
	assert_int_equal(map->state, PATH_UNKNOWN);
	assert_true(path_is_sought(map, path_port_find(map, PLACED + 3)));
	assert_int_equal(play->creates, 3);
}

static void who_is_idle_asks_nothing(void **state)
{
	struct play *play = *state;

	pipes_spread(play, WAYS);
	pipes_pass(play, 1000);
	pipe_of(LOCAL_PORT)->rate = 0;
	for (uint16_t way = 1; way < 4; way++)
		pipe_of(PLACED + way)->rate = 0;
	pipes_pass(play, 24 * 3600000);
	assert_int_equal(play->surveys, 0);
}

static void where_nothing_is_moved_nothing_is_asked(void **state)
{
	struct play *play = *state;

	play->plan.does_repair = true;
	play->plan.aparts.rule.moves = 0;
	pipes_spread(play, WAYS);
	play_fell_silent(play, PLACED + 3);
	play_left(play, PLACED + 3);
	play_joined(play, play->create.local.port);
	pipes_pass(play, 2 * AGE_MS);
	assert_int_equal(play->surveys, 0);
}

#define WITH_PLAY(test) cmocka_unit_test_setup_teardown(test, pipes_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLAY(after_a_repair_those_of_the_others_are_asked_again),
		WITH_PLAY(many_repairs_ask_once),
		WITH_PLAY(who_lags_is_moved_when_its_path_is_known_again),
		WITH_PLAY(somebody_elses_elephant_costs_few_questions),
		WITH_PLAY(a_move_is_followed_by_a_question),
		WITH_PLAY(who_runs_for_long_has_all_asked_anew),
		WITH_PLAY(who_is_idle_asks_nothing),
		WITH_PLAY(where_nothing_is_moved_nothing_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
