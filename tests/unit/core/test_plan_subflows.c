/* SPDX-License-Identifier: MIT */
/* Subflows that come up, are refused, or are closed. */
#include "play.h"

#include <errno.h>
#include <string.h>

/* Each threshold stands beside the number of subflows that it led to. */
static void refused_joins_pass_no_threshold(void **state)
{
	struct play *play = *state;
	struct conn *conn;

	play_connect(play);
	play_threshold(play, 100);
	play_left(play, LOCAL_PORT + 1);
	conn = play_conn(play);
	assert_int_equal(play->plan.counters.refused_by_peer, 1);
	assert_string_equal(conn->why, "the peer refused a subflow (reset); without Subflow it "
				       "needs `ip mptcp limits set subflows 3`");
	assert_int_equal(conn->n_passed, 0);
	play->create_error = EINVAL;
	play_threshold(play, 150);
	assert_int_equal(conn->n_passed, 0);
	play->create_error = 0;
	play_threshold(play, 200);
	play_joined(play, LOCAL_PORT + 2);
	assert_int_equal(conn->n_passed, 1);
	assert_int_equal(conn->passed[0].threshold, 200 * MB);
	assert_int_equal(conn->passed[0].subflows, 2);
}

static void refusals_say_why(void **state)
{
	struct play *play = *state;
	struct event event = {.kind = EVENT_SUBFLOW_CLOSED,
		.local = play_local(LOCAL_PORT + 1),
		.remote = play_remote(),
		.error = ECONNREFUSED,
		.reset_reason = -1};

	play_connect(play);
	play_threshold(play, 100);
	play_hear(play, event);
	assert_non_null(strstr(play_conn(play)->why, "(Connection refused)"));
	play_threshold(play, 150);
	event.reset_reason = 0;
	play_hear(play, event);
	assert_non_null(strstr(play_conn(play)->why, "(MPTCP reset reason 0)"));
	assert_int_equal(play->plan.counters.refused_by_peer, 2);
}

/* The kernel might repeat itself; nothing may be counted twice. */
static void repeated_joins_count_once(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	play_threshold(play, 150);
	play_joined(play, LOCAL_PORT + 1);
	play_joined(play, LOCAL_PORT + 1);
	play_assert_subflows(play, 2, 1, 0);
	assert_int_equal(play->plan.counters.established, 1);
	assert_int_equal(play_conn(play)->passed[0].subflows, 2);
	assert_int_equal(play_conn(play)->passed[1].subflows, 0);
	play_joined(play, LOCAL_PORT + 2);
	assert_int_equal(play_conn(play)->passed[1].subflows, 3);
}

static void peer_that_refuses_settles_the_add(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	play_left(play, LOCAL_PORT + 1);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 1, 0);
	assert_false(play_wait(play));
	assert_int_equal(play->creates, 1);
}

/* Its port is not known before it is established. */
static void opening_is_destroyed_once_established(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	play_intent(play, 1, 1);
	assert_int_equal(play->destroys, 0);
	play_assert_receipt(play, 1, 0);
	play_joined(play, LOCAL_PORT + 1);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 1);
	play_assert_receipt(play, 1, 1);
	play_joined(play, LOCAL_PORT + 1); /* repeated */
	assert_int_equal(play->destroys, 1);
	play_left(play, LOCAL_PORT + 1);
	play_assert_receipt(play, 1, 1);
	assert_int_equal(play_conn(play)->n_subflows, 1);
}

static void opening_may_fail_by_itself(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	play_intent(play, 1, 1);
	play_left(play, LOCAL_PORT + 1);
	assert_int_equal(play->destroys, 0);
	play_assert_receipt(play, 1, 1);
	assert_int_equal(play_conn(play)->n_subflows, 1);
}

/* The one that was to stay has gone meanwhile. */
static void opening_stays_if_it_is_the_last(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	play_intent(play, 1, 1);
	play_left(play, LOCAL_PORT);
	play_joined(play, LOCAL_PORT + 1);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 1, 1);
	assert_int_equal(play->plan.counters.dropped, 1);
}

static void opening_of_an_elephant(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	play_intent(play, 0, 1);
	play_joined(play, LOCAL_PORT + 1);
	assert_int_equal(play->destroys, 1);
	play_assert_receipt(play, 0, 1);
}

static void destroyed_is_not_taken_for_opening(void **state)
{
	struct play *play = *state;

	play_connect_with(play, 1);
	play_intent(play, 1, 1);
	play_intent(play, 2, 1);
	play_left(play, LOCAL_PORT + 1);
	play_assert_subflows(play, 1, 1, 0);
	play_joined(play, LOCAL_PORT + 2);
	play_assert_subflows(play, 2, 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refused_joins_pass_no_threshold),
		TEST(refusals_say_why),
		TEST(repeated_joins_count_once),
		TEST(peer_that_refuses_settles_the_add),
		TEST(opening_is_destroyed_once_established),
		TEST(opening_may_fail_by_itself),
		TEST(opening_stays_if_it_is_the_last),
		TEST(opening_of_an_elephant),
		TEST(destroyed_is_not_taken_for_opening),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
