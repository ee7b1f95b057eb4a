/* SPDX-License-Identifier: MIT */
/* An elephant that the last link to its peer holds back takes no more of it than one subflow. */
#include "hop.h"

#include "core/order.h"

#include <stdlib.h>
#include <string.h>

static void of_the_last_link_one_subflow_is_left(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	hop_spread(play);
	hop_lose_all_but_one(play);
	assert_int_equal(hop_counters(play)->taken, 3);
	assert_int_equal(play->reach.ttl, 3);
	assert_non_null(strstr(play_conn(play)->why, "the last link to its peer"));
	/* It is the oldest one. */
	assert_int_equal(TAILQ_FIRST(&play_conn(play)->subflows)->local.port, LOCAL_PORT);
	/* No threshold gives it one meanwhile. */
	play_threshold(play, 250);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(hop_counters(play)->withheld, 1);
	assert_non_null(strstr(play_conn(play)->why, "is what held it back"));
}

/* It is slow, but alone on its path, and for a while nobody asks why. */
static void one_that_lags_does_not_hide_it(void **state)
{
	struct play *play = *state;

	play->plan.aparts.rule.moves = 2;
	play->plan.lags.rule.slow_percent = 60;
	play_map(play)->n_ports = 1 + 4; /* nowhere to move to */
	hop.before_us = 4000;
	hop_spread(play);
	hop.slow = 2;
	hop_pass(play, 1000);
	play_assert_subflows(play, 4, 0, 0);
	assert_true(play_conn(play)->lag.rest_ns > play->now_ns + 6000 * MS);
	hop.before_us = 0;
	hop.last_us = 4000;
	hop_pass(play, 6000);
	play_assert_subflows(play, 1, 0, 0);
}

/* They came up when there was a queue. */
static void how_long_the_way_is_siblings_tell(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	hop.young = 2;
	hop_spread(play);
	hop_lose_all_but_one(play);
}

/* Before the last router they wait as well. */
static void a_wait_elsewhere_proves_nothing(void **state)
{
	struct play *play = *state;

	hop.before_us = 4000;
	hop.last_us = 8000; /* on the way back, for all that is known */
	hop_spread(play);
	hop_keep_all(play);
	assert_int_equal(hop_counters(play)->taken, 0);
	/* So it is asked about seldom. */
	assert_in_range(play->reaches, 10, 4 * HOLD_MS / 4000 + 4);
}

/* The last link is long: it is not full for that. */
static void a_long_way_is_no_wait(void **state)
{
	struct play *play = *state;

	hop.base_us = 20000;
	hop.last_us = 500;
	hop_spread(play);
	hop_keep_all(play);
	assert_int_equal(play->reaches, 0);
}

static void no_wait_at_all_is_not_asked_about(void **state)
{
	struct play *play = *state;

	hop.last_us = 500;
	hop_spread(play);
	hop_keep_all(play);
	assert_int_equal(play->reaches, 0);
}

static void one_late_answer_in_eight_is_forgiven(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	hop.stray = 8;
	hop_spread(play);
	hop_lose_all_but_one(play);
}

static void half_of_them_late_prove_nothing(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	hop.stray = 2;
	hop_spread(play);
	hop_keep_all(play);
}

static void an_idle_application_and_a_download_prove_nothing(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	hop.is_idle = true;
	hop_spread(play);
	hop_keep_all(play);
	hop.is_idle = false;
	hop.is_received = true;
	hop_keep_all(play);
	assert_int_equal(play->reaches, 0);
}

static void a_silent_router_is_left_alone(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	hop.is_unanswered = true;
	hop_spread(play);
	hop_keep_all(play);
	assert_in_range(play->reaches, 8, 9);
}

/* With an even number of routers the last one has not been seen. */
static void without_the_last_router_nothing_is_asked(void **state)
{
	struct play *play = *state;

	play_map(play)->hops = 4;
	hop.last_us = 4000;
	hop_spread(play);
	hop_keep_all(play);
	assert_int_equal(play->reaches, 0);
}

static void what_an_application_asked_for_stays(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	hop_spread(play);
	play_intent(play, 1, 0);
	play_joined(play, play->create.local.port);
	hop_pass(play, HOLD_MS);
	play_assert_subflows(play, 5, 0, 0);
	assert_int_equal(play->reaches, 0);
}

