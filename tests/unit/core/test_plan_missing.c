/* SPDX-License-Identifier: MIT */
/* What has died beside others, and could not be replaced, is missing: it is tried again. */
#include "mute.h"

#include <errno.h>

/* Four subflows, of which a firewall that starts anew resets all but the first. */
static void play_three_deaths(struct play *play)
{
	play_connect_with(play, 3);
	mute_pass(play, 2 * S);
	for (uint16_t port = LOCAL_PORT + 1; port <= LOCAL_PORT + 3; port++)
		mute_dies(play, port);
	assert_int_equal(play->creates, 6);
}

/* The firewall refuses what is under way. */
static void play_refuse_opening(struct play *play)
{
	struct subflow *subflow = NULL, *next;

	for (subflow = TAILQ_FIRST(&play_conn(play)->subflows); subflow; subflow = next) {
		next = TAILQ_NEXT(subflow, entry);
		if (subflow->state == SUBFLOW_OPENING)
			mute_dies(play, LOCAL_PORT + 9);
	}
}

static void what_is_refused_beside_others_is_not_forgotten(void **state)
{
	struct play *play = *state;

	play_three_deaths(play);
	play_refuse_opening(play);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(conn_count_all(play_conn(play)), 4);
	mute_pass(play, S - 1);
	assert_int_equal(play->creates, 6);
	/* One shows whether the others may, as soon as it is answered. */
	mute_pass(play, 1 + SILENCE_NS - 1);
	assert_int_equal(play->creates, 7);
	play_refuse_opening(play);
	mute_pass(play, 2 * S);
	assert_int_equal(play->creates, 8);
	for (uint16_t port = LOCAL_PORT + 4; port <= LOCAL_PORT + 6; port++) {
		play_joined(play, port);
		mute_pass(play, 10 * S);
	}
	play_assert_subflows(play, 4, 0, 0);
	mute_pass(play, 3600 * S);
	assert_int_equal(play->creates, 10);
}

/* Each rest is twice as long as the one before, up to a minute or so; and there is no end. */
static void where_none_comes_up_rests_grow(void **state)
{
	struct play *play = *state;
	unsigned int creates;

	play_three_deaths(play);
	play_refuse_opening(play);
	for (uint64_t rest_s = 1; rest_s <= 64; rest_s *= 2) {
		creates = play->creates;
		mute_pass(play, rest_s * S - 1);
		assert_int_equal(play->creates, creates);
		mute_pass(play, 1);
		assert_int_equal(play->creates, creates + 1);
		play_refuse_opening(play);
	}
	creates = play->creates;
	mute_pass(play, 64 * S);
	assert_int_equal(play->creates, creates + 1);
}

/* That it comes up for a moment is no reason to hurry. */
static void nor_is_one_that_is_up_for_a_moment_a_success(void **state)
{
	struct play *play = *state;

	play_three_deaths(play);
	play_refuse_opening(play);
	for (int i = 0; i < 120; i++) {
		mute_pass(play, S);
		if (!conn_find_opening(play_conn(play), &play->create.local, &play->create.remote))
			continue;
		play_joined(play, LOCAL_PORT + 4);
		mute_dies(play, LOCAL_PORT + 4);
	}
	assert_in_range(play->creates, 6 + 5, 6 + 7);
}

static void what_the_peer_refuses_for_good_is_not_missing(void **state)
{
	struct play *play = *state;

	play_three_deaths(play);
	for (int i = 0; i < 3; i++)
		mute_is_reset(play, LOCAL_PORT + 9);
	mute_pass(play, 3600 * S);
	assert_int_equal(play->creates, 6);
	assert_int_equal(conn_count_all(play_conn(play)), 1);
}

/* Who takes one away means those that are there. */
static void nor_is_what_the_application_wants_no_more(void **state)
{
	struct play *play = *state;

	play_three_deaths(play);
	play_joined(play, LOCAL_PORT + 4);
	play_refuse_opening(play);
	play_assert_subflows(play, 2, 0, 0);
	play_intent(play, 3, 1);
	assert_int_equal(play->destroys, 1);
	play_left(play, play->destroy.local.port);
	mute_pass(play, 3600 * S);
	assert_int_equal(play->creates, 6);
	play_assert_subflows(play, 1, 0, 0);
}

/* The hooks count those that are there: a number in all has those that have died in it already. */
static void a_total_has_what_is_missing_in_it(void **state)
{
	struct play *play = *state;
	struct event event = {.kind = EVENT_INTENT, .generation = 2, .totals = 1, .adds = 3 + 2};

	play_three_deaths(play);
	play_refuse_opening(play);
	play_hear(play, event);
	for (uint16_t port = LOCAL_PORT + 4; port <= LOCAL_PORT + 5; port++)
		play_joined(play, port);
	mute_pass(play, 3600 * S);
	play_assert_subflows(play, 3, 0, 0);
	/* What dies from there on is missing again, whatever is heard twice. */
	mute_dies(play, LOCAL_PORT + 5);
	play_refuse_opening(play);
	play_hear(play, event);
	mute_pass(play, 2 * S);
	play_joined(play, LOCAL_PORT + 6);
	play_assert_subflows(play, 3, 0, 0);
	/* And so it is until a total is set again, which may need none. */
	mute_dies(play, LOCAL_PORT + 6);
	play_refuse_opening(play);
	event.generation++;
	event.totals++;
	play_hear(play, event);
	mute_pass(play, 3600 * S);
	play_assert_subflows(play, 2, 0, 0);
}

