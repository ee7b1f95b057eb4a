/* SPDX-License-Identifier: MIT */
/* The plan over many connections: the table's limit, ends, and what comes after them. */
#include "core/opening.h"

#include <errno.h>
#include <string.h>

#include "play.h"

static void open_token(struct play *play, uint64_t netns, uint32_t token)
{
	play->key = (struct conn_key){.netns = netns, .token = token};
	play_connect(play);
}

static void a_full_table_serves_no_more(void **state)
{
	struct play *play = *state;

	for (uint32_t token = 1; token <= 4; token++)
		open_token(play, 1, token);
	assert_null(play_conn(play));
	assert_int_equal(conn_table_count(&play->plan.table), 3);
	assert_int_equal(play->plan.counters.not_served, 1);
	play_intent(play, 1, 0);
	play_threshold(play, 100);
	play_joined(play, LOCAL_PORT + 1);
	play_left(play, LOCAL_PORT + 1);
	play_closed(play);
	assert_int_equal(play->creates + play->forgets, 0);
	/* The others are served as before. */
	play->key.token = 3;
	play_intent(play, 1, 0);
	assert_int_equal(play->creates, 1);
	/* And one that leaves makes room. */
	play_closed(play);
	open_token(play, 1, 5);
	assert_non_null(play_conn(play));
}

/* By their receipts: the hooks refuse what those ask for that found no room. */
static void the_hooks_know_who_is_in_a_full_table(void **state)
{
	struct play *play = *state;
	unsigned int before;

	open_token(play, 1, 1);
	open_token(play, 1, 2);
	play_intent(play, 1, 0);
	before = play->told;
	open_token(play, 1, 3);
	assert_int_equal(play->told, before + 2);
	open_token(play, 1, 4);
	assert_int_equal(play->told, before + 2);
	/* Whoever takes the place of one that has left. */
	play->key.token = 1;
	play_closed(play);
	assert_int_equal(play->forgets, 1);
	assert_int_equal(play->told, before + 2);
	open_token(play, 1, 5);
	assert_int_equal(play->told, before + 3);
	assert_int_equal(play->receipt.adds, 0);
}

/* One that was heard of and is not known yet may have left a receipt to an earlier daemon. */
static void nothing_is_written_of_those_that_are_not_known(void **state)
{
	struct play *play = *state;

	play->key.token = 1;
	play_threshold(play, 100);
	open_token(play, 1, 2);
	open_token(play, 1, 3);
	assert_int_equal(play->told, 2);
	play->key.token = 1;
	play_connect(play);
	assert_int_equal(play->told, 3);
}

static void a_closed_connection_is_forgotten(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 2, 0);
	play_joined(play, LOCAL_PORT + 1);
	play_closed(play);
	assert_int_equal(play->forgets, 1);
	assert_null(play_conn(play));
	play_joined(play, LOCAL_PORT + 2);
	play_left(play, LOCAL_PORT + 1);
	play_closed(play);
	play_hear(play, (struct event){.kind = EVENT_CREATE_DONE, .serial = 1, .error = EINVAL});
	play_hear(play, (struct event){.kind = EVENT_DESTROY_DONE, .serial = 1});
	assert_null(play_conn(play));
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(play->receipts, 2);
	assert_int_equal(play->forgets, 1);
}

/* The ring may be read after the event of the end. It must not stay in the table for ever. */
static void records_of_a_closed_connection_do_not_stay(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_closed(play);
	play_threshold(play, 100);
	play_intent(play, 1, 0);
	assert_int_equal(conn_table_count(&play->plan.table), 1);
	assert_true(play_wait(play)); /* the kernel is asked once whether it knows it */
	assert_int_equal(play->searches, 1);
	assert_int_equal(conn_table_count(&play->plan.table), 1);
	assert_true(play_wait(play));
	assert_int_equal(play->searches, 1);
	assert_int_equal(conn_table_count(&play->plan.table), 0);
	assert_int_equal(play->forgets, 0); /* the hooks were told nothing of it */
	assert_int_equal(play->creates, 0);
}

