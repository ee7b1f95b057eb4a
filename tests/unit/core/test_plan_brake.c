/* SPDX-License-Identifier: MIT */
/* A fast connection that no path holds back waits for its subflows until one does. */
#include "play.h"

#include <stdlib.h>
#include <string.h>

#define MS     1000000ull
#define SECOND (1000 * MS)
#define FAST   625000000ull /* 5 Gbit/s */
#define QUEUE  (1 << 20)

/* Its first subflow has carried 100 MB at twice the rate that counts as fast. */
static int begin(void **state)
{
	struct play *play = play_new(state);

	if (!play)
		return -1;
	play->plan.brakes.rule.fast_bytes_per_s = FAST;
	play->sample.own_acked = 100 * MB;
	play->sample.busy_us = 80000;
	return 0;
}

/* So much later it has carried as much on, busy all the time. */
static void pass(struct play *play, uint64_t ms)
{
	play->now_ns += ms * MS;
	play->sample.busy_us += ms * 1000;
	play->sample.own_acked += ms * FAST / 1000 * 2;
	plan_tick(&play->plan, play->now_ns);
	play_act(play);
}

/* What is seen once is looked at twice more. */
static void confirm(struct play *play)
{
	pass(play, 20);
	pass(play, 20);
}

static void assert_held(const struct play *play, unsigned int measures)
{
	assert_int_equal(play->creates, 0);
	assert_int_equal(play->measures, measures);
	assert_int_equal(play->plan.brakes.held, 1);
}

static void who_has_more_to_send_than_its_path_takes_is_split(void **state)
{
	struct play *play = *state;

	play->sample.unsent = QUEUE;
	play_connect(play);
	play_threshold(play, 100);
	pass(play, 20);
	pass(play, 19);
	assert_int_equal(play->measures, 2);
	assert_int_equal(play->creates, 0);
	pass(play, 1);
	assert_int_equal(play->measures, 3);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->plan.brakes.held, 0);
	assert_null(brake_text(play_conn(play)));
}

/* Something waits for a moment, then nothing does. */
static void one_burst_is_no_path(void **state)
{
	struct play *play = *state;

	play->sample.unsent = QUEUE;
	play_connect(play);
	play_threshold(play, 100);
	pass(play, 20);
	play->sample.unsent = 0;
	/* It asks for another one meanwhile, which waits as well. */
	play_threshold(play, 150);
	pass(play, 20);
	assert_held(play, 3);
	assert_string_equal(brake_text(play_conn(play)), "its sender has no more to send");
	assert_non_null(strstr(play_conn(play)->why, "at 10.0 Gbit/s"));
	/* The series begins anew. */
	play->sample.unsent = QUEUE;
	pass(play, 1000);
	pass(play, 20);
	assert_held(play, 5);
	pass(play, 20);
	assert_int_equal(play->creates, 2);
}

static void nor_does_a_slow_one_wait(void **state)
{
	struct play *play = *state;

	play->sample.busy_us = 161000;
	play_connect(play);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->plan.brakes.held, 0);
}

static void a_fast_one_with_nothing_waiting_gets_none(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->plan.news.is_wanted = true;
	play_threshold(play, 100);
	assert_held(play, 1);
	assert_string_equal(brake_text(play_conn(play)), "its sender has no more to send");
	assert_non_null(strstr(play_conn(play)->why, "at 10.0 Gbit/s"));
	assert_int_equal(play->plan.news.list[play->plan.news.count - 1].kind, NEWS_HELD);
	/* The next thresholds wait with it, and ask nothing. */
	play_threshold(play, 150);
	play_threshold(play, 200);
	assert_held(play, 1);
	play_assert_subflows(play, 1, 0, 3);
	assert_non_null(strstr(play_conn(play)->why, "no path holds it back"));
	play_threshold(play, 250);
	assert_string_equal(
		play_conn(play)->why, "no more at 250 MB: its sender has no more to send (1 of 4)");
}

static void nor_does_one_whose_peer_takes_no_more(void **state)
{
	struct play *play = *state;

	play->sample.unsent = QUEUE;
	play->sample.held_us = 40000;
	play_connect(play);
	play_threshold(play, 100);
	assert_held(play, 1);
	assert_string_equal(brake_text(play_conn(play)), "its peer takes no more");
	/* What it had to wait before is over. Until that is sure, it is told why it waits. */
	pass(play, 1000);
	assert_held(play, 2);
	assert_string_equal(brake_text(play_conn(play)), "its peer takes no more");
	confirm(play);
	assert_int_equal(play->creates, 1);
}

static void it_is_looked_at_less_and_less_often(void **state)
{
	static const uint64_t waits_s[] = {1, 2, 4, 8, 16, 32, 32, 32};
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	for (unsigned int i = 0; i < sizeof(waits_s) / sizeof(*waits_s); i++) {
		pass(play, waits_s[i] * 1000 - 1);
		assert_held(play, i + 1);
		pass(play, 1);
		assert_held(play, i + 2);
	}
}

