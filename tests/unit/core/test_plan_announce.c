/* SPDX-License-Identifier: MIT */
/* What a server has announced is withdrawn: whatever its port, used or not, by the next daemon too.
 */
#include "core/adoption.h"

#include "play.h"

#include <errno.h>
#include <string.h>

static void accept_one(struct play *play)
{
	play_hear(play, (struct event){.kind = EVENT_ESTABLISHED,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.is_server = true});
}

static void join(struct play *play, uint8_t host, uint16_t port, uint8_t id)
{
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_ESTABLISHED,
				.local = play_from(host, port),
				.remote = play_remote(),
				.id = id});
}

/* Accepted, and this address announced. */
static void announce(struct play *play, uint8_t host, uint16_t port)
{
	accept_one(play);
	play_wish(play, 0, host, port, 1);
	play_tell(play);
	assert_int_equal(play->announcements, 1);
	assert_int_equal(play->announce.id, 1);
	assert_int_equal(play->receipt.announced[0], 1);
}

/* As the hooks do where every port of the address is taken away: its other slots are free. */
static void take_away_all(struct play *play, uint8_t host)
{
	play->wishes.list[0] = (struct wish){};
	play_take_away(play, 1, host, 0);
	play_tell(play);
}

static void assert_withdrawn(struct play *play, unsigned int times, uint8_t id)
{
	assert_int_equal(play->withdrawals, times);
	assert_int_equal(play->withdraw.id, id);
	for (int i = 0; i < WISHES_MAX; i++)
		assert_int_not_equal(play->receipt.announced[i], id);
}

static void one_with_a_port_is_withdrawn(void **state)
{
	struct play *play = *state;

	announce(play, 2, 5000);
	assert_int_equal(play->announce.local.port, 5000);
	play_take_away(play, 0, 2, 5000);
	play_tell(play);
	assert_withdrawn(play, 1, 1);
	assert_true(endpoint_is_equal(&play->withdraw.local, &play->announce.local));
}

static void one_with_its_listeners_port_is_withdrawn(void **state)
{
	struct play *play = *state;

	announce(play, 2, LOCAL_PORT);
	assert_int_equal(play->announce.local.port, 0);
	play_take_away(play, 0, 2, LOCAL_PORT);
	play_tell(play);
	assert_withdrawn(play, 1, 1);
}

static void one_with_a_port_goes_with_its_address(void **state)
{
	struct play *play = *state;

	announce(play, 2, 5000);
	take_away_all(play, 2);
	assert_withdrawn(play, 1, 1);
}

/* With the port of its listener and without it is the same. */
static void one_that_is_listed_twice_stays_until_both_are_gone(void **state)
{
	struct play *play = *state;

	announce(play, 2, 0);
	play_wish(play, 1, 2, LOCAL_PORT, 1);
	play_tell(play);
	assert_int_equal(play->announcements, 1);
	assert_int_equal(play->receipt.announced[1], 1);
	join(play, 2, LOCAL_PORT, 1);
	play_take_away(play, 1, 2, LOCAL_PORT);
	play_tell(play);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->withdrawals, 0);
	play_take_away(play, 0, 2, 0);
	play_tell(play);
	assert_withdrawn(play, 1, 1);
}

/* Its subflows go to where the same id is, and would be closed with it. */
static void one_whose_id_a_subflow_needs_is_not_withdrawn(void **state)
{
	struct play *play = *state;

	announce(play, 2, 5000);
	join(play, 2, LOCAL_PORT, 1);
	play_take_away(play, 0, 2, 5000);
	play_tell(play);
	assert_int_equal(play->withdrawals, 0);
	assert_int_equal(play->destroys, 0);
}

static void one_that_is_announced_again_has_another_id(void **state)
{
	struct play *play = *state;

	announce(play, 2, 5000);
	take_away_all(play, 2);
	play_wish(play, 2, 2, 5000, 1);
	play_tell(play);
	assert_int_equal(play->announcements, 2);
	assert_int_equal(play->announce.id, 2);
	assert_int_equal(play->receipt.announced[2], 2);
}

/* No subflow is left for a moment: there is nobody to tell. */
static void it_is_withdrawn_when_there_is_a_subflow_again(void **state)
{
	struct play *play = *state;

	announce(play, 2, 5000);
	play_left(play, LOCAL_PORT);
	take_away_all(play, 2);
	assert_int_equal(play->withdrawals, 0);
	join(play, 1, LOCAL_PORT, 0);
	assert_withdrawn(play, 1, 1);
}

static void list_subflow(struct play *play, uint8_t host, uint8_t id)
{
	play_hear(play, (struct event){.kind = EVENT_FOUND_SUBFLOW,
				.local = play_from(host, LOCAL_PORT),
				.remote = play_remote(),
				.id = id,
				.is_server = true});
}

/* The daemon dies, and another takes the connection up, which has this many subflows there. */
static void succeed(struct play *play, uint8_t host, unsigned int subflows)
{
	struct receipt receipt = play->receipt;

	plan_forget_netns(&play->plan, play->key.netns);
	play_act(play);
	adoption_begin(&play->plan, play->key.netns);
	play_hear(play, (struct event){.kind = EVENT_FOUND,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.has_receipt = true,
				.receipt = receipt});
	list_subflow(play, 1, 0);
	while (subflows--)
		list_subflow(play, host, 1);
	adoption_end(&play->plan, play->key.netns);
	play_act(play);
}

