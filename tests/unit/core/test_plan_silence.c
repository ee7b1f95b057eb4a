/* SPDX-License-Identifier: MIT */
/* Joins that nobody answers: given up, how they end, and how many of them. */
#include "mute.h"

#include "core/adoption.h"

#include <errno.h>
#include <string.h>

static uint16_t way_of(uint16_t port)
{
	return 1 + (port - PLACED) % 3;
}

static bool is_shunned(struct play *play, uint16_t port)
{
	struct path_map *map = play_map(play);
	struct path path = path_of(map, path_port_find(map, port));

	return path_shunned_until_ns(&path) > play->now_ns;
}

/* The kernel says that its SYN had no answer. */
static void times_out(struct play *play, uint16_t port)
{
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(port),
				.remote = play_remote(),
				.error = ETIMEDOUT,
				.reset_reason = -1});
}

static void one_is_given_up_and_tried_elsewhere(void **state)
{
	struct play *play = *state;
	uint16_t first = mute_open(play), second;

	mute_pass(play, SILENCE_NS - 1);
	assert_int_equal(play->destroys, 0);
	mute_pass(play, 1);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, first);
	assert_int_equal(play->creates, 2);
	second = play->create.local.port;
	assert_int_not_equal(way_of(second), way_of(first));
	assert_int_equal(play->plan.counters.repairs, 1);
	assert_non_null(strstr(play_conn(play)->why, "nobody answers the subflow from 10.0.0.1:"));
	assert_non_null(strstr(play_conn(play)->why, ": given up"));
	/* That way is shunned now: the third goes to what is left. */
	assert_true(is_shunned(play, first));
	assert_false(is_shunned(play, second));
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 3);
	assert_int_not_equal(way_of(play->create.local.port), way_of(first));
	assert_int_not_equal(way_of(play->create.local.port), way_of(second));
	play_joined(play, play->create.local.port);
	mute_pass(play, 60 * S);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play->creates, 3);
	assert_int_equal(play->surveys, 0);
	play_assert_receipt(play, 1, 0);
	/* It was no refusal. */
	assert_int_equal(play->plan.counters.refused_by_peer, 0);
	assert_null(play->plan.refusals.entries);
}

/* The kernel's word of its end does not say which one it was. */
static void its_end_needs_no_word(void **state)
{
	struct play *play = *state;
	uint16_t first = mute_open(play);

	mute_pass(play, SILENCE_NS);
	assert_true(mute_find(play, first)->is_gone);
	assert_int_equal(conn_count_shown(play_conn(play)), 2);
	play_joined(play, play->create.local.port);
	mute_pass(play, S);
	assert_null(mute_find(play, first));
	play_assert_subflows(play, 2, 0, 0);
}

/* The answer was on its way when it was given up. */
static void an_answer_that_comes_too_late_changes_nothing(void **state)
{
	struct play *play = *state;
	uint16_t first = mute_open(play);

	mute_pass(play, SILENCE_NS);
	play_joined(play, first);
	assert_int_equal(play->destroys, 1);
	play_left(play, first);
	assert_null(mute_find(play, first));
	play_assert_subflows(play, 1, 1, 0);
	assert_int_equal(play->plan.counters.refused_by_peer, 0);
}

static void the_kernel_may_have_been_sooner(void **state)
{
	struct play *play = *state;
	uint16_t first = mute_open(play);

	play->destroy_error = ESRCH;
	mute_pass(play, SILENCE_NS);
	times_out(play, first);
	assert_null(mute_find(play, first));
	play_assert_subflows(play, 1, 1, 0);
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->plan.counters.refused_by_peer, 0);
	play_assert_receipt(play, 1, 0);
}

static void one_that_the_kernel_keeps_is_one_too_many(void **state)
{
	struct play *play = *state;
	uint16_t first = mute_open(play);

	play->destroy_error = EPERM;
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 2);
	mute_pass(play, 2 * S);
	assert_int_equal(mute_find(play, first)->state, SUBFLOW_OPENING);
	play->destroy_error = 0;
	play_joined(play, play->create.local.port);
	play_joined(play, first);
	assert_int_equal(play->destroys, 2);
	assert_int_equal(play->destroy.local.port, first);
	play_left(play, first);
	play_assert_subflows(play, 2, 0, 0);
	play_assert_receipt(play, 1, 0);
}

static void one_that_is_answered_stays(void **state)
{
	struct play *play = *state;
	uint16_t first = mute_open(play);

	mute_pass(play, SILENCE_NS - 1);
	play_joined(play, first);
	mute_pass(play, 60 * S);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play->destroys, 0);
}

static void where_repair_is_off_the_kernel_is_waited_for(void **state)
{
	struct play *play = *state;

	play->plan.does_repair = false;
	mute_open(play);
	mute_pass(play, 60 * S);
	assert_int_equal(play->creates, 1);
	play->plan.does_repair = true;
	play_intent(play, 2, 0);
	play->plan.does_repair = false; /* as by SIGHUP */
	mute_pass(play, 60 * S);
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->destroys, 0);
}