static void a_gone_namespace_takes_its_connections(void **state)
{
	struct play *play = *state;
	const struct action *action;
	unsigned int forgets = 0;

	play->plan.table.limit = 4;
	open_token(play, 1, 7);
	open_token(play, 2, 7);
	play->create_error = ENOTCONN;
	play_intent(play, 1, 0);
	open_token(play, 2, 8);
	plan_forget_netns(&play->plan, 2);
	while ((action = plan_next(&play->plan))) {
		assert_int_equal(action->kind, ACTION_FORGET);
		assert_int_equal(action->key.netns, 2);
		forgets++;
	}
	assert_int_equal(forgets, 1); /* of the one that asked for something */
	assert_int_equal(conn_table_count(&play->plan.table), 1);
	play->key = (struct conn_key){.netns = 1, .token = 7};
	assert_non_null(play_conn(play));
	assert_false(play_wait(play));
	plan_forget_netns(&play->plan, 3);
	assert_null(plan_next(&play->plan));
}

/* Same token, two namespaces: nothing is mixed up. */
static void namespaces_are_apart(void **state)
{
	struct play *play = *state;

	open_token(play, 1, 7);
	open_token(play, 2, 7);
	play_intent(play, 2, 0);
	assert_int_equal(play->create.key.netns, 2);
	play_assert_subflows(play, 1, 2, 0);
	play->key.netns = 1;
	play_assert_subflows(play, 1, 0, 0);
}

/* More actions at once than there was room for. */
static void a_heap_of_actions_is_kept(void **state)
{
	struct play *play = *state;
	struct event event = {.kind = EVENT_INTENT, .key = play->key, .adds = 60};
	const struct action *action;
	uint32_t serial = 0;

	play_connect(play);
	play->plan.max_subflows = SUBFLOWS_HARD_MAX;
	plan_hear(&play->plan, &event);
	while ((action = plan_next(&play->plan))) {
		if (action->kind == ACTION_RECEIPT)
			continue;
		assert_int_equal(action->kind, ACTION_CREATE);
		assert_true(action->serial > serial);
		serial = action->serial;
	}
	assert_int_equal(conn_count_live(play_conn(play)), 61);
	assert_null(plan_next(&play->plan));
}

/* Those that are on their way out are there still. */
static void no_more_are_opened_than_the_kernel_should_hold(void **state)
{
	struct play *play = *state;
	unsigned int open = SUBFLOWS_HARD_MAX - 1;

	play_connect(play);
	play->plan.max_subflows = SUBFLOWS_HARD_MAX;
	play_intent(play, open, 0);
	assert_int_equal(play->creates, open);
	for (unsigned int i = 1; i <= open; i++)
		play_joined(play, LOCAL_PORT + i);
	play_intent(play, open, 10);
	play_intent(play, open + 10, 10);
	assert_int_equal(play->destroys, 10);
	assert_int_equal(play->creates, open);
	play_assert_subflows(play, open + 1 - 10, 0, 10);
	for (unsigned int i = 0; i < 10; i++)
		play_left(play, LOCAL_PORT + open - i);
	assert_int_equal(play->creates, open + 10);
	play_assert_receipt(play, open + 10, 10);
}

/* And the other way round: what applications may ask for is no limit of the rule's. */
static void elephants_have_a_limit_of_their_own(void **state)
{
	struct play *play = *state;

	play->plan.max_subflows = 1;
	play_connect(play);
	play_intent(play, 1, 0);
	assert_int_equal(play->creates, 0);
	for (uint64_t mb = 100; mb <= 200; mb += 50)
		play_threshold(play, mb);
	assert_int_equal(play->creates, 3);
	play_assert_subflows(play, 1, 3, 0);
}

/* Nothing is wanted for good that REMOVE would take back in place of what is there. */
static void what_the_rule_wants_has_room(void **state)
{
	struct play *play = *state;

	play->plan.max_subflows = 2;
	play->plan.rule.max_subflows = 4;
	play_connect(play);
	for (uint64_t mb = 100; mb <= 200; mb += 50)
		play_threshold(play, mb);
	for (uint16_t i = 1; i <= 3; i++)
		play_joined(play, LOCAL_PORT + i);
	play_intent(play, 0, 3);
	assert_int_equal(play->destroys, 3);
	play_assert_subflows(play, 1, 0, 0);
}

