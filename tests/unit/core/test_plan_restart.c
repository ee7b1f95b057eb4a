/* SPDX-License-Identifier: MIT */
/* What a daemon makes of what an earlier one has begun. */
#include "core/adoption.h"

#include "found.h"

#include <errno.h>

static void list_with(struct play *play, uint64_t mb, uint32_t removes)
{
	play_hear(play, (struct event){.kind = EVENT_FOUND,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.bytes = mb == UINT64_MAX ? mb : mb * MB,
				.has_receipt = removes > 0,
				.receipt = {.removes = removes}});
}

static void find_with(struct play *play, uint64_t mb, uint16_t subflows, uint32_t removes)
{
	adoption_begin(&play->plan, play->key.netns);
	list_with(play, mb, removes);
	for (uint16_t i = 0; i < subflows; i++)
		found_subflow(play, LOCAL_PORT + i, 0, false);
	found_end(play);
}

/* The rule has given it a subflow for each that it passed: it gets none for these again. */
static void thresholds_that_it_has_passed_have_had_their_effect(void **state)
{
	struct play *play = *state;

	find_with(play, 170, 3, 0);
	assert_true(play_conn(play)->is_elephant);
	play_threshold(play, 100);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 0);
	assert_int_equal(play->plan.counters.thresholds, 0);
	play_threshold(play, 200);
	assert_int_equal(play->creates, 1);
	play_closed(play);
	/* Also those of which the application has removed the subflow. */
	find_with(play, 170, 2, 1);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 1);
	play_closed(play);
	/* Where the kernel does not count what a connection has sent. */
	find_with(play, UINT64_MAX, 2, 0);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 1);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 2);
}

static void those_passed_while_there_was_no_daemon_have_it_still(void **state)
{
	struct play *play = *state;

	find_with(play, 170, 2, 0);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 0);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 1);
	play_closed(play);
	/* Its subflows are somebody else's. */
	find_with(play, 50, 3, 0);
	assert_false(play_conn(play)->is_elephant);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 2);
}

/* Its SYN was sent by a daemon that died, and is not answered yet. */
static void one_that_is_being_opened_counts(void **state)
{
	struct play *play = *state;

	play->plan.rule.max_subflows = 2;
	adoption_begin(&play->plan, play->key.netns);
	found_conn(play);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_opening(play, LOCAL_PORT + 1);
	found_end(play);
	play_assert_subflows(play, 1, 1, 0);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 0);
	play_joined(play, LOCAL_PORT + 1);
	play_assert_subflows(play, 2, 0, 0);
	play_intent(play, 0, 1);
	play_assert_subflows(play, 1, 0, 0);
}

/* An earlier daemon has left a receipt; what it had done is not done again, what it had not is. */
static void an_earlier_daemons_work_is_not_repeated(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	play_hear(play, (struct event){.kind = EVENT_FOUND,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.has_receipt = true,
				.receipt = {.adds = 2, .removes = 1, .heard = 3, .ids = 5}});
	found_subflow(play, LOCAL_PORT, 0, false);
	found_subflow(play, LOCAL_PORT + 1, 0, false);
	found_end(play);
	play_assert_receipt(play, 2, 1);
	assert_int_equal(play_conn(play)->ids.count, 5);
	play_intent(play, 2, 1);
	play_assert_subflows(play, 2, 0, 0);
	play_intent(play, 4, 1);
	play_assert_subflows(play, 2, 2, 0);
	play_assert_receipt(play, 4, 1);
}

/* RFC 8684 3.1, C flag: it holds on. What the peer had announced shows where a subflow leads. */
static void one_whose_peer_denies_joins_keeps_to_that(void **state)
{
	struct play *play = *state;
	struct endpoint other = play_remote();

	other.v4.s_addr = htonl(0x0a000003);
	for (int i = 0; i < 2; i++) {
		play->creates = 0;
		adoption_begin(&play->plan, play->key.netns);
		found_conn(play);
		found_subflow(play, LOCAL_PORT, 0, false);
		if (i)
			play_hear(play, (struct event){.kind = EVENT_FOUND_SUBFLOW,
						.local = play_local(LOCAL_PORT + 1),
						.remote = other,
						.remote_id = 7});
		adoption_end(&play->plan, play->key.netns);
		play_hear(play, (struct event){.kind = EVENT_DENIED});
		play_intent(play, 1, 0);
		assert_int_equal(play->creates, i);
		assert_int_equal(play_conn(play)->remotes.count, i);
		if (i)
			assert_true(endpoint_is_equal(&play->create.remote, &other));
		play_closed(play);
	}
}

