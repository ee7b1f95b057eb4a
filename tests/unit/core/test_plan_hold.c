/* SPDX-License-Identifier: MIT */
/* What the last link has taken comes back: one on trial, and all when the hold ends. */
#include "hop.h"

/* Four times in an hour, and longer apart each time. */
static void it_is_tried_again_ever_more_seldom(void **state)
{
	struct play *play = *state;
	unsigned int creates;

	hop.last_us = 4000;
	hop_spread(play);
	hop_pass(play, HOLD_MS - 1000);
	assert_int_equal(play->creates, 3);
	creates = play->creates;
	hop_pass(play, 4000);
	assert_int_equal(play->creates, creates + 3);
	hop_pass(play, 2 * HOLD_MS - 8000);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play->creates, creates + 3);
	for (int minute = 0; minute < 60; minute++)
		hop_pass(play, HOLD_MS);
	assert_in_range(hop_counters(play)->taken, 3 * 5, 3 * 7);
	assert_int_equal(hop_counters(play)->given, hop_counters(play)->taken - 3);
}

static void what_was_one_too_many_comes_back_once(void **state)
{
	struct play *play = *state;

	hop_come_to_rest_at_two(play);
	assert_int_equal(hop_counters(play)->given, 1);
	hop_pass(play, HOLD_MS - 12000);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play->creates, 4);
}

/* Two take twice as much of the last link as one did, but it has not more for that. */
static void what_came_back_in_vain_goes_again(void **state)
{
	struct play *play = *state;

	hop.is_shared = true;
	hop.from = 2;
	hop.before_us = 1500;
	hop_spread(play);
	hop_pass(play, 10000);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(hop_counters(play)->given, 1);
	assert_int_equal(hop_counters(play)->taken, 4);
	hop_pass(play, HOLD_MS - 14000);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play->creates, 4);
	/* Then all of them are tried again. */
	hop_pass(play, 5000);
	assert_int_equal(play->creates, 4 + 3);
}

/* Nobody was there when it came back. */
static void what_takes_it_from_others_who_come_later_goes_again(void **state)
{
	struct play *play = *state;

	hop_come_to_rest_at_two(play);
	hop.is_shared = true;
	hop_pass(play, 6000);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(hop_counters(play)->taken, 4);
}

/* Right after some went a neighbour needs a while: then its packets wait where both meet before. */
static void one_look_brings_none_back(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	hop_spread(play);
	while (play_conn(play)->n_subflows > 1)
		hop_pass(play, 10);
	hop.last_us = 0;
	hop.before_us = 4000;
	hop_pass(play, 700);
	hop.last_us = 4000;
	hop.before_us = 0;
	hop_pass(play, 20000);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(hop_counters(play)->given, 0);
}

/* Its path carried little when it came back, and carries more now. */
static void what_one_brings_is_what_it_brings_later(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	hop_spread(play);
	hop_lose_all_but_one(play);
	hop.last_us = 0;
	hop.before_us = 4000;
	hop.percent = 20;
	hop_pass(play, 8000);
	play_assert_subflows(play, 2, 0, 0);
	hop.percent = 0;
	hop_pass(play, 6000);
	hop.before_us = 0;
	hop.last_us = 4000;
	hop.is_shared = true;
	hop_pass(play, 10000);
	play_assert_subflows(play, 1, 0, 0);
}

/* Three on paths of a third of its rate fill the last link. */
static void what_brings_as_much_as_each_of_the_others_stays(void **state)
{
	struct play *play = *state;

	hop.from = 3;
	hop.before_us = 1500;
	hop_spread(play);
	hop_pass(play, 20000);
	play_assert_subflows(play, 3, 0, 0);
	assert_int_equal(hop_counters(play)->given, 1);
	assert_int_equal(hop_counters(play)->taken, 2);
}

/* Nothing comes back any more, and more may go. */
static void after_a_trial_it_goes_down_to_one(void **state)
{
	struct play *play = *state;

	hop.is_shared = true;
	hop.from = 3;
	hop.before_us = 1500;
	hop_spread(play);
	hop_pass(play, 10000);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(hop_counters(play)->given, 1);
	hop.from = 0;
	hop.before_us = 0;
	hop.last_us = 8000;
	hop_pass(play, 10000);
	play_assert_subflows(play, 1, 0, 0);
	hop.last_us = 0;
	hop.before_us = 4000;
	hop_pass(play, 20000);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(hop_counters(play)->given, 1);
}

/* A queue that comes and goes says nothing of another limit. */
static void without_a_wait_elsewhere_none_comes_back(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	hop_spread(play);
	hop_lose_all_but_one(play);
	hop.last_us = 0;
	hop_pass(play, HOLD_MS - 4000);
	play_assert_subflows(play, 1, 0, 0);
}

/* An application asks for two while three are away: one comes back, and there are four. */
static void what_comes_back_keeps_to_the_rule(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	hop_spread(play);
	hop_lose_all_but_one(play);
	play_intent(play, 2, 0);
	hop_pass(play, HOLD_MS - 4000);
	play_assert_subflows(play, 3, 0, 0);
	hop_pass(play, 4000);
	play_assert_subflows(play, 4, 0, 0);
	assert_int_equal(hop_counters(play)->given, 1);
	hop_pass(play, 20 * HOLD_MS);
	play_assert_subflows(play, 4, 0, 0);
	assert_int_equal(hop_counters(play)->taken, 3);
}

static void the_rule_may_be_another_by_then(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	hop_spread(play);
	hop_lose_all_but_one(play);
	play->plan.rule.max_subflows = 2;
	hop.last_us = 0;
	hop_pass(play, HOLD_MS);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(hop_counters(play)->given, 1);
}

/* Of two that are left it removes one: that counts when those come back that were taken. */
static void what_an_application_has_removed_stays_away(void **state)
{
	struct play *play = *state;

	hop_come_to_rest_at_two(play);
	play_intent(play, 0, 1);
	play->plan.rule.max_subflows = 3;
	hop.from = 0;
	hop_pass(play, HOLD_MS);
	play_assert_subflows(play, 2, 0, 0);
}

#define WITH_PLAY(test) cmocka_unit_test_setup_teardown(test, hop_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLAY(it_is_tried_again_ever_more_seldom),
		WITH_PLAY(what_was_one_too_many_comes_back_once),
		WITH_PLAY(what_came_back_in_vain_goes_again),
		WITH_PLAY(what_takes_it_from_others_who_come_later_goes_again),
		WITH_PLAY(one_look_brings_none_back),
		WITH_PLAY(what_one_brings_is_what_it_brings_later),
		WITH_PLAY(what_brings_as_much_as_each_of_the_others_stays),
		WITH_PLAY(after_a_trial_it_goes_down_to_one),
		WITH_PLAY(without_a_wait_elsewhere_none_comes_back),
		WITH_PLAY(what_comes_back_keeps_to_the_rule),
		WITH_PLAY(the_rule_may_be_another_by_then),
		WITH_PLAY(what_an_application_has_removed_stays_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
