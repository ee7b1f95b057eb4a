/* SPDX-License-Identifier: MIT */
/* ADD: what applications ask for, whenever it is heard, is opened once and accounted for. */
#include "play.h"

#include <errno.h>

static void add_on_a_connection_that_is_up(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 3, 0);
	assert_int_equal(play->creates, 3);
	play_assert_subflows(play, 1, 3, 0);
	play_assert_receipt(play, 3, 0);
	for (uint16_t port = 1; port <= 3; port++)
		play_joined(play, LOCAL_PORT + port);
	play_assert_subflows(play, 4, 0, 0);
	play_assert_receipt(play, 3, 0);
	assert_int_equal(play->receipts, 3);
	assert_int_equal(play->plan.counters.requests, 3);
	assert_string_equal(play_conn(play)->why, "as the application asked: 4 in all");
}

static void add_before_it_is_established(void **state)
{
	struct play *play = *state;

	play_created(play);
	play_intent(play, 2, 0);
	assert_int_equal(play->creates, 0);
	play_assert_subflows(play, 1, 0, 2);
	play_established(play);
	assert_int_equal(play->creates, 2);
	play_assert_receipt(play, 2, 0);
}

/* The ring and the kernel's events come on two descriptors: either may be read first. */
static void add_before_it_is_created(void **state)
{
	struct play *play = *state;

	play_intent(play, 2, 0);
	assert_string_equal(play_conn(play)->why, "as the application asked: 3 in all");
	play_created(play);
	assert_int_equal(play->creates, 0);
	play_established(play);
	assert_int_equal(play->creates, 2);
	play_assert_receipt(play, 2, 0);
	assert_false(play_wait(play));
}

static void established_alone_is_enough(void **state)
{
	struct play *play = *state;

	play_intent(play, 1, 0);
	play_established(play);
	assert_int_equal(play->creates, 1);
	play_assert_subflows(play, 1, 1, 0);
}

static void add_and_remove_before_it_is_created(void **state)
{
	struct play *play = *state;

	play_intent(play, 2, 1);
	play_connect(play);
	assert_int_equal(play->creates, 1);
	play_assert_receipt(play, 2, 1);
}

static void what_was_heard_is_no_news(void **state)
{
	struct play *play = *state;
	unsigned int receipts;

	play_connect(play);
	play_intent(play, 3, 0);
	for (uint16_t port = 1; port <= 3; port++)
		play_joined(play, LOCAL_PORT + port);
	play_intent(play, 3, 1);
	receipts = play->receipts;
	/* Repeated, and overtaken in each way. */
	play_intent(play, 3, 1);
	play_intent(play, 3, 0);
	play_intent(play, 2, 0);
	play_intent(play, 0, 0);
	play_intent(play, 2, 1);
	assert_int_equal(play->creates, 3);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->receipts, receipts);
	play_assert_receipt(play, 3, 1);
	/* News of what came between is in the later one. */
	play_intent(play, 5, 1);
	assert_int_equal(play->creates, 5);
	play_assert_receipt(play, 5, 1);
}

/* Counters of 32 bits that run on. */
static void counters_wrap_around(void **state)
{
	struct play *play = *state;
	struct conn *conn;

	play_connect(play);
	play_meddle(play);
	conn = play_conn(play);
	conn->adds = conn->removes = UINT32_MAX - 1;
	conn->receipt = (struct receipt){.adds = UINT32_MAX - 1, .removes = UINT32_MAX - 1};
	play_intent(play, 1, UINT32_MAX - 1);
	assert_int_equal(play->creates, 3);
	play_assert_receipt(play, 1, UINT32_MAX - 1);
	for (uint16_t port = 1; port <= 3; port++)
		play_joined(play, LOCAL_PORT + port);
	play_intent(play, UINT32_MAX, UINT32_MAX); /* overtaken */
	assert_int_equal(play->destroys, 0);
	play_intent(play, 1, 1);
	assert_int_equal(play->destroys, 3);
	play_assert_receipt(play, 1, 1);
}

static void limit_is_in_all(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 20, 0);
	assert_int_equal(play->creates, 7);
	play_assert_receipt(play, 20, 0);
	play_intent(play, 21, 0);
	assert_int_equal(play->creates, 7);
	play_assert_receipt(play, 21, 0);
	assert_int_equal(play->plan.counters.requests, 21);
	assert_int_equal(play->plan.counters.dropped, 14);
	assert_string_equal(play_conn(play)->why,
		"as the application asked: 8 in all; 1 more were beyond max_subflows");
}