/* As by a reload. */
static void what_waits_does_not_outlive_its_rule(void **state)
{
	struct rule *rule = calloc(1, sizeof(*rule));
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	play_threshold(play, 150);
	play_assert_subflows(play, 1, 0, 2);
	*rule = (struct rule){.name = "small", .is_never = true};
	rules_set(&play->plan, rule, 1);
	play_hear(play, (struct event){.kind = EVENT_OWNER});
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play_conn(play)->n_passed, 0);
	play->sample.unsent = QUEUE;
	pass(play, 1000);
	confirm(play);
	assert_int_equal(play->creates, 0);
}

static void when_a_path_holds_it_back_it_gets_all_that_it_is_due(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	play_threshold(play, 150);
	play->sample.unsent = QUEUE;
	assert_held(play, 1);
	pass(play, 1000);
	confirm(play);
	assert_int_equal(play->measures, 4);
	assert_int_equal(play->creates, 2);
	assert_null(brake_text(play_conn(play)));
	assert_string_equal(
		play_conn(play)->why, "a path holds it back by now: it gets what it is due");
	/* What was found holds for a moment; then it is asked again. */
	play->now_ns += 500 * MS;
	play_threshold(play, 200);
	assert_int_equal(play->measures, 4);
	assert_int_equal(play->creates, 3);
}

static void a_slow_path_is_one_as_well(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	play->now_ns += SECOND;
	play->sample.busy_us += 1000000;
	play->sample.own_acked += 100000;
	play->sample.unsent = QUEUE;
	plan_tick(&play->plan, play->now_ns);
	play_act(play);
	confirm(play);
	assert_int_equal(play->creates, 1);
}

static void one_that_pauses_waits_on(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	play->now_ns += SECOND;
	plan_tick(&play->plan, play->now_ns);
	play_act(play);
	assert_held(play, 2);
}

static void without_an_answer_it_is_split(void **state)
{
	struct play *play = *state;

	play->measure_error = 2;
	play_connect(play);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 1);
	play_joined(play, LOCAL_PORT + 1);
	play->is_measure_lost = true;
	pass(play, 2000);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 1);
	pass(play, 1000);
	assert_int_equal(play->creates, 2);
}

static void what_its_application_asks_for_does_not_wait(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	play_intent(play, 2, 0);
	assert_int_equal(play->creates, 2);
	play_assert_subflows(play, 1, 2, 1);
}

static void nor_does_what_it_announces(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_hear(play,
		(struct event){.kind = EVENT_INTENT, .generation = 1, .expected_bytes = 150 * MB});
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->measures, 0);
}

static void another_subflow_begins_to_count_anew(void **state)
{
	struct play *play = *state;

	play->sample.unsent = QUEUE;
	play->sample.held_us = 60000;
	play_connect_with(play, 1);
	play_threshold(play, 100);
	play_left(play, LOCAL_PORT);
	play->sample.busy_us = 90000;
	play->sample.held_us = 50000;
	play->now_ns += SECOND;
	plan_tick(&play->plan, play->now_ns);
	play_act(play);
	assert_int_equal(play->measures, 2);
	assert_int_equal(play->creates, 1);
	assert_non_null(brake_text(play_conn(play)));
}

static void off_is_off(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	assert_held(play, 1);
	play->plan.brakes.rule.fast_bytes_per_s = 0;
	pass(play, 1000);
	assert_int_equal(play->creates, 1);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->measures, 1);
	assert_int_equal(plan_tick(&play->plan, 0), 0);
}

static void one_that_ends_while_it_waits_is_forgotten(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	assert_held(play, 1);
	play_closed(play);
	assert_int_equal(plan_tick(&play->plan, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_has_more_to_send_than_its_path_takes_is_split),
		TEST(one_burst_is_no_path),
		TEST(nor_does_a_slow_one_wait),
		TEST(a_fast_one_with_nothing_waiting_gets_none),
		TEST(nor_does_one_whose_peer_takes_no_more),
		TEST(it_is_looked_at_less_and_less_often),
		TEST(what_waits_does_not_outlive_its_rule),
		TEST(when_a_path_holds_it_back_it_gets_all_that_it_is_due),
		TEST(a_slow_path_is_one_as_well),
		TEST(one_that_pauses_waits_on),
		TEST(without_an_answer_it_is_split),
		TEST(what_its_application_asks_for_does_not_wait),
		TEST(nor_does_what_it_announces),
		TEST(another_subflow_begins_to_count_anew),
		TEST(off_is_off),
		TEST(one_that_ends_while_it_waits_is_forgotten),
	};

	return cmocka_run_group_tests_name("plan_brake", tests, NULL, NULL);
}
