/* SPDX-License-Identifier: MIT */
/* The plan's part of [policy]: what a connection gets from its start. */
#include <errno.h>
#include <string.h>

#include "play.h"

static void no_policy_opens_nothing(void **state)
{
	struct play *play = *state;

	play_connect(play);
	assert_int_equal(play->creates, 0);
	assert_int_equal(play->plan.counters.policies, 0);
}

static void ndiffports_counts_the_first(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 4;
	play_created(play);
	assert_int_equal(play->creates, 0);
	play_established(play);
	assert_int_equal(play->creates, 3);
	play_assert_subflows(play, 1, 3, 0);
	assert_int_equal(play->create.local.port, 0);
	assert_string_equal(play_conn(play)->why, "ndiffports = 4: 4 in all");
	/* Once only, and at nobody's expense. */
	play_established(play);
	assert_int_equal(play->creates, 3);
	assert_int_equal(play->receipts, 0);
	assert_int_equal(play->plan.counters.policies, 3);
}

static void ndiffports_counts_what_was_asked_for(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 4;
	play_created(play);
	play_intent(play, 2, 0);
	play_established(play);
	assert_int_equal(play->creates, 3);
	play_assert_receipt(play, 2, 0);
	/* What is asked for later comes on top. */
	play_intent(play, 4, 0);
	assert_int_equal(play->creates, 5);
}

static void application_may_take_the_policys(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 3;
	play_connect(play);
	play_joined(play, LOCAL_PORT + 1);
	play_joined(play, LOCAL_PORT + 2);
	play_intent(play, 0, 2);
	assert_int_equal(play->destroys, 2);
	play_assert_receipt(play, 0, 2);
	play_left(play, LOCAL_PORT + 2);
	play_left(play, LOCAL_PORT + 1);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play->creates, 2);
}

/* The kernel is not ready: they wait, and a REMOVE meanwhile takes one of them. */
static void removal_before_they_are_sent(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 3;
	play->create_error = ENOTCONN;
	play_connect(play);
	play_assert_subflows(play, 1, 0, 2);
	play_intent(play, 0, 1);
	play_assert_subflows(play, 1, 0, 1);
	play_assert_receipt(play, 0, 1);
	play->create_error = 0;
	assert_true(play_wait(play));
	play_assert_subflows(play, 1, 1, 0);
}

static void the_elephant_rule_counts_them(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 3;
	play_connect(play);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 3);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 3);
}

static void a_server_opens_none(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 4;
	play_hear(play, (struct event){.kind = EVENT_ESTABLISHED,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.is_server = true});
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play->plan.counters.policies, 0);
}

static void a_foreign_connection_gets_none(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 4;
	play_hear(play, (struct event){.kind = EVENT_FOREIGN});
	play_connect(play);
	play_assert_subflows(play, 1, 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_policy_opens_nothing),
		TEST(ndiffports_counts_the_first),
		TEST(ndiffports_counts_what_was_asked_for),
		TEST(application_may_take_the_policys),
		TEST(removal_before_they_are_sent),
		TEST(the_elephant_rule_counts_them),
		TEST(a_server_opens_none),
		TEST(a_foreign_connection_gets_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