/* Nor does it matter that another has taken the place of the one that was asked for. */
static void what_the_operator_asked_for_stays(void **state)
{
	struct play *play = *state;
	uint16_t port;
	const char *why;

	play->plan.does_repair = true;
	hop.last_us = 4000;
	hop_spread(play);
	assert_int_equal(order_add(&play->plan, play_conn(play), 1, play->now_ns, &why), 0);
	play_act(play);
	port = play->create.local.port;
	play_joined(play, port);
	play_fell_silent(play, port);
	play_left(play, port);
	play_joined(play, play->create.local.port);
	hop_pass(play, HOLD_MS);
	play_assert_subflows(play, 5, 0, 0);
	assert_int_equal(play->reaches, 0);
}

/* Nor is it measured for that while nobody else wants to know. */
static void what_is_theirs_is_not_measured(void **state)
{
	struct play *play = *state;
	uint64_t rounds;

	play->plan.aparts.rule.moves = 2;
	play->plan.lags.rule.slow_percent = 60;
	play_map(play)->n_ports = 1 + 4; /* nowhere to move to */
	hop.last_us = 4000;
	hop_spread(play);
	play_intent(play, 1, 0);
	play_joined(play, play->create.local.port);
	hop.slow = 2;
	hop_pass(play, 2000);
	assert_true(play_conn(play)->lag.rest_ns > play->now_ns + 6000 * MS);
	rounds = play->plan.lags.counters.rounds;
	hop_pass(play, 5000);
	assert_int_equal(play->plan.lags.counters.rounds, rounds);
}

/* It has removed one since, of the elephant rule's: by number it has asked for none. */
static void nor_what_it_has_paid_for(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	play_connect(play);
	play_intent(play, 1, 0);
	play_joined(play, play->create.local.port);
	for (uint64_t mb = 100; mb < 200; mb += 50) {
		play_threshold(play, mb);
		play_joined(play, play->create.local.port);
	}
	play_intent(play, 1, 1);
	hop_pass(play, HOLD_MS);
	play_assert_subflows(play, 3, 0, 0);
	assert_int_equal(hop_counters(play)->taken, 0);
}

static void it_can_be_switched_off(void **state)
{
	struct play *play = *state;

	play->plan.lasthops.rule.is_on = false;
	hop.last_us = 4000;
	hop_spread(play);
	hop_keep_all(play);
	assert_int_equal(play->paces, 0);
}

/* Whatever it looks like: in each hold all come back once, and one more on trial. */
static void no_history_goes_to_and_fro(void **state)
{
	struct play *play = *state;
	uint64_t until_ns = 0;
	unsigned int creates = 0;

	play_meddle(play);
	srandom(7);
	for (unsigned int seed = 0; seed < 40; seed++) {
		play->key.token++;
		hop_counted_ns = play->now_ns;
		hop_spread(play);
		for (int i = 0; i < 3000; i++) {
			hop.before_us = random() % 3 ? 0 : random() % 9000;
			hop.last_us = random() % 9000;
			hop.is_unanswered = !(random() % 50);
			hop.is_shared = random() % 2;
			if (play_conn(play)->lasthop.until_ns != until_ns) {
				until_ns = play_conn(play)->lasthop.until_ns;
				creates = play->creates;
			}
			hop_pass(play, 1 + random() % 400);
			if (play->now_ns < until_ns)
				assert_in_range(play->creates - creates, 0, 1);
			assert_in_range(play_conn(play)->n_subflows, 1, 4);
		}
		play_closed(play);
	}
	assert_true(hop_counters(play)->taken && hop_counters(play)->given);
}

#define WITH_PLAY(test) cmocka_unit_test_setup_teardown(test, hop_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLAY(of_the_last_link_one_subflow_is_left),
		WITH_PLAY(one_that_lags_does_not_hide_it),
		WITH_PLAY(how_long_the_way_is_siblings_tell),
		WITH_PLAY(a_wait_elsewhere_proves_nothing),
		WITH_PLAY(a_long_way_is_no_wait),
		WITH_PLAY(no_wait_at_all_is_not_asked_about),
		WITH_PLAY(one_late_answer_in_eight_is_forgiven),
		WITH_PLAY(half_of_them_late_prove_nothing),
		WITH_PLAY(an_idle_application_and_a_download_prove_nothing),
		WITH_PLAY(a_silent_router_is_left_alone),
		WITH_PLAY(without_the_last_router_nothing_is_asked),
		WITH_PLAY(what_an_application_asked_for_stays),
		WITH_PLAY(what_the_operator_asked_for_stays),
		WITH_PLAY(what_is_theirs_is_not_measured),
		WITH_PLAY(nor_what_it_has_paid_for),
		WITH_PLAY(it_can_be_switched_off),
		WITH_PLAY(no_history_goes_to_and_fro),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
