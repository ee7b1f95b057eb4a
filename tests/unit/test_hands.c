/* SPDX-License-Identifier: MIT */
/* What the judgement wants is carried out, and it hears what came of it. */
#include "stage.h"

#include <errno.h>

static struct hands *const hands = &stage.daemon.hands;
static struct plan *const plan = &stage.daemon.plan;

static void ask(uint32_t adds, uint32_t removes)
{
	struct event event = {.kind = EVENT_INTENT,
		.key = {.netns = STAGE_COOKIE, .token = STAGE_TOKEN},
		.generation = adds + removes,
		.adds = adds,
		.removes = removes};

	plan_hear(plan, &event);
	hands_act(hands);
}

static void a_batch_has_one_socket(void **state)
{
	(void)state;
	stage_connect();
	ask(3, 0);
	assert_int_equal(stage.creates, 3);
	assert_int_equal(plan->counters.created, 3);
	assert_int_equal(stage.opened, 1);
	assert_int_equal(stage.closed, 1);
	assert_null(hands->socket);
	/* Each is told of before, all that was carried out after. */
	assert_true(stage.receipts >= 4);
	assert_int_equal(stage_conn()->receipt.adds, 3);
}

/* The name means another one since a moment ago. */
static void commands_reach_no_other_namespace(void **state)
{
	(void)state;
	stage_connect();
	stage.cookie++;
	ask(1, 0);
	assert_int_equal(stage.opened, 1);
	assert_int_equal(stage.closed, 1);
	assert_int_equal(stage.creates, 0);
	assert_int_equal(plan->counters.create_failures, 1);
	assert_string_equal(stage_conn()->why,
		"no more subflows: its network namespace has no name to enter it by");
}

static void one_that_cannot_be_entered_fails(void **state)
{
	(void)state;
	stage_connect();
	stage.enter_error = -ENOENT;
	ask(1, 0);
	assert_int_equal(stage.opened, 0);
	assert_int_equal(plan->counters.create_failures, 1);
}

static void failures_are_heard(void **state)
{
	(void)state;
	stage_connect();
	stage.create_error = -ENOTCONN;
	assert_int_equal(hands_init(hands, &stage.daemon.loop), 0);
	ask(1, 0);
	assert_int_equal(plan->counters.retries, 1);
	stage.create_error = 0;
	plan_tick(plan, UINT64_MAX);
	hands_act(hands);
	assert_int_equal(stage.creates, 2);
	assert_int_equal(plan->counters.created, 1);
}

/* Nobody waits for what becomes of these. */
static void what_the_peer_is_not_told_is_heard(void **state)
{
	struct action *action;

	(void)state;
	stage_connect();
	stage.announce_error = -ENOMEM;
	stage.withdraw_error = -EINVAL;
	action = actions_add(&plan->actions, ACTION_ANNOUNCE, stage_conn());
	assert_non_null(action);
	action->local = stage_local();
	action->id = 1;
	hands_act(hands);
	assert_int_equal(stage.announcements, 1);
	assert_int_equal(plan->counters.announce_failures, 1);
	action = actions_add(&plan->actions, ACTION_WITHDRAW, stage_conn());
	assert_non_null(action);
	action->id = 1;
	hands_act(hands);
	assert_int_equal(stage.withdrawals, 1);
	assert_int_equal(plan->counters.withdraw_failures, 1);
	stage.announce_error = stage.withdraw_error = 0;
	assert_non_null(actions_add(&plan->actions, ACTION_ANNOUNCE, stage_conn()));
	assert_non_null(actions_add(&plan->actions, ACTION_WITHDRAW, stage_conn()));
	hands_act(hands);
	assert_int_equal(plan->counters.announce_failures, 1);
	assert_int_equal(plan->counters.withdraw_failures, 1);
}

static void rules_that_find_no_room_are_counted(void **state)
{
	struct action *action;

	(void)state;
	stage_connect();
	action = actions_add(&plan->actions, ACTION_RULE, stage_conn());
	assert_non_null(action);
	stage.rule_error = -E2BIG;
	hands_act(hands);
	assert_int_equal(hands->rules_refused, 1);
}

/* The next daemon finds them. */
static void receipts_outlive_the_daemon(void **state)
{
	(void)state;
	stage_connect();
	ask(1, 0);
	plan_forget(plan, stage_conn());
	hands_act(hands);
	assert_int_equal(stage.forgotten, 1);
	stage_connect();
	ask(1, 0);
	hands->is_ending = true;
	plan_forget(plan, stage_conn());
	hands_act(hands);
	assert_int_equal(stage.forgotten, 1);
}

static void listen_to(int error, bool is_silent)
{
	struct endpoint local = stage_local(), remote = stage_remote();
	struct event joined = {.kind = EVENT_SUBFLOW_ESTABLISHED,
		.key = {.netns = STAGE_COOKIE, .token = STAGE_TOKEN},
		.local = local,
		.remote = remote};
	struct event timeout = joined;

	plan->does_repair = true;
	stage_connect();
	joined.local.port++;
	plan_hear(plan, &joined);
	timeout.kind = EVENT_TIMEOUT;
	timeout.local.port++;
	plan_hear(plan, &timeout);
	stage.silence_error = error;
	stage.is_silent = is_silent;
	hands_act(hands);
}

static void one_that_still_is_silent_is_replaced(void **state)
{
	(void)state;
	listen_to(0, true);
	assert_int_equal(plan->counters.repairs, 1);
	assert_int_equal(stage.destroys, 1);
}

static void one_that_was_heard_meanwhile_stays(void **state)
{
	(void)state;
	listen_to(0, false);
	assert_int_equal(plan->counters.repairs, 0);
	assert_int_equal(plan->counters.false_alarms, 1);
}

/* The kernel cannot tell: the timeout alone counts. */
static void where_nobody_can_tell_it_is_replaced(void **state)
{
	(void)state;
	listen_to(-EOPNOTSUPP, false);
	assert_int_equal(plan->counters.repairs, 1);
}

static void one_that_has_gone_is_left_alone(void **state)
{
	(void)state;
	listen_to(-ENOENT, false);
	assert_int_equal(plan->counters.repairs, 0);
	assert_int_equal(plan->counters.false_alarms, 0);
}

static void a_full_table_is_told(void **state)
{
	(void)state;
	plan->table.limit = 1;
	hands_act(hands);
	assert_int_equal(stage.fulls, 0);
	stage_connect();
	assert_true(stage.fulls > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_begin, stage_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_batch_has_one_socket),
		TEST(commands_reach_no_other_namespace),
		TEST(one_that_cannot_be_entered_fails),
		TEST(failures_are_heard),
		TEST(what_the_peer_is_not_told_is_heard),
		TEST(rules_that_find_no_room_are_counted),
		TEST(receipts_outlive_the_daemon),
		TEST(one_that_still_is_silent_is_replaced),
		TEST(one_that_was_heard_meanwhile_stays),
		TEST(where_nobody_can_tell_it_is_replaced),
		TEST(one_that_has_gone_is_left_alone),
		TEST(a_full_table_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
