/* SPDX-License-Identifier: MIT */
/* ADD and REMOVE while what was asked for before is not carried out yet. */
#include <errno.h>
#include <string.h>

#include "play.h"

/* REMOVE 1. */
static void remove_one(struct play *play)
{
	play->removes++;
	play_tell(play);
}

/* The only subflow that there is stays; what waits in @slot is the youngest, and is given up. */
static void assert_taken_back(struct play *play, int slot)
{
	unsigned int creates = play->creates;
	uint16_t done = play->receipt.wishes[slot].done;

	remove_one(play);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play->receipt.wishes[slot].done, done + 1);
	play_assert_receipt(play, 0, 1);
	play->create_error = 0;
	while (play_wait(play))
		;
	assert_int_equal(play->creates, creates);
}

static void removed_while_it_waits_for_paths(void **state)
{
	struct play *play = *state;

	play->plan.steer.mode = STEER_PATHS;
	play_connect(play);
	play_wish(play, 0, 2, 0, 1);
	play_tell(play);
	assert_int_equal(play->surveys, 1);
	assert_int_equal(play->creates, 0);
	assert_taken_back(play, 0);
}

static void removed_while_its_port_is_in_use(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = EADDRINUSE;
	play_wish(play, 0, 2, 5000, 1);
	play_tell(play);
	assert_int_equal(play->creates, 1);
	assert_taken_back(play, 0);
}

static void removed_while_the_peer_has_no_such_address(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_wish(play, 2, 2, 0, 1);
	memset(play->wishes.list[2].addr, 0xfd, sizeof(play->wishes.list[2].addr));
	play_tell(play);
	assert_int_equal(play->creates, 0);
	assert_taken_back(play, 2);
}

static void removed_before_its_connection_is_known(void **state)
{
	struct play *play = *state;

	play->wishes.is_restricted = 1;
	play_wish(play, 0, 1, 0, 3);
	play_tell(play);
	remove_one(play);
	play_connect(play);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 1, 1, 0);
	assert_int_equal(play->receipt.wishes[0].done, 3);
	play_assert_receipt(play, 0, 1);
}

static void removed_before_its_connection_is_established(void **state)
{
	struct play *play = *state;

	play_created(play);
	play->wishes.is_restricted = 1;
	play_wish(play, 0, 1, 0, 3);
	play_tell(play);
	remove_one(play);
	assert_int_equal(play->destroys, 0);
	play_established(play);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 1, 1, 0);
	assert_int_equal(play->receipt.wishes[0].done, 3);
	play_assert_receipt(play, 0, 1);
}

static void the_last_listed_is_removed_first(void **state)
{
	struct play *play = *state;

	play_created(play);
	play_wish(play, 0, 2, 0, 1);
	play_wish(play, 1, 3, 0, 2);
	play_tell(play);
	remove_one(play);
	remove_one(play);
	play_established(play);
	assert_int_equal(play->creates, 1);
	play_assert_created_from(play, 2, 0);
	play_assert_receipt(play, 0, 2);
}

/* Which one is the first is not known before the connection is. */
static void the_first_one_counts_though_removed(void **state)
{
	struct play *play = *state;

	play->wishes.is_restricted = 1;
	play_wish(play, 0, 3, 0, 1);
	play_wish(play, 1, 1, 0, 1);
	play_tell(play);
	remove_one(play);
	remove_one(play); /* there would be none left */
	play_connect(play);
	assert_int_equal(play->creates, 0);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play->receipt.wishes[0].done, 1);
	assert_int_equal(play->receipt.wishes[1].done, 1);
	play_assert_receipt(play, 0, 2);
}

/* It is neither what waits nor the youngest. */
static void the_first_one_is_not_taken_back(void **state)
{
	struct play *play = *state;

	play->wishes.is_restricted = 1;
	play_wish(play, 0, 1, 0, 1);
	play_tell(play);
	play_threshold(play, 100);
	remove_one(play);
	play_connect(play);
	assert_int_equal(play->creates, 0);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 0, 1);
}

static void the_first_one_is_not_counted_twice(void **state)
{
	struct play *play = *state;

	play->wishes.is_restricted = 1;
	play_wish(play, 0, 1, 0, 2);
	play->numbers = 6;
	play_tell(play);
	play_connect(play);
	assert_int_equal(play->creates, 7);
}

/* What is being opened may come to nothing. */
static void the_only_established_one_stays(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_wish(play, 0, 2, 0, 1);
	play_wish(play, 1, 3, 0, 1);
	play_tell(play);
	play_join_from(play, 3, 41000);
	play_left(play, LOCAL_PORT);
	remove_one(play);
	assert_int_equal(play->destroys, 0);
	play_join_from(play, 2, 41001);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, 41001);
	play_assert_receipt(play, 0, 1);
}

/* Several calls at once: what was asked for after the REMOVE is not what it meant. */
static void what_is_added_after_a_remove_stays(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_wish(play, 0, 2, 0, 1);
	play_tell(play);
	play_take_away(play, 1, 1, 0);
	play_tell(play);
	assert_int_equal(play->destroys, 0);
	play->wishes.list[1].adds = 3;
	play_tell(play);
	assert_int_equal(play->creates, 4);
	play_wish(play, 0, 2, 0, 2);
	play_tell(play);
	assert_int_equal(play->creates, 5);
	for (uint16_t i = 0; i < 3; i++)
		play_join_from(play, 1, 42000 + i);
	for (uint16_t i = 0; i < 2; i++)
		play_join_from(play, 2, 41000 + i);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT);
}

/* Up to the limit, heard in one: what goes leaves room. */
static void what_goes_leaves_room(void **state)
{
	struct play *play = *state;
	uint32_t most = play->plan.max_subflows;

	play_connect_listed(play, most - 1);
	play_take_away(play, 0, 2, 0);
	play_wish(play, 1, 3, 0, most - 1);
	play_tell(play);
	assert_int_equal(play->destroys, most - 1);
	for (uint16_t i = 0; i + 1u < most; i++)
		play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
					.local = play_from(2, 41000 + i),
					.remote = play_remote()});
	assert_int_equal(play->creates, 2 * (most - 1));
	play_assert_created_from(play, 3, 0);
}

/* The peer may carry out a REMOVE_ADDR late: by the id of what is there by then. */
static void an_address_that_comes_back_has_another_id(void **state)
{
	struct play *play = *state;
	uint8_t id;

	play_connect_listed(play, 2);
	id = play->create.id;
	play_take_away(play, 0, 2, 0);
	play_tell(play);
	assert_int_equal(play->destroys, 2);
	play->wishes.list[0].adds = 1;
	play_tell(play);
	assert_int_equal(play->creates, 2);
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_from(2, 41000),
				.remote = play_remote()});
	assert_int_equal(play->creates, 2);
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_from(2, 41001),
				.remote = play_remote()});
	assert_int_equal(play->creates, 3);
	play_assert_created_from(play, 2, 0);
	assert_int_not_equal(play->create.id, id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(removed_while_it_waits_for_paths),
		TEST(removed_while_its_port_is_in_use),
		TEST(removed_while_the_peer_has_no_such_address),
		TEST(removed_before_its_connection_is_known),
		TEST(removed_before_its_connection_is_established),
		TEST(the_last_listed_is_removed_first),
		TEST(the_first_one_counts_though_removed),
		TEST(the_first_one_is_not_taken_back),
		TEST(the_first_one_is_not_counted_twice),
		TEST(the_only_established_one_stays),
		TEST(what_is_added_after_a_remove_stays),
		TEST(what_goes_leaves_room),
		TEST(an_address_that_comes_back_has_another_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