/* The hook has seen one subflow, and accepted: it does not know what others wait for. */
static void what_others_wait_for_takes_room(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 6;
	play->create_error = ENOTCONN;
	play_connect(play);
	play_assert_subflows(play, 1, 0, 5);
	play_intent(play, 7, 0);
	play_assert_subflows(play, 1, 0, 7);
	assert_int_equal(play->receipt.adds, 5);
	assert_int_equal(play->plan.counters.requests, 7);
	assert_int_equal(play->plan.counters.dropped, 5);
	assert_string_equal(play_conn(play)->why,
		"as the application asked: 8 in all; 5 more were beyond max_subflows");
}

static void lists_take_no_more_room_than_there_is(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_wish(play, 0, 2, 0, 9);
	play_tell(play);
	assert_int_equal(play->creates, 7);
	assert_int_equal(play->receipt.wishes[0].done, 9);
	assert_int_equal(play->plan.counters.requests, 9);
	assert_int_equal(play->plan.counters.dropped, 2);
	assert_string_equal(play_conn(play)->why,
		"as the application asked: 8 in all; 2 more were beyond max_subflows");
}

static void what_cannot_go_is_counted(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	play_joined(play, LOCAL_PORT + 1);
	play_intent(play, 1, 3);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 1, 3);
	assert_int_equal(play->plan.counters.dropped, 2);
	assert_string_equal(play_conn(play)->why,
		"as the application asked: 1 in all; 2 more could not go, one has to stay");
	/* What it asked for and took back again was carried out. */
	play_intent(play, 4, 6);
	assert_int_equal(play->plan.counters.dropped, 2);
}

/* It was asked for before anybody knew whose path manager the connection has. */
static void what_a_foreign_connection_cannot_have_is_counted(void **state)
{
	struct play *play = *state;

	play_intent(play, 2, 0);
	play_hear(play, (struct event){.kind = EVENT_FOREIGN});
	play_connect(play);
	assert_int_equal(play->creates, 0);
	assert_int_equal(play->plan.counters.dropped, 2);
	play_intent(play, 3, 0);
	assert_int_equal(play->plan.counters.dropped, 3);
	assert_string_equal(play_conn(play)->why,
		"cannot be split: its socket is older than Subflow's service of this namespace");
}

static void limit_holds_before_it_is_created(void **state)
{
	struct play *play = *state;

	play_intent(play, 8, 0);
	play_connect(play);
	assert_int_equal(play->creates, 7);
	play_assert_receipt(play, 8, 0);
}

/* REMOVE then ADD at the limit: accepted by the hook, heard as one record. */
static void removal_makes_room_in_the_same_record(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 7, 0);
	for (uint16_t port = 1; port <= 7; port++)
		play_joined(play, LOCAL_PORT + port);
	play_intent(play, 9, 2);
	play_assert_subflows(play, 8, 0, 0);
	play_assert_receipt(play, 9, 2);
	play_intent(play, 11, 5);
	play_assert_subflows(play, 7, 0, 0);
	play_assert_receipt(play, 11, 5);
}

/* Nothing but the limit bounds what a record may say. */
static void absurd_counters_are_survived(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, INT32_MAX, INT32_MAX);
	play_assert_receipt(play, INT32_MAX, INT32_MAX);
	assert_true(conn_count_live(play_conn(play)) <= 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(add_on_a_connection_that_is_up),
		TEST(add_before_it_is_established),
		TEST(add_before_it_is_created),
		TEST(established_alone_is_enough),
		TEST(add_and_remove_before_it_is_created),
		TEST(what_was_heard_is_no_news),
		TEST(counters_wrap_around),
		TEST(limit_is_in_all),
		TEST(what_others_wait_for_takes_room),
		TEST(lists_take_no_more_room_than_there_is),
		TEST(what_cannot_go_is_counted),
		TEST(what_a_foreign_connection_cannot_have_is_counted),
		TEST(limit_holds_before_it_is_created),
		TEST(removal_makes_room_in_the_same_record),
		TEST(absurd_counters_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
