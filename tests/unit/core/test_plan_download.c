/* SPDX-License-Identifier: MIT */
/* A subflow of a download that brings nothing any more is replaced. */
#include "pipes.h"

/* Four subflows that bring 100 Mbit/s each, as do those that replace them. */
static void download(struct play *play, uint16_t ways)
{
	play->plan.does_repair = true;
	for (uint16_t way = 1; way < ways; way++)
		pipe_of(PLACED + way)->is_received = true;
	pipe_of(LOCAL_PORT)->is_received = true;
	pipe_sample(LOCAL_PORT)->bytes_received = 100 * MB;
	pipes_spread(play, ways);
	pipes_pass(play, 1050);
}

static unsigned int count_shunned(struct play *play)
{
	const struct path_map *map = play_map(play);
	unsigned int count = 0;

	for (uint32_t i = 0; i < map->n_routers; i++)
		count += map->routers[i]->shunned_until_ns > play->now_ns;
	return count;
}

static void one_of_a_download_that_falls_silent_is_replaced(void **state)
{
	struct play *play = *state;

	download(play, WAYS);
	pipe_of(PLACED + 2)->rate = 0;
	pipes_pass(play, 390);
	assert_int_equal(play->destroys, 0);
	pipes_pass(play, 250);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, PLACED + 2);
	assert_string_equal(play_conn(play)->why, "the path of 10.0.0.1:50002 is silent: replaced");
	assert_int_equal(play->plan.counters.repairs, 1);
	assert_int_equal(play->creates, 4);
	assert_in_range(play->create.local.port, PLACED + 4, PLACED + WAYS - 1);
	play_assert_subflows(play, 4, 0, 0);
	assert_int_equal(count_shunned(play), 1);
	pipes_pass(play, HOLD_MS);
	assert_int_equal(play->creates, 4);
}

static void what_its_siblings_do_without_it_is_seen_after_a_pause(void **state)
{
	struct play *play = *state;

	download(play, WAYS);
	/* All wait until the sender has sent again what it swallowed. */
	for (uint16_t port = PLACED + 1; port < PLACED + 4; port++)
		pipe_of(port)->rate = 0;
	pipe_of(LOCAL_PORT)->rate = 0;
	pipes_pass(play, 300);
	for (uint16_t port = PLACED + 1; port < PLACED + 4; port++)
		pipe_of(port)->rate = port == PLACED + 2 ? 0 : FULL * 9 / 10;
	pipe_of(LOCAL_PORT)->rate = FULL;
	pipes_pass(play, 2000);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, PLACED + 2);
}

static void a_sender_that_has_less_leaves_one_out(void **state)
{
	struct play *play = *state;

	download(play, WAYS);
	pipe_of(PLACED + 2)->rate = 0;
	for (uint16_t port = PLACED + 1; port < PLACED + 4; port += 2)
		pipe_of(port)->rate = FULL * 7 / 10;
	pipe_of(LOCAL_PORT)->rate = FULL * 7 / 10;
	pipes_pass(play, HOLD_MS);
	assert_int_equal(play->destroys, 0);
}

/* More and more of it finds room elsewhere. */
static void so_does_one_that_needs_it_less_and_less(void **state)
{
	struct play *play = *state;

	play->plan.lags.rule.slow_percent = 0;
	download(play, WAYS);
	pipe_of(PLACED + 2)->rate = FULL / 8;
	pipes_pass(play, 300);
	pipe_of(PLACED + 2)->rate = 0;
	pipes_pass(play, HOLD_MS);
	assert_int_equal(play->destroys, 0);
}

static void one_that_never_brought_its_share_need_not_now(void **state)
{
	struct play *play = *state;

	pipe_of(PLACED + 2)->rate = 0;
	download(play, WAYS);
	pipes_pass(play, HOLD_MS);
	assert_int_equal(play->destroys, 0);
}

/* What all of them share has failed, or the sender rests. */
static void several_that_are_silent_together_stay(void **state)
{
	struct play *play = *state;

	download(play, WAYS);
	pipe_of(PLACED + 1)->rate = pipe_of(PLACED + 2)->rate = 0;
	pipe_of(PLACED + 3)->rate = pipe_of(LOCAL_PORT)->rate = 2 * FULL;
	pipes_pass(play, HOLD_MS);
	assert_int_equal(play->destroys, 0);
	pipe_of(PLACED + 3)->rate = pipe_of(LOCAL_PORT)->rate = 0;
	pipes_pass(play, HOLD_MS);
	assert_int_equal(play->destroys, 0);
}

