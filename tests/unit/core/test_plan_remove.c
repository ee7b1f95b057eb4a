/* SPDX-License-Identifier: MIT */
/* REMOVE: the youngest goes, wherever it is on its way, and never the last. */
#include <errno.h>

#include "core/order.h"
#include "play.h"

static void takes_the_youngest(void **state)
{
	struct play *play = *state;

	play_connect_with(play, 2);
	play_intent(play, 2, 1);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 2);
	play_assert_receipt(play, 2, 1);
	play_left(play, LOCAL_PORT + 2);
	play_intent(play, 2, 2);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 1);
	play_assert_receipt(play, 2, 2);
	assert_int_equal(play->plan.counters.destroyed, 2);
}

/* Before the kernel tells that the first one has gone. */
static void does_not_take_one_twice(void **state)
{
	struct play *play = *state;

	play_connect_with(play, 3);
	play_intent(play, 3, 2);
	assert_int_equal(play->destroys, 2);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 2);
	play_assert_subflows(play, 2, 0, 0);
	play_intent(play, 3, 3);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 1);
	play_assert_subflows(play, 1, 0, 0);
	for (uint16_t port = 1; port <= 3; port++)
		play_left(play, LOCAL_PORT + port);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 3, 3);
	assert_int_equal(play->plan.counters.refused_by_peer, 0);
}

static void never_takes_the_last(void **state)
{
	struct play *play = *state;

	play_connect_with(play, 1);
	play_intent(play, 1, 5);
	assert_int_equal(play->destroys, 1);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 1, 5);
	assert_string_equal(play_conn(play)->why,
		"as the application asked: 1 in all; 4 more could not go, one has to stay");
}

static void the_initial_one_may_go(void **state)
{
	struct play *play = *state;

	play_connect_with(play, 2);
	play_left(play, LOCAL_PORT);
	play_intent(play, 2, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 2);
	play_intent(play, 2, 2);
	assert_int_equal(play->destroys, 1);
	play_assert_receipt(play, 2, 2);
}

static void not_sent_yet(void **state)
{
	struct play *play = *state;

	play_created(play);
	play_intent(play, 3, 0);
	play_intent(play, 3, 1);
	play_assert_subflows(play, 1, 0, 2);
	play_assert_receipt(play, 1, 1);
	play_established(play);
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->destroys, 0);
	play_assert_receipt(play, 3, 1);
}

static void elephants_not_sent_yet(void **state)
{
	struct play *play = *state;

	play_created(play);
	play_threshold(play, 100);
	play_intent(play, 0, 1);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 0, 1);
	assert_int_equal(play_conn(play)->n_passed, 0);
}

static void an_order_not_sent_yet(void **state)
{
	struct play *play = *state;
	const char *why;

	play_created(play);
	assert_int_equal(order_add(&play->plan, play_conn(play), 1, play->now_ns, &why), 0);
	play_intent(play, 0, 1);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 0, 1);
	play_established(play);
	assert_int_equal(play->creates, 0);
}

static void a_repair_not_sent_yet(void **state)
{
	struct play *play = *state;

	play->plan.does_repair = true;
	play_connect_with(play, 1);
	play->now_ns += 2000000000; /* no refusal any more */
	play->create_error = ENOTCONN;
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(LOCAL_PORT + 1),
				.remote = play_remote(),
				.error = ECONNRESET,
				.reset_reason = -1});
	play_assert_subflows(play, 1, 0, 1);
	play_intent(play, 1, 1);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 1, 1);
}

/* The kernel has no more at any time than the limit says. */
static void doomed_ones_make_room_when_they_are_gone(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 7, 0);
	play_intent(play, 7, 1);
	play_intent(play, 8, 1);
	assert_int_equal(play->creates, 7);
	play_assert_subflows(play, 1, 6, 1);
	for (uint16_t port = 1; port <= 7; port++)
		play_joined(play, LOCAL_PORT + port);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->creates, 8);
	play_assert_subflows(play, 7, 1, 0);
	play_joined(play, LOCAL_PORT + 8);
	play_assert_subflows(play, 8, 0, 0);
	play_assert_receipt(play, 8, 1);
}

static void removed_while_its_create_waits(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = ENOTCONN;
	play_intent(play, 2, 0);
	play_assert_subflows(play, 1, 0, 2);
	play_intent(play, 2, 1);
	play_assert_receipt(play, 1, 1);
	play->create_error = 0;
	assert_true(play_wait(play));
	assert_int_equal(play->creates, 3);
	play_assert_receipt(play, 2, 1);
	play_assert_subflows(play, 1, 1, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_the_youngest),
		TEST(does_not_take_one_twice),
		TEST(never_takes_the_last),
		TEST(the_initial_one_may_go),
		TEST(not_sent_yet),
		TEST(elephants_not_sent_yet),
		TEST(an_order_not_sent_yet),
		TEST(a_repair_not_sent_yet),
		TEST(doomed_ones_make_room_when_they_are_gone),
		TEST(removed_while_its_create_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