/* Nothing gets through, or its peer takes none: the kernel's word of the last one is a refusal. */
static void after_many_in_a_row_the_next_is_left_to_the_kernel(void **state)
{
	struct play *play = *state;

	mute_open(play);
	mute_pass(play, 120 * S);
	assert_int_equal(play->creates, 1 + SILENCE_MOST);
	assert_int_equal(play->destroys, SILENCE_MOST);
	assert_string_equal(play_conn(play)->why,
		"nobody answered 8 subflows in a row: the next is left to the kernel");
	play_assert_subflows(play, 1, 1, 0);
	times_out(play, play->create.local.port);
	assert_int_equal(play->plan.counters.refused_by_peer, 1);
	assert_int_equal(play->plan.refusals.entries->in_a_row, 1);
	assert_int_equal(play->creates, 1 + SILENCE_MOST);
	/* One that comes up, and all begins anew. */
	play_intent(play, 2, 0);
	play_joined(play, play->create.local.port);
	play_intent(play, 3, 0);
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->destroys, SILENCE_MOST + 1);
}

/* Some of six that were begun at once have to wait, as do the two that go first. */
static void they_share_the_budget_of_repairs(void **state)
{
	struct play *play = *state;

	mute_know(play);
	play_connect(play);
	play_intent(play, 6, 0);
	assert_int_equal(play->creates, 6);
	for (int i = 0; i < REPAIR_MOST - 2; i++)
		assert_true(repair_allow(&play->plan, play_conn(play), play->now_ns));
	play_meddle(play);
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 6 + 2);
	assert_int_equal(play->plan.counters.repairs_denied, 4);
	mute_pass(play, REPAIR_WINDOW_NS - SILENCE_NS - 1);
	assert_int_equal(play->creates, 6 + 2);
	assert_int_equal(play->plan.counters.repairs_denied, 4 + 2);
	mute_pass(play, 1);
	assert_int_equal(play->creates, 6 + SILENCE_MOST);
	play_assert_subflows(play, 1, 6, 0);
}

static void list_opening(struct play *play, uint16_t first, uint16_t port)
{
	play_hear(play,
		(struct event){
			.kind = EVENT_FOUND, .local = play_local(first), .remote = play_remote()});
	play_hear(play, (struct event){.kind = EVENT_FOUND_SUBFLOW,
				.local = play_local(first),
				.remote = play_remote()});
	play_hear(play, (struct event){.kind = EVENT_FOUND_SUBFLOW,
				.local = play_local(port),
				.remote = play_remote(),
				.is_opening = true});
}

/* It is named to the kernel by its port. */
static void a_port_of_the_kernels_is_found_out(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	assert_int_equal(play->create.local.port, 0);
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->searches, 1);
	assert_int_equal(play->destroys, 0);
	adoption_begin(&play->plan, play->key.netns);
	list_opening(play, LOCAL_PORT, LOCAL_PORT + 1);
	adoption_end(&play->plan, play->key.netns);
	mute_pass(play, S / 2);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 1);
	assert_int_equal(play->creates, 2);
	play_assert_subflows(play, 1, 1, 0);
}

static void one_list_tells_of_all(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	mute_pass(play, S);
	play_intent(play, 3, 0);
	mute_pass(play, 60 * S);
	/* And what is not listed cannot be named. */
	assert_int_equal(play->searches, 1);
	assert_int_equal(play->destroys, 0);
}

/* The next daemon waits as long again; what it was for is not known to it. */
static void one_that_is_taken_up_too(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	list_opening(play, LOCAL_PORT, LOCAL_PORT + 1);
	adoption_end(&play->plan, play->key.netns);
	play_act(play);
	mute_pass(play, SILENCE_NS - 1);
	assert_int_equal(play->destroys, 0);
	mute_pass(play, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 1);
	assert_int_equal(play->creates, 1);
}

static void one_that_is_to_go_goes(void **state)
{
	struct play *play = *state;
	uint16_t first = mute_open(play);

	play_intent(play, 1, 1);
	play_assert_receipt(play, 1, 0);
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->destroy.local.port, first);
	assert_int_equal(play->creates, 1);
	play_assert_receipt(play, 1, 1);
	mute_pass(play, S);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 1, 1);
	assert_int_equal(play->plan.counters.repairs, 0);
}

static void a_connection_that_ends_takes_them_along(void **state)
{
	struct play *play = *state;

	mute_open(play);
	play_closed(play);
	assert_false(play_wait(play));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mute_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_is_given_up_and_tried_elsewhere),
		TEST(its_end_needs_no_word),
		TEST(an_answer_that_comes_too_late_changes_nothing),
		TEST(the_kernel_may_have_been_sooner),
		TEST(one_that_the_kernel_keeps_is_one_too_many),
		TEST(one_that_is_answered_stays),
		TEST(where_repair_is_off_the_kernel_is_waited_for),
		TEST(after_many_in_a_row_the_next_is_left_to_the_kernel),
		TEST(they_share_the_budget_of_repairs),
		TEST(a_port_of_the_kernels_is_found_out),
		TEST(one_list_tells_of_all),
		TEST(one_that_is_taken_up_too),
		TEST(one_that_is_to_go_goes),
		TEST(a_connection_that_ends_takes_them_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