/* Or else its end would be taken for that of an address. */
static void a_subflow_to_an_announced_address_is_replaced(void **state)
{
	struct play *play = *state;
	struct endpoint other = play_remote();

	other.v4.s_addr = htonl(0x0a000003);
	play->plan.does_repair = true;
	adoption_begin(&play->plan, play->key.netns);
	found_conn(play);
	found_subflow(play, LOCAL_PORT, 0, false);
	play_hear(play, (struct event){.kind = EVENT_FOUND_SUBFLOW,
				.local = play_local(LOCAL_PORT + 1),
				.remote = other,
				.remote_id = 7});
	found_end(play);
	play->now_ns += 10000000000;
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(LOCAL_PORT + 1),
				.remote = other,
				.error = ECONNRESET,
				.reset_reason = -1});
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->plan.counters.repairs, 1);
}

/* It died while it gave a command. What the socket shows tells whether it was given. */
static void the_last_command_counts_if_the_socket_shows_it(void **state)
{
	struct play *play = *state;

	for (uint32_t live = 1; live <= 2; live++) {
		adoption_begin(&play->plan, play->key.netns);
		play_hear(play, (struct event){.kind = EVENT_FOUND,
					.local = play_local(LOCAL_PORT),
					.remote = play_remote(),
					.has_receipt = true,
					.receipt = {.adds = 1, .creating = 1, .live = live}});
		found_subflow(play, LOCAL_PORT, 0, false);
		found_subflow(play, LOCAL_PORT + 1, 0, false);
		found_end(play);
		play_intent(play, 2, 0);
		play_assert_subflows(play, 2, live == 2, 0);
		play_assert_receipt(play, 2, 0);
		play_closed(play);
	}
}

static void list_with_move(struct play *play, uint16_t moved, uint16_t heir)
{
	play_hear(play, (struct event){.kind = EVENT_FOUND,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.has_receipt = true,
				.receipt = {.moved = moved, .heir = heir}});
}

/* It died between make and break: one of the two is one too many. */
static void a_move_is_carried_to_its_end(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	list_with_move(play, LOCAL_PORT, LOCAL_PORT + 2);
	for (uint16_t i = 0; i < 3; i++)
		found_subflow(play, LOCAL_PORT + i, 0, false);
	found_end(play);
	assert_int_equal(conn_count_all(play_conn(play)), 2);
	assert_int_equal(play->backups, 1);
	assert_int_equal(play->backup.local.port, LOCAL_PORT);
	assert_true(play->backup.is_backup);
	assert_true(play_wait(play));
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT);
	assert_int_equal(play->receipt.moved, LOCAL_PORT);
	play_left(play, LOCAL_PORT);
	assert_int_equal(play->receipt.moved, 0);
	assert_int_equal(play->receipt.heir, 0);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play->creates, 0);
}

static void so_is_one_whose_syn_is_not_answered(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	list_with_move(play, LOCAL_PORT + 1, LOCAL_PORT + 2);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_subflow(play, LOCAL_PORT + 1, 0, false);
	found_opening(play, LOCAL_PORT + 2);
	found_end(play);
	assert_int_equal(conn_count_all(play_conn(play)), 2);
	assert_int_equal(play->backups, 0);
	play_joined(play, LOCAL_PORT + 2);
	assert_int_equal(play->backups, 1);
	assert_true(play_wait(play));
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 1);
}

/* What was to take its place is not there: the old one carries data again. */
static void one_that_came_to_nothing_is_forgotten(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	list_with_move(play, LOCAL_PORT, LOCAL_PORT + 2);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_subflow(play, LOCAL_PORT + 1, 0, false);
	found_end(play);
	assert_int_equal(play->backups, 1);
	assert_int_equal(play->backup.local.port, LOCAL_PORT);
	assert_false(play->backup.is_backup);
	assert_int_equal(play->receipt.moved, 0);
	assert_false(play_wait(play));
	play_assert_subflows(play, 2, 0, 0);
}

/* The old one had gone already, and that was not noted any more. */
static void nor_is_anything_done_for_one_that_was_over(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	list_with_move(play, LOCAL_PORT + 1, LOCAL_PORT + 2);
	found_subflow(play, LOCAL_PORT, 0, false);
	found_subflow(play, LOCAL_PORT + 2, 0, false);
	found_end(play);
	assert_int_equal(play->backups, 0);
	assert_int_equal(play->receipt.moved, 0);
	assert_false(play_wait(play));
	play_assert_subflows(play, 2, 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(thresholds_that_it_has_passed_have_had_their_effect),
		TEST(those_passed_while_there_was_no_daemon_have_it_still),
		TEST(one_that_is_being_opened_counts),
		TEST(an_earlier_daemons_work_is_not_repeated),
		TEST(one_whose_peer_denies_joins_keeps_to_that),
		TEST(a_subflow_to_an_announced_address_is_replaced),
		TEST(the_last_command_counts_if_the_socket_shows_it),
		TEST(a_move_is_carried_to_its_end),
		TEST(so_is_one_whose_syn_is_not_answered),
		TEST(one_that_came_to_nothing_is_forgotten),
		TEST(nor_is_anything_done_for_one_that_was_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
