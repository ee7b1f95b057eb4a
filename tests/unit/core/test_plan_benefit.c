/* SPDX-License-Identifier: MIT */
/* A subflow that does not help: replaced, taken back, its destination left alone. */
#include "trial.h"

#include <errno.h>
#include <string.h>

static void one_that_helps_stays(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 0);
	trial_pass(play, WINDOW_MS - 1, 100);
	assert_int_equal(play->creates, 0);
	trial_pass(play, 1, 100);
	assert_int_equal(play->creates, 1);
	play_joined(play, LOCAL_PORT + 1);
	trial_pass(play, WINDOW_MS, 180);
	assert_int_equal(play->measures, 3);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(trial_counters(play)->helped, 1);
	assert_string_equal(play_conn(play)->why,
		"the subflow from 10.0.0.1:40001 helps: 100.0 Mbit/s before, 180.0 with it");
	play_assert_subflows(play, 2, 0, 0);
	assert_false(play_wait(play));
}

static void one_that_does_not_is_replaced(void **state)
{
	struct play *play = *state;

	trial_second(play);
	trial_pass(play, WINDOW_MS, 105);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 1);
	/* The rate without it is known: the next one need not wait. */
	assert_int_equal(play->creates, 2);
	assert_int_equal(trial_counters(play)->replaced, 1);
	trial_replaced(play, LOCAL_PORT + 2, 190);
	assert_int_equal(trial_counters(play)->helped, 1);
	assert_int_equal(play->destroys, 1);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play_conn(play)->n_passed, 1);
	assert_int_equal(play_conn(play)->passed[0].subflows, 2);
	/* Nobody asked for it to go: the application's account stands. */
	play_assert_receipt(play, 0, 0);
}

static void a_few_times_then_taken_back(void **state)
{
	struct play *play = *state;

	trial_in_vain(play);
	assert_int_equal(play->creates, 1 + TRIES);
	assert_int_equal(play->destroys, 1 + TRIES);
	assert_int_equal(trial_counters(play)->replaced, TRIES);
	assert_int_equal(trial_counters(play)->taken_back, 1);
	assert_string_equal(play_conn(play)->why,
		"the subflow from 10.0.0.1:40003 does not help, 100.0 Mbit/s before, 100.0 with "
		"it: taken back");
	play_assert_subflows(play, 1, 0, 0);
	assert_false(play_wait(play));
}

static void the_destination_is_left_alone_for_a_while(void **state)
{
	struct play *play = *state;

	trial_in_vain(play);
	trial_pass(play, 1000, 100);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 1 + TRIES);
	assert_int_equal(trial_counters(play)->left_alone, 1);
	assert_non_null(strstr(play_conn(play)->why, "10.0.0.2:80 did not help"));
	play_assert_subflows(play, 1, 0, 0);
	/* Other connections to there too. */
	play->key.token = 8;
	play_connect(play);
	play_threshold(play, 100);
	trial_pass(play, WINDOW_MS, 100);
	assert_int_equal(play->creates, 1 + TRIES);
	assert_int_equal(trial_counters(play)->left_alone, 2);
	trial_pass(play, HOLD_MS, 100);
	play_threshold(play, 150);
	trial_pass(play, WINDOW_MS, 100);
	assert_int_equal(play->creates, 2 + TRIES);
}

static void an_idle_application_proves_nothing(void **state)
{
	struct play *play = *state;

	trial_second(play);
	play->now_ns += WINDOW_MS * MS;
	plan_tick(&play->plan, play->now_ns);
	play_act(play);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(trial_counters(play)->unjudged, 1);
	play_assert_subflows(play, 2, 0, 0);
}

static void a_slow_application_proves_nothing(void **state)
{
	struct play *play = *state;

	trial_second(play);
	play->sample.busy_us -= WINDOW_MS * 1000 / 2;
	play->sample.queued = 0;
	trial_pass(play, WINDOW_MS, 100);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(trial_counters(play)->unjudged, 1);
}

