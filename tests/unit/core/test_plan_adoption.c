/* SPDX-License-Identifier: MIT */
/* Connections that the kernel lists and nobody has told of. */
#include "core/adoption.h"

#include "found.h"

#include <errno.h>

static void one_is_taken_up_with_its_subflows(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	found_conn(play);
	found_subflow(play, LOCAL_PORT + 1, 0, false);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_end(play);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(TAILQ_FIRST(&play_conn(play)->subflows)->local.port, LOCAL_PORT);
	assert_int_equal(play->claims, 1);
	assert_int_equal(play->plan.counters.adopted, 1);
	assert_string_equal(play_conn(play)->why, "taken up: its beginning was not seen");
	/* And is as any other: at 150 MB it has two, and gets a third. */
	play_threshold(play, 150);
	play_assert_subflows(play, 2, 1, 0);
	play_intent(play, 0, 1);
	play_joined(play, LOCAL_PORT + 2);
	play_assert_subflows(play, 2, 0, 0);
}

static void one_of_the_kernels_own_is_left_alone(void **state)
{
	struct play *play = *state;

	play->claim_error = EINVAL;
	adoption_begin(&play->plan, play->key.netns);
	found_conn(play);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_end(play);
	assert_true(play_conn(play)->is_foreign);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 0);
}

static void one_that_was_accepted_opens_nothing(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	found_conn(play);
	found_subflow(play, LOCAL_PORT, 0, true);
	found_end(play);
	assert_true(play_conn(play)->is_server);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 0);
}

static void ask(struct play *play, uint64_t netns, uint32_t token)
{
	play_hear(play, (struct event){.kind = EVENT_INTENT,
				.key = {.netns = netns, .token = token},
				.adds = 1,
				.generation = 1});
}

/* One list of a namespace tells of all. */
static void each_namespace_is_searched_once(void **state)
{
	struct play *play = *state;

	ask(play, 1, 11);
	ask(play, 2, 12);
	ask(play, 1, 13);
	assert_int_equal(conn_table_count(&play->plan.table), 3);
	assert_true(play_wait(play));
	assert_int_equal(play->searches, 2);
	assert_true(play_wait(play));
	assert_int_equal(play->searches, 2);
	assert_int_equal(conn_table_count(&play->plan.table), 0);
}

static void a_request_waits_for_it(void **state)
{
	struct play *play = *state;

	play_intent(play, 2, 0);
	assert_true(play_wait(play));
	assert_int_equal(play->searches, 1);
	adoption_begin(&play->plan, play->key.netns);
	found_conn(play);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_end(play);
	play_assert_subflows(play, 1, 2, 0);
	assert_false(play_wait(play));
	play_assert_receipt(play, 2, 0);
}

static void what_is_not_listed_is_forgotten(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 2, 0);
	play_joined(play, LOCAL_PORT + 1);
	adoption_begin(&play->plan, play->key.netns);
	found_conn(play);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_opening(play, LOCAL_PORT + 2);
	found_end(play);
	/* The second one closed unheard; the third one is under way. */
	play_assert_subflows(play, 1, 1, 0);
	assert_int_equal(play->plan.counters.adopted, 0);

	adoption_begin(&play->plan, play->key.netns);
	found_end(play);
	assert_null(play_conn(play));
	assert_int_equal(play->forgets, 1);
}

/* What became of it was lost with the events. */
static void one_whose_opening_came_to_nothing_is_forgotten(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	play_intent(play, 1, 0);
	play_intent(play, 1, 1);
	play_assert_subflows(play, 1, 1, 0);
	adoption_begin(&play->plan, play->key.netns);
	found_conn(play);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_end(play);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 1, 1);
	assert_int_equal(play_conn(play)->n_passed, 0);
}

static void one_that_was_to_be_removed_and_never_came_up_is_removed(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	play_intent(play, 1, 1);
	adoption_begin(&play->plan, play->key.netns);
	found_conn(play);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_end(play);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 1, 1);
}

/* It competes with the others for the ways to its peer. */
static void one_that_is_taken_up_has_rivals(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	found_conn(play);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_end(play);
	assert_non_null(play_conn(play)->ends);
	assert_ptr_equal(TAILQ_FIRST(&play_conn(play)->ends->conns), play_conn(play));
}

static void one_that_came_up_unheard_is_established(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	adoption_begin(&play->plan, play->key.netns);
	found_conn(play);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_subflow(play, LOCAL_PORT + 1, 0, false);
	found_end(play);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play_conn(play)->passed[0].subflows, 2);
}

/* Its end was not heard. */
static void one_that_is_gone_leaves_room(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = ENOTCONN;
	play_intent(play, 3, 0);
	play->create_error = 0;
	play->plan.max_subflows = play->plan.rule.max_subflows = 2;
	assert_true(play_wait(play));
	play_joined(play, LOCAL_PORT + 1);
	play_assert_subflows(play, 2, 0, 2);
	adoption_begin(&play->plan, play->key.netns);
	found_conn(play);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_end(play);
	play_assert_subflows(play, 1, 1, 1);
}