/* Nor does what is wanted for others come beside it: the hooks do not know of that either. */
static void a_total_has_what_is_wanted_in_it(void **state)
{
	struct play *play = *state;

	play->plan.steer.mode = STEER_PATHS;
	play_connect(play);
	/* It waits for paths. */
	play_threshold(play, 100);
	assert_int_equal(play->creates, 0);
	play_hear(play,
		(struct event){.kind = EVENT_INTENT, .generation = 1, .totals = 1, .adds = 3});
	assert_int_equal(conn_count_all(play_conn(play)), 4);
	mute_pass(play, 60 * S);
	assert_int_equal(play->creates, 3);
}

/* The budget is what one moment may have: what it denies comes later. */
static void what_the_budget_denies_comes_later(void **state)
{
	struct play *play = *state;
	uint16_t port = LOCAL_PORT + 16;

	play->plan.max_subflows = 16;
	play->plan.news.is_wanted = true;
	play_connect_with(play, 15);
	mute_pass(play, 2 * S);
	for (uint16_t i = 1; i <= 15; i++)
		mute_dies(play, LOCAL_PORT + i);
	assert_int_equal(play->creates, 15 + REPAIR_MOST);
	assert_int_equal(play->plan.counters.repairs_denied, 15 - REPAIR_MOST);
	assert_non_null(strstr(play_conn(play)->why,
		"a subflow died, and nothing is opened in its place yet: 8 were replaced in 10 s"));
	for (int i = 0; i < REPAIR_MOST; i++)
		play_joined(play, port++);
	mute_pass(play, REPAIR_WINDOW_NS - 1);
	assert_int_equal(play->creates, 15 + REPAIR_MOST);
	for (int i = 0; i < 15 - REPAIR_MOST; i++) {
		mute_pass(play, S);
		play_joined(play, port++);
	}
	mute_pass(play, 3600 * S);
	assert_int_equal(play->creates, 2 * 15);
	play_assert_subflows(play, 16, 0, 0);
	assert_int_equal(play->plan.counters.repairs, 15);
}

/* Of others the destination has refused many: for a while none is tried there, and then it is. */
static void what_is_withheld_comes_after_the_hold(void **state)
{
	struct refusal refusal = {.reset_reason = -1};
	struct endpoint remote = play_remote();
	struct play *play = *state;

	play->plan.refusals.rule = (struct refusals_rule){.most = 1, .hold_ns = 600 * S};
	play_connect_with(play, 1);
	mute_pass(play, 2 * S);
	refusals_note(&play->plan.refusals, play->key.netns, &remote, &refusal, play->now_ns);
	play_meddle(play);
	mute_dies(play, LOCAL_PORT + 1);
	assert_int_equal(play->creates, 1);
	mute_pass(play, 600 * S - 1);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->plan.counters.withheld, 1);
	mute_pass(play, 1);
	assert_int_equal(play->creates, 2);
	play_joined(play, LOCAL_PORT + 2);
	mute_pass(play, 3600 * S);
	play_assert_subflows(play, 2, 0, 0);
}

/* There is no route for a while. */
static void what_the_kernel_does_not_open_is_not_forgotten(void **state)
{
	struct play *play = *state;

	play_connect_with(play, 1);
	mute_pass(play, 2 * S);
	play->create_error = ENETUNREACH;
	mute_dies(play, LOCAL_PORT + 1);
	mute_pass(play, 2 * S);
	assert_int_equal(play->creates, 3);
	play->create_error = 0;
	mute_pass(play, 2 * S);
	assert_int_equal(play->creates, 4);
	play_joined(play, LOCAL_PORT + 2);
	play_assert_subflows(play, 2, 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mute_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_refused_beside_others_is_not_forgotten),
		TEST(where_none_comes_up_rests_grow),
		TEST(nor_is_one_that_is_up_for_a_moment_a_success),
		TEST(what_the_peer_refuses_for_good_is_not_missing),
		TEST(nor_is_what_the_application_wants_no_more),
		TEST(a_total_has_what_is_missing_in_it),
		TEST(a_total_has_what_is_wanted_in_it),
		TEST(what_the_budget_denies_comes_later),
		TEST(what_is_withheld_comes_after_the_hold),
		TEST(what_the_kernel_does_not_open_is_not_forgotten),
	};

	return cmocka_run_group_tests_name("plan_missing", tests, NULL, NULL);
}
