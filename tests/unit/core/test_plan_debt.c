/* SPDX-License-Identifier: MIT */
/* What the budget of repairs denies a list of addresses or a full mesh: it comes later. */
#include "mute.h"

#include <errno.h>

/* The one from 10.0.0.LAST, which has taken the place of the one before, dies: so often, each
 * replaced. */
static void die_from(struct play *play, uint8_t last, uint16_t first_port, unsigned int times)
{
	struct event event = {.kind = EVENT_SUBFLOW_CLOSED,
		.remote = play_remote(),
		.error = ECONNRESET,
		.reset_reason = -1};

	for (unsigned int i = 0; i < times; i++) {
		mute_pass(play, S);
		event.local = play_from(last, first_port + i);
		play_hear(play, event);
		play_join_from(play, last, first_port + i + 1);
	}
	mute_pass(play, S);
	event.local = play_from(last, first_port + times);
	play_hear(play, event);
}

/* Once more than the budget has: it comes from its own address, and as often as before. */
static void comes_later(struct play *play, uint8_t last)
{
	int creates = play->creates;

	assert_int_equal(play->plan.counters.repairs_denied, 1);
	play_assert_subflows(play, 1, 0, 0);
	mute_pass(play, REPAIR_WINDOW_NS);
	assert_int_equal(play->creates, creates + 1);
	play_assert_created_from(play, last, 0);
	play_join_from(play, last, 42000);
	mute_pass(play, 3600 * S);
	assert_int_equal(play->creates, creates + 1);
	play_assert_subflows(play, 2, 0, 0);
}

static void what_the_budget_denies_a_list_comes_later(void **state)
{
	struct play *play = *state;

	play_connect_listed(play, 1);
	die_from(play, 2, 41000, REPAIR_MOST);
	assert_int_equal(play->receipt.wishes[0].done, 1);
	comes_later(play, 2);
	assert_int_equal(play->receipt.wishes[0].done, 1);
}

/* 10.0.0.2 owes one; two more are there, from 10.0.0.1. How many were opened. */
static int owe_one(struct play *play)
{
	play_connect_listed(play, 1);
	play_intent(play, 1, 0);
	play_joined(play, LOCAL_PORT + 1);
	die_from(play, 2, 41000, REPAIR_MOST);
	return play->creates;
}

static void what_was_taken_away_meanwhile_does_not(void **state)
{
	struct play *play = *state;
	int creates = owe_one(play);

	play->numbers = 1;
	play_take_away(play, 0, 2, 0);
	play_tell(play);
	mute_pass(play, 3600 * S);
	assert_int_equal(play->creates, creates);
}

/* By number: those that are there are meant, and none that is missing is wanted. */
static void nor_where_fewer_are_wanted(void **state)
{
	struct play *play = *state;
	int creates = owe_one(play);

	play_intent(play, 1, 1);
	mute_pass(play, 3600 * S);
	assert_int_equal(play->creates, creates);
}

/* A full mesh of two addresses, one of whose pairs the budget denies. */
static void deny_a_mesh(struct play *play)
{
	play->plan.policy.fullmesh = true;
	play->locals[0] = play_from(1, 0);
	play->locals[1] = play_from(2, 0);
	play->n_locals = 2;
	play_connect(play);
	play_join_from(play, 2, 41000);
	die_from(play, 2, 41000, REPAIR_MOST);
}

static void what_the_budget_denies_a_mesh_comes_later(void **state)
{
	struct play *play = *state;

	deny_a_mesh(play);
	comes_later(play, 2);
}

/* Whatever the destination has refused is no reason not to try, which it is for a full mesh. */
static void to_live_comes_before_what_is_owed(void **state)
{
	struct refusal refusal = {.reset_reason = -1};
	struct endpoint remote = play_remote();
	struct play *play = *state;
	int creates;

	play->plan.refusals.rule = (struct refusals_rule){.most = 1, .hold_ns = 600 * S};
	deny_a_mesh(play);
	refusals_note(&play->plan.refusals, play->key.netns, &remote, &refusal, play->now_ns);
	play_meddle(play);
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(LOCAL_PORT),
				.remote = remote,
				.error = ECONNRESET,
				.reset_reason = -1});
	creates = play->creates;
	play_assert_subflows(play, 0, 0, 0);
	mute_pass(play, REPAIR_WINDOW_NS - REPAIR_MOST * S);
	assert_int_equal(play->creates, creates + 1);
	play_assert_created_from(play, 1, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mute_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_the_budget_denies_a_list_comes_later),
		TEST(what_was_taken_away_meanwhile_does_not),
		TEST(nor_where_fewer_are_wanted),
		TEST(what_the_budget_denies_a_mesh_comes_later),
		TEST(to_live_comes_before_what_is_owed),
	};

	return cmocka_run_group_tests_name("plan_debt", tests, NULL, NULL);
}