/* The walk tells it what is asked for, as it stands. */
static void walk(struct play *play)
{
	play->generation--;
	play_tell(play);
}

static void the_next_daemon_withdraws_it(void **state)
{
	struct play *play = *state;

	for (unsigned int subflows = 0; subflows < 2; subflows++) {
		play->announcements = 0;
		announce(play, 2, 0);
		succeed(play, 2, subflows);
		walk(play);
		assert_int_equal(play->announcements, 1);
		assert_int_equal(play->withdrawals, subflows);
		play_take_away(play, 0, 2, 0);
		play_tell(play);
		assert_withdrawn(play, subflows + 1, 1);
		play_closed(play);
		play->wishes.list[0] = (struct wish){};
		play->generation = 0;
	}
}

/* Asked of the one that died, which did not hear of it. */
static void the_next_daemon_withdraws_what_went_unheard(void **state)
{
	struct play *play = *state;

	announce(play, 2, 5000);
	succeed(play, 2, 0);
	play_take_away(play, 0, 2, 5000);
	play_tell(play);
	assert_withdrawn(play, 1, 1);
}

static void be_it_that_its_slot_is_free(void **state)
{
	struct play *play = *state;

	announce(play, 2, 5000);
	succeed(play, 2, 0);
	take_away_all(play, 2);
	assert_withdrawn(play, 1, 1);
}

static void or_lists_it_anew(void **state)
{
	struct play *play = *state;

	announce(play, 2, 0);
	succeed(play, 2, 0);
	play_take_away(play, 0, 2, 0);
	play->wishes.list[0].adds = 1;
	play_tell(play);
	assert_int_equal(play->withdrawals, 1);
	assert_int_equal(play->withdraw.id, 1);
	assert_int_equal(play->announcements, 2);
	assert_int_equal(play->announce.id, 2);
	assert_int_equal(play->receipt.announced[0], 2);
}

static void the_next_daemon_knows_that_two_are_one(void **state)
{
	struct play *play = *state;

	announce(play, 2, 0);
	succeed(play, 2, 0);
	walk(play);
	play_wish(play, 1, 2, LOCAL_PORT, 1);
	play_tell(play);
	assert_int_equal(play->announcements, 1);
	assert_int_equal(play->receipt.announced[1], 1);
}

static void one_that_the_kernel_refuses_is_none(void **state)
{
	struct play *play = *state;

	announce(play, 2, 5000);
	play_hear(play, (struct event){.kind = EVENT_ANNOUNCE_FAILED,
				.local = play->announce.local,
				.id = play->announce.id,
				.error = ENOMEM});
	assert_int_equal(play->plan.counters.announce_failures, 1);
	assert_int_equal(play->receipt.announced[0], 0);
	assert_string_equal(play_conn(play)->why,
		"the kernel did not announce 10.0.0.2:5000: Cannot allocate memory");
	/* So there is nothing to withdraw. */
	play_take_away(play, 0, 2, 5000);
	play_tell(play);
	assert_int_equal(play->withdrawals, 0);
}

static void one_that_finds_no_id_is_none(void **state)
{
	struct play *play = *state;

	accept_one(play);
	play_meddle(play);
	ids_note(&play_conn(play)->ids, &(struct endpoint){}, UINT8_MAX);
	play_wish(play, 0, 2, 0, 1);
	play_tell(play);
	assert_int_equal(play->announcements, 0);
	assert_int_equal(play->plan.counters.announce_failures, 1);
	assert_string_equal(play_conn(play)->why,
		"10.0.0.2:0 is not announced: the 256 address ids of its connection are used up");
}

/* Why it was to be told is not hidden by that. */
static void that_the_peer_was_not_told_is_said_once(void **state)
{
	struct play *play = *state;

	announce(play, 2, 5000);
	play_take_away(play, 0, 2, 5000);
	play_tell(play);
	for (int i = 0; i < 2; i++)
		play_hear(play, (struct event){.kind = EVENT_WITHDRAW_FAILED,
					.id = play->withdraw.id,
					.error = EINVAL});
	assert_int_equal(play->plan.counters.withdraw_failures, 2);
	assert_string_equal(play_conn(play)->why,
		"as the application asked: 1 in all; the peer could not be told: Invalid argument");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_with_a_port_is_withdrawn),
		TEST(one_with_its_listeners_port_is_withdrawn),
		TEST(one_with_a_port_goes_with_its_address),
		TEST(one_that_is_listed_twice_stays_until_both_are_gone),
		TEST(one_whose_id_a_subflow_needs_is_not_withdrawn),
		TEST(one_that_is_announced_again_has_another_id),
		TEST(it_is_withdrawn_when_there_is_a_subflow_again),
		TEST(the_next_daemon_withdraws_it),
		TEST(the_next_daemon_withdraws_what_went_unheard),
		TEST(be_it_that_its_slot_is_free),
		TEST(or_lists_it_anew),
		TEST(the_next_daemon_knows_that_two_are_one),
		TEST(one_that_the_kernel_refuses_is_none),
		TEST(one_that_finds_no_id_is_none),
		TEST(that_the_peer_was_not_told_is_said_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