/* As when the limit was lowered meanwhile. */
static void a_limit_that_is_raised_lets_in_what_waits(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = ENOTCONN;
	play_intent(play, 3, 0);
	play->create_error = 0;
	play->plan.max_subflows = play->plan.rule.max_subflows = 2;
	assert_true(play_wait(play));
	play_assert_subflows(play, 1, 1, 2);
	play->plan.max_subflows = 3;
	opening_run_all(&play->plan, play->now_ns);
	play_act(play);
	play_assert_subflows(play, 1, 2, 1);
	play->plan.rule.max_subflows = 4;
	opening_run_all(&play->plan, play->now_ns);
	play_act(play);
	play_assert_subflows(play, 1, 3, 0);
}

/* Of several commands each is told of before the next is given: what one did is never in doubt. */
static void each_is_told_before_the_next(void **state)
{
	struct play *play = *state;
	struct event event = {.kind = EVENT_INTENT, .key = play->key, .adds = 2};
	struct receipt receipt = {};
	const struct action *action;

	play_connect(play);
	plan_hear(&play->plan, &event);
	for (uint32_t i = 0; i < 2; i++) {
		while ((action = plan_next(&play->plan)) && action->kind == ACTION_RECEIPT)
			receipt = action->receipt;
		assert_int_equal(action->kind, ACTION_CREATE);
		assert_int_equal(receipt.creating, 1);
		assert_int_equal(receipt.adds, i);
		assert_int_equal(receipt.live, 1 + i); /* the socket showed so many */
		plan_hear(&play->plan, &(struct event){.kind = EVENT_CREATE_DONE,
					       .key = play->key,
					       .serial = action->serial});
	}
	action = plan_next(&play->plan);
	assert_int_equal(action->kind, ACTION_RECEIPT);
	assert_int_equal(action->receipt.creating, 0);
	assert_int_equal(action->receipt.adds, 2);
	assert_null(plan_next(&play->plan));
}

/* The hooks are told before a command is given, and after it. */
static void what_is_under_way_is_told_before(void **state)
{
	struct play *play = *state;
	struct event event = {.kind = EVENT_INTENT, .key = play->key, .adds = 1};
	struct receipt receipt = {};
	const struct action *action;

	play_connect(play);
	plan_hear(&play->plan, &event);
	while ((action = plan_next(&play->plan)) && action->kind == ACTION_RECEIPT)
		receipt = action->receipt;
	assert_int_equal(action->kind, ACTION_CREATE);
	assert_int_equal(receipt.creating, 1);
	assert_int_equal(receipt.adds, 0);
	play_hear(play, (struct event){.kind = EVENT_CREATE_DONE, .serial = action->serial});
	assert_int_equal(play->receipt.creating, 0);
	assert_int_equal(play->receipt.adds, 1);
	play_joined(play, LOCAL_PORT + 1);

	event.removes = 1;
	plan_hear(&play->plan, &event);
	while ((action = plan_next(&play->plan)) && action->kind == ACTION_RECEIPT)
		receipt = action->receipt;
	assert_int_equal(action->kind, ACTION_DESTROY);
	assert_int_equal(receipt.destroying, 1);
	assert_int_equal(receipt.removes, 0);
	play_hear(play, (struct event){.kind = EVENT_DESTROY_DONE, .serial = action->serial});
	assert_int_equal(play->receipt.destroying, 0);
	assert_int_equal(play->receipt.removes, 1);
}

static void nothing_is_no_event(void **state)
{
	struct play *play = *state;

	play_hear(play, (struct event){.kind = EVENT_NONE});
	assert_null(play_conn(play));
	play_connect(play);
	play_hear(play, (struct event){.kind = EVENT_NONE});
	play_assert_subflows(play, 1, 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_full_table_serves_no_more),
		TEST(the_hooks_know_who_is_in_a_full_table),
		TEST(nothing_is_written_of_those_that_are_not_known),
		TEST(a_closed_connection_is_forgotten),
		TEST(records_of_a_closed_connection_do_not_stay),
		TEST(a_gone_namespace_takes_its_connections),
		TEST(namespaces_are_apart),
		TEST(a_heap_of_actions_is_kept),
		TEST(no_more_are_opened_than_the_kernel_should_hold),
		TEST(elephants_have_a_limit_of_their_own),
		TEST(what_the_rule_wants_has_room),
		TEST(a_limit_that_is_raised_lets_in_what_waits),
		TEST(each_is_told_before_the_next),
		TEST(what_is_under_way_is_told_before),
		TEST(nothing_is_no_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
