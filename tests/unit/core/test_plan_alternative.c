/* SPDX-License-Identifier: MIT */
/* What takes the place of the last subflow, when its address is taken away: make before break. */
#include <errno.h>
#include <string.h>

#include "play.h"

static void the_last_one_waits_for_another(void **state)
{
	struct play *play = *state;

	play_connect_listed(play, 1);
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_from(2, 41000),
				.remote = play_remote(),
				.reset_reason = -1});
	play_take_away(play, 1, 1, 0);
	play_tell(play);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(play->creates, 2);
	play_assert_created_from(play, 2, 0);
	play_join_from(play, 2, 41001);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT);
	assert_int_equal(play->withdrawals, 1);
	assert_int_equal(play->receipt.wishes[0].done, 1); /* nobody asked for that one */
}

static void the_last_one_stays_if_there_is_no_other(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = EADDRNOTAVAIL;
	play_wish(play, 0, 2, 0, 1);
	play_tell(play);
	assert_int_equal(play->receipt.wishes[0].done, 1); /* given up */
	play_take_away(play, 1, 1, 0);
	play_tell(play);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 1, 0, 0);
	assert_non_null(strstr(play_conn(play)->why, "the last subflow stays"));
	assert_int_equal(play->plan.counters.dropped, 1);
}

static void of_several_the_oldest_stays(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_wish(play, 0, 1, 0, 2);
	play_tell(play);
	play_join_from(play, 1, 41000);
	play_join_from(play, 1, 41001);
	play->create_error = EADDRNOTAVAIL;
	play_wish(play, 1, 2, 0, 1);
	play_tell(play);
	play_take_away(play, 0, 1, 0);
	play_tell(play);
	assert_int_equal(play->destroys, 2);
	assert_int_equal(play->destroy.local.port, 41001);
	assert_non_null(strstr(play_conn(play)->why, "the last subflow stays"));
	assert_int_equal(play->plan.counters.dropped, 1);
	assert_int_equal(play->receipt.heard, play->generation);
}

/* Until then the hooks count what is to go as gone. */
static void it_is_heard_when_it_has_gone(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_wish(play, 0, 2, 0, 1);
	play_tell(play);
	play_take_away(play, 1, 1, 0);
	play_tell(play);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(play->receipt.heard, play->generation - 1);
	play_join_from(play, 2, 41000);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->receipt.heard, play->generation);
}

/* What waits without a term is no reason to wait: there is an address that can be reached. */
static void the_last_one_waits_for_none_that_cannot_be_reached(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = EADDRNOTAVAIL;
	play_wish(play, 0, 2, 0, 1);
	play_wish(play, 1, 3, 0, 1);
	play->wishes.list[0].addr[2] = 0; /* no IPv4 address any more */
	play_tell(play);
	assert_int_equal(play->creates, 1);
	play->create_error = 0;
	play_take_away(play, 2, 1, 0);
	play_tell(play);
	assert_int_equal(play->creates, 2);
	play_assert_created_from(play, 3, 0);
	play_join_from(play, 3, 41000);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT);
}

static void the_last_one_stays_if_what_is_wanted_has_no_way(void **state)
{
	struct play *play = *state;

	play_hear(play, (struct event){.kind = EVENT_ESTABLISHED,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.denies_join = true});
	play->numbers = 1;
	play_take_away(play, 0, 1, 0);
	play_tell(play);
	assert_int_equal(play->creates, 0);
	play_assert_subflows(play, 1, 0, 1);
	assert_non_null(strstr(play_conn(play)->why, "the last subflow stays"));
}

/* Only the client opens subflows. */
static void the_last_one_of_a_server_stays(void **state)
{
	struct play *play = *state;

	play_hear(play, (struct event){.kind = EVENT_ESTABLISHED,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.is_server = true});
	play_take_away(play, 0, 1, 0);
	play_wish(play, 1, 2, 0, 1);
	play_tell(play);
	assert_int_equal(play->announcements, 1);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 1, 0, 0);
	assert_non_null(strstr(play_conn(play)->why, "the last subflow stays"));
}