static void answers_that_fail_are_no_verdict(void **state)
{
	struct play *play = *state;

	play->measure_error = ENOENT;
	play_connect(play);
	play_threshold(play, 100);
	trial_pass(play, 0, 100);
	assert_int_equal(play->creates, 1);
	play_joined(play, LOCAL_PORT + 1);
	trial_pass(play, 0, 100);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(trial_counters(play)->unjudged, 1);
	assert_false(play_wait(play));
}

static void answers_that_do_not_come_are_none_either(void **state)
{
	struct play *play = *state;

	play->is_measure_lost = true;
	play_connect(play);
	play_threshold(play, 100);
	assert_true(play_wait(play));
	assert_int_equal(play->creates, 1);
	play_joined(play, LOCAL_PORT + 1);
	assert_true(play_wait(play));
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(trial_counters(play)->unjudged, 1);
	assert_false(play_wait(play));
}

static void the_last_answer_may_be_missing_too(void **state)
{
	struct play *play = *state;

	trial_second(play);
	play->is_measure_lost = true;
	trial_pass(play, WINDOW_MS, 100);
	assert_true(play_wait(play));
	assert_int_equal(trial_counters(play)->unjudged, 1);
	play_assert_subflows(play, 2, 0, 0);
}

static void long_round_trips_take_longer(void **state)
{
	struct play *play = *state;

	play->sample.srtt_us = 50000;
	play_connect(play);
	play_threshold(play, 100);
	trial_pass(play, 999, 100);
	assert_int_equal(play->creates, 0);
	trial_pass(play, 1, 100);
	assert_int_equal(play->creates, 1);
	play_joined(play, LOCAL_PORT + 1);
	trial_pass(play, 999, 100);
	assert_int_equal(play->measures, 2);
	trial_pass(play, 1, 100);
	assert_int_equal(play->measures, 3);
}

static void one_at_a_time(void **state)
{
	struct play *play = *state;

	trial_second(play);
	play_threshold(play, 150);
	play_threshold(play, 200);
	assert_int_equal(play->creates, 1);
	trial_pass(play, WINDOW_MS, 200);
	assert_int_equal(trial_counters(play)->helped, 1);
	trial_pass(play, WINDOW_MS, 200);
	assert_int_equal(play->creates, 2);
	play_joined(play, LOCAL_PORT + 2);
	trial_pass(play, WINDOW_MS, 300);
	trial_pass(play, WINDOW_MS, 300);
	assert_int_equal(play->creates, 3);
	play_joined(play, LOCAL_PORT + 3);
	play_assert_subflows(play, 4, 0, 0);
	assert_int_equal(play_conn(play)->passed[2].subflows, 4);
}

static void what_waits_is_dropped_with_the_one_taken_back(void **state)
{
	struct play *play = *state;

	trial_second(play);
	play_threshold(play, 150);
	trial_pass(play, WINDOW_MS, 100);
	trial_replaced(play, LOCAL_PORT + 2, 100);
	trial_replaced(play, LOCAL_PORT + 3, 100);
	play_left(play, LOCAL_PORT + 3);
	assert_int_equal(trial_counters(play)->taken_back, 1);
	assert_int_equal(trial_counters(play)->left_alone, 1);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play_conn(play)->n_passed, 1);
}

static void others_that_come_meanwhile_disturb(void **state)
{
	struct play *play = *state;

	trial_second(play);
	play_intent(play, 1, 0);
	play_joined(play, LOCAL_PORT + 9);
	trial_pass(play, WINDOW_MS, 100);
	assert_int_equal(trial_counters(play)->unjudged, 1);
	assert_int_equal(play->destroys, 0);
	assert_string_equal(play_conn(play)->why,
		"the subflow from 10.0.0.1:40001 stays, whether it helps is not known: others came "
		"or went meanwhile");
}