static void a_short_silence_is_none(void **state)
{
	struct play *play = *state;

	download(play, WAYS);
	for (int i = 0; i < 10; i++) {
		pipe_of(PLACED + 2)->rate = 0;
		pipes_pass(play, 400);
		pipe_of(PLACED + 2)->rate = FULL;
		pipes_pass(play, 300);
	}
	assert_int_equal(play->destroys, 0);
}

static void where_repair_is_off_silence_is_the_kernel_s(void **state)
{
	struct play *play = *state;

	download(play, WAYS);
	play->plan.does_repair = false;
	pipe_of(PLACED + 2)->rate = 0;
	pipes_pass(play, HOLD_MS);
	assert_int_equal(play->destroys, 0);
}

static void silence_beyond_the_budget_is_left_to_the_kernel(void **state)
{
	struct play *play = *state;

	download(play, WAYS);
	play_meddle(play);
	for (int i = 0; i < REPAIR_MOST; i++)
		assert_true(repair_allow(&play->plan, play_conn(play), play->now_ns));
	pipe_of(PLACED + 2)->rate = 0;
	pipes_pass(play, 2000);
	assert_int_equal(play->destroys, 0);
	assert_in_range(play->plan.counters.repairs_denied, 1, 4);
	pipes_pass(play, REPAIR_WINDOW_NS / MS);
	assert_int_equal(play->destroys, 1);
}

/* For repair it need not be known where other ways are, nor how fast a subflow should be. */
static void silence_is_heard_on_ways_that_nobody_knows(void **state)
{
	struct play *play = *state;

	play->plan.steer.mode = STEER_KERNEL;
	play->plan.lags.rule.slow_percent = 0;
	play->plan.does_repair = true;
	pipe_of(LOCAL_PORT)->is_received = pipe_of(LOCAL_PORT + 1)->is_received = true;
	pipe_sample(LOCAL_PORT)->bytes_received = 100 * MB;
	play_connect(play);
	play_threshold(play, 100);
	play_joined(play, LOCAL_PORT + 1);
	pipes_pass(play, 1000);
	pipe_of(LOCAL_PORT + 1)->rate = 0;
	pipes_pass(play, 690);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 1);
	assert_int_equal(play->creates, 2);
}

/* Its own timer tells of each. */
static void an_upload_on_ways_that_nobody_knows_is_not_asked(void **state)
{
	struct play *play = *state;

	play->plan.steer.mode = STEER_KERNEL;
	play->plan.does_repair = true;
	play_connect(play);
	play_threshold(play, 100);
	play_joined(play, LOCAL_PORT + 1);
	pipes_pass(play, HOLD_MS);
	assert_in_range(play->paces, 1, 4);
}

/* That no free way is known for a slow one is no reason not to listen. */
static void silence_is_heard_while_a_slow_one_rests(void **state)
{
	struct play *play = *state;

	download(play, 4);
	pipe_of(PLACED + 3)->rate = FULL / 2;
	pipes_pass(play, 1000);
	assert_int_equal(play->plan.aparts.counters.stuck, 1);
	pipe_of(PLACED + 2)->rate = 0;
	pipes_pass(play, 1000);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, PLACED + 2);
	assert_int_equal(play->plan.aparts.counters.stuck, 1);
}

#define WITH_PLAY(test) cmocka_unit_test_setup_teardown(test, pipes_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLAY(one_of_a_download_that_falls_silent_is_replaced),
		WITH_PLAY(what_its_siblings_do_without_it_is_seen_after_a_pause),
		WITH_PLAY(a_sender_that_has_less_leaves_one_out),
		WITH_PLAY(so_does_one_that_needs_it_less_and_less),
		WITH_PLAY(one_that_never_brought_its_share_need_not_now),
		WITH_PLAY(several_that_are_silent_together_stay),
		WITH_PLAY(a_short_silence_is_none),
		WITH_PLAY(where_repair_is_off_silence_is_the_kernel_s),
		WITH_PLAY(silence_beyond_the_budget_is_left_to_the_kernel),
		WITH_PLAY(silence_is_heard_on_ways_that_nobody_knows),
		WITH_PLAY(an_upload_on_ways_that_nobody_knows_is_not_asked),
		WITH_PLAY(silence_is_heard_while_a_slow_one_rests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