/* What paths there are is found out: an alternative does not wait for that. */
static void an_alternative_waits_for_no_paths(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = EADDRNOTAVAIL;
	play_wish(play, 0, 2, 0, 1);
	play_tell(play);
	play->create_error = 0;
	play->plan.steer.mode = STEER_PATHS;
	play_take_away(play, 1, 1, 0);
	play_tell(play);
	assert_int_equal(play->creates, 2);
	play_assert_created_from(play, 2, 0);
}

/* All that are there are to go, and are as many as there may be. */
static void what_replaces_them_has_room(void **state)
{
	struct play *play = *state;
	uint32_t most = play->plan.max_subflows;

	play_connect_listed(play, most - 1);
	play_take_away(play, 0, 2, 0);
	play_take_away(play, 1, 1, 0);
	play_wish(play, 2, 3, 0, 1);
	play_tell(play);
	assert_int_equal(play->creates, most);
	play_assert_created_from(play, 3, 0);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(play->receipt.wishes[2].done, 1);
	play_join_from(play, 3, 42000);
	assert_int_equal(play->destroys, most);
	play_left(play, LOCAL_PORT);
	assert_int_equal(play->creates, most);
}

/* The same, but what is wanted is to have no room before they have gone. */
static void what_has_no_room_is_not_waited_for(void **state)
{
	struct play *play = *state;
	uint32_t most = play->plan.max_subflows;

	play_connect_listed(play, most - 1);
	play_wish(play, 1, 3, 0, 1); /* one too many */
	play_tell(play);
	assert_int_equal(play->creates, most - 1);
	play_take_away(play, 0, 2, 0);
	play_take_away(play, 2, 1, 0);
	play->numbers = 1;
	play_tell(play);
	assert_int_equal(play->creates, most);
	play_assert_created_from(play, 3, 0);
	play_assert_subflows(play, 0, 1, 1);
	play_join_from(play, 3, 42000);
	assert_int_equal(play->destroys, most);
	play_left(play, LOCAL_PORT);
	assert_int_equal(play->creates, most + 1);
	play_assert_subflows(play, 1, 1, 0);
}

/* The only one that would be left may not send yet. */
static void what_leaves_waits_for_one_that_may_send(void **state)
{
	struct play *play = *state;

	play->plan.quiets.rule.time_ns = 20000000;
	play_connect(play);
	play_wish(play, 0, 2, 0, 1);
	play_tell(play);
	play_take_away(play, 1, 1, 0);
	play_tell(play);
	play_join_from(play, 2, 41000);
	assert_int_equal(play->destroys, 0);
	assert_true(play_wait(play));
	assert_int_equal(play->destroys, 1);
}

static void or_for_one_that_has_joined(void **state)
{
	struct play *play = *state;

	play->plan.quiets.rule.time_ns = 20000000;
	play_connect(play);
	play_wish(play, 0, 2, 0, 1);
	play_tell(play);
	play_join_from(play, 2, 41000);
	play_take_away(play, 1, 1, 0);
	play_tell(play);
	assert_int_equal(play->destroys, 0);
	assert_true(play_wait(play));
	assert_int_equal(play->destroys, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_last_one_waits_for_another),
		TEST(the_last_one_stays_if_there_is_no_other),
		TEST(of_several_the_oldest_stays),
		TEST(it_is_heard_when_it_has_gone),
		TEST(the_last_one_waits_for_none_that_cannot_be_reached),
		TEST(the_last_one_stays_if_what_is_wanted_has_no_way),
		TEST(the_last_one_of_a_server_stays),
		TEST(an_alternative_waits_for_no_paths),
		TEST(what_replaces_them_has_room),
		TEST(what_has_no_room_is_not_waited_for),
		TEST(what_leaves_waits_for_one_that_may_send),
		TEST(or_for_one_that_has_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