/* One that is silent is being closed, and the kernel has not said so yet. */
static void so_do_others_that_are_about_to_go(void **state)
{
	struct play *play = *state;

	play->plan.does_repair = true;
	play_connect(play);
	play_intent(play, 1, 0);
	play_joined(play, LOCAL_PORT + 9);
	play_threshold(play, 100);
	trial_pass(play, WINDOW_MS, 100);
	play_joined(play, LOCAL_PORT + 1);
	play_fell_silent(play, LOCAL_PORT + 9);
	assert_int_equal(play->destroys, 1);
	trial_pass(play, WINDOW_MS, 100);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(trial_counters(play)->unjudged, 1);
}

/* As pass(), of a download. */
static void receive(struct play *play, uint64_t ms, uint64_t mbit)
{
	play->sample.bytes_received += ms * mbit * 125;
	trial_pass(play, ms, 0);
}

/* Its reader may be slow: that of another one is not. */
static void a_download_speaks_for_itself_alone(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	receive(play, WINDOW_MS, 100);
	for (uint16_t i = 0; i <= TRIES; i++) {
		play_joined(play, LOCAL_PORT + 1 + i);
		if (i)
			receive(play, WINDOW_MS, 100);
		receive(play, WINDOW_MS, 100);
		play_left(play, LOCAL_PORT + 1 + i);
	}
	assert_int_equal(trial_counters(play)->taken_back, 1);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 1 + TRIES);
	assert_int_equal(trial_counters(play)->left_alone, 1);
	play->key.token = 8;
	play_connect(play);
	play_threshold(play, 100);
	receive(play, WINDOW_MS, 100);
	assert_int_equal(play->creates, 2 + TRIES);
	play->key.token = 7;
	receive(play, HOLD_MS, 100);
	play_threshold(play, 200);
	receive(play, WINDOW_MS, 100);
	assert_int_equal(play->creates, 3 + TRIES);
}

static void one_that_comes_before_makes_it_begin_anew(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	trial_pass(play, WINDOW_MS / 2, 100);
	play_intent(play, 1, 0);
	play_joined(play, LOCAL_PORT + 9);
	trial_pass(play, WINDOW_MS / 2, 200);
	assert_int_equal(play->creates, 1);
	trial_pass(play, WINDOW_MS / 2, 200);
	assert_int_equal(play->creates, 2);
	play_joined(play, LOCAL_PORT + 1);
	trial_pass(play, WINDOW_MS, 200);
	assert_int_equal(trial_counters(play)->replaced, 1);
}

static void one_that_goes_is_judged_no_more(void **state)
{
	struct play *play = *state;

	trial_second(play);
	play_left(play, LOCAL_PORT + 1);
	assert_false(play_wait(play));
	assert_int_equal(play->measures, 2);
	trial_second(play);
	play_closed(play);
	assert_false(play_wait(play));
}

static void a_port_in_use_is_not_measured_twice(void **state)
{
	struct play *play = *state;

	play->create_error = EAGAIN;
	play_connect(play);
	play_threshold(play, 100);
	trial_pass(play, WINDOW_MS, 100);
	assert_int_equal(play->creates, 1);
	play->create_error = 0;
	assert_true(play_wait(play));
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->measures, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, trial_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_that_helps_stays),
		TEST(one_that_does_not_is_replaced),
		TEST(a_few_times_then_taken_back),
		TEST(the_destination_is_left_alone_for_a_while),
		TEST(an_idle_application_proves_nothing),
		TEST(a_slow_application_proves_nothing),
		TEST(answers_that_fail_are_no_verdict),
		TEST(answers_that_do_not_come_are_none_either),
		TEST(the_last_answer_may_be_missing_too),
		TEST(long_round_trips_take_longer),
		TEST(one_at_a_time),
		TEST(what_waits_is_dropped_with_the_one_taken_back),
		TEST(others_that_come_meanwhile_disturb),
		TEST(so_do_others_that_are_about_to_go),
		TEST(a_download_speaks_for_itself_alone),
		TEST(one_that_comes_before_makes_it_begin_anew),
		TEST(one_that_goes_is_judged_no_more),
		TEST(a_port_in_use_is_not_measured_twice),
	};

	return cmocka_run_group_tests_name("plan_benefit", tests, NULL, NULL);
}