/* The kernel has closed it by itself while it was to be closed here, for another reason than REMOVE
 * by number: what it answers counts for none. */
static void one_that_is_being_closed_is_answered_for(void **state)
{
	struct play *play = *state;
	struct event removal = {.kind = EVENT_INTENT,
		.key = play->key,
		.generation = 1,
		.adds = 2,
		.has_wishes = true,
		.wishes.list[0] = {.addr = {0, 0, htonl(0xffff), htonl(0x0a000001)},
			.port = LOCAL_PORT + 2,
			.since = 1,
			.flags = WISH_TAKEN | WISH_REMOVED}};

	play_connect_with(play, 2);
	adoption_begin(&play->plan, play->key.netns);
	found_conn(play);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_subflow(play, LOCAL_PORT + 1, 0, false);
	plan_hear(&play->plan, &removal);
	play->destroy_error = ESRCH;
	found_end(play);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 2);
	play_assert_subflows(play, 2, 0, 0);
	play_assert_receipt(play, 2, 0);
	play_left(play, LOCAL_PORT + 2);
	assert_int_equal(play_conn(play)->n_subflows, 2);
}

static void find_one_closed(struct play *play)
{
	play_connect_with(play, 2);
	play_intent(play, 2, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 2);
	adoption_begin(&play->plan, play->key.netns);
	found_conn(play);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_subflow(play, LOCAL_PORT + 1, 0, false);
	found_end(play);
	assert_int_equal(play_conn(play)->n_subflows, 3);
}

static void the_end_of_a_closed_one_is_no_refusal_of_another(void **state)
{
	struct play *play = *state;

	find_one_closed(play);
	play_intent(play, 3, 1);
	play_left(play, LOCAL_PORT + 2);
	play_assert_subflows(play, 2, 1, 0);
	assert_int_equal(play->plan.counters.refused_by_peer, 0);
	assert_false(play_wait(play));
}

/* In the flood for which it was listed anew. */
static void one_whose_end_was_lost_is_forgotten(void **state)
{
	struct play *play = *state;
	uint64_t found_ns = play->now_ns;

	find_one_closed(play);
	play->now_ns += 500000000;
	adoption_begin(&play->plan, play->key.netns);
	found_conn(play);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_subflow(play, LOCAL_PORT + 1, 0, false);
	found_end(play);
	assert_true(play_wait(play));
	assert_int_equal(play->now_ns, found_ns + 1000000000);
	assert_int_equal(play_conn(play)->n_subflows, 2);
	play_assert_receipt(play, 2, 1);
}

static void other_namespaces_are_not_touched(void **state)
{
	struct play *play = *state;

	play_connect(play);
	adoption_begin(&play->plan, play->key.netns + 1);
	adoption_end(&play->plan, play->key.netns + 1);
	assert_non_null(play_conn(play));
}

static void one_that_is_not_established_yet_stays(void **state)
{
	struct play *play = *state;

	play_created(play);
	adoption_begin(&play->plan, play->key.netns);
	found_end(play);
	assert_non_null(play_conn(play));
	/* Its end was lost. */
	play->now_ns += 1000000000;
	play_hear(play, (struct event){.kind = EVENT_CREATED,
				.key = {.netns = play->key.netns, .token = 2},
				.local = play_local(LOCAL_PORT + 1),
				.remote = play_remote()});
	adoption_begin(&play->plan, play->key.netns);
	found_end(play);
	assert_null(play_conn(play));
	assert_int_equal(conn_table_count(&play->plan.table), 1);
}

/* The word of it was lost, and may have been the last. */
static void one_that_is_listed_is_established(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 2;
	play_created(play);
	adoption_begin(&play->plan, play->key.netns);
	found_conn(play);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_end(play);
	play_assert_subflows(play, 1, 1, 0);
	play_intent(play, 1, 0);
	play_assert_subflows(play, 1, 2, 0);
	play_established(play);
	play_assert_subflows(play, 1, 2, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_is_taken_up_with_its_subflows),
		TEST(one_of_the_kernels_own_is_left_alone),
		TEST(one_that_was_accepted_opens_nothing),
		TEST(each_namespace_is_searched_once),
		TEST(a_request_waits_for_it),
		TEST(what_is_not_listed_is_forgotten),
		TEST(one_whose_opening_came_to_nothing_is_forgotten),
		TEST(one_that_was_to_be_removed_and_never_came_up_is_removed),
		TEST(one_that_is_taken_up_has_rivals),
		TEST(one_that_came_up_unheard_is_established),
		TEST(one_that_is_gone_leaves_room),
		TEST(one_that_is_being_closed_is_answered_for),
		TEST(the_end_of_a_closed_one_is_no_refusal_of_another),
		TEST(one_whose_end_was_lost_is_forgotten),
		TEST(other_namespaces_are_not_touched),
		TEST(one_that_is_not_established_yet_stays),
		TEST(one_that_is_listed_is_established),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
