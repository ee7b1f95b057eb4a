/* SPDX-License-Identifier: MIT */
/* Elephants return to a way that has failed once it is held no more, and to what becomes free. */
#include "herd.h"

#define SHUN_MS 10000

/* Two subflows of one elephant on two ways, of which the second one's has failed. */
static void share_what_is_left(struct play *play)
{
	struct path_map *map = herd_know(play, 2);

	play->plan.does_repair = true;
	for (uint16_t port = 2; port < 8; port++)
		play_learn(play, map, PLACED + port, port % 2);
	herd_open(play, LOCAL_PORT);
	herd_grow(play, LOCAL_PORT);
	assert_int_equal(herd_load(map, 1), 1);
	play_fell_silent(play, play->create.local.port);
	herd_hear(play, LOCAL_PORT, EVENT_SUBFLOW_CLOSED, play->destroy.local.port);
	herd_hear(play, LOCAL_PORT, EVENT_SUBFLOW_ESTABLISHED, play->create.local.port);
	assert_int_equal(herd_load(map, 0), 2);
	assert_int_equal(play->creates, 2);
}

/* Though nothing else has happened. */
static void a_way_that_has_failed_is_taken_again_after_a_while(void **state)
{
	struct play *play = *state;

	share_what_is_left(play);
	herd_pass(play, SHUN_MS - 1);
	assert_true(play_conn(play)->apart.is_waiting);
	assert_int_equal(play->creates, 2);
	herd_pass(play, DELAY_MS + 2);
	assert_int_equal(play->creates, 3);
	assert_int_equal((play->create.local.port - PLACED) % 2, 1);
	herd_hear(play, LOCAL_PORT, EVENT_SUBFLOW_ESTABLISHED, play->create.local.port);
	herd_pass(play, PROOF_MS);
	assert_int_equal(play->plan.aparts.counters.moved, 1);
	herd_pass(play, 2 * HOLD_MS);
	assert_int_equal(play->creates, 3);
}

/* What becomes free meanwhile is not missed for it. */
static void another_one_that_becomes_free_is_taken_at_once(void **state)
{
	struct play *play = *state;
	struct path_map *map;

	share_what_is_left(play);
	herd_pass(play, SHUN_MS / 2);
	map = play_know(play);
	play_learn(play, map, PLACED + 100, 2);
	play_hear(play, (struct event){.kind = EVENT_PATHS});
	herd_pass(play, DELAY_MS + 1);
	assert_int_equal(play->creates, 3);
	assert_int_equal(play->create.local.port, PLACED + 100);
}

/* It is tried as often as others may be, and that is all. */
static void a_way_that_stays_dead_is_left_alone(void **state)
{
	struct play *play = *state;

	share_what_is_left(play);
	herd_pass(play, HOLD_MS);
	assert_int_equal(play->creates, 2 + 2);
	assert_int_equal(play->plan.aparts.counters.failed, 2);
	play_assert_subflows(play, 2, 0, 0);
}

#define WITH_PLAY(test) cmocka_unit_test_setup_teardown(test, herd_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLAY(a_way_that_has_failed_is_taken_again_after_a_while),
		WITH_PLAY(another_one_that_becomes_free_is_taken_at_once),
		WITH_PLAY(a_way_that_stays_dead_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
