/* SPDX-License-Identifier: MIT */
/* Local addresses that go and come: what becomes of the subflows that leave from them. */
#include <errno.h>
#include <string.h>

#include "core/multihome.h"
#include "play.h"

static struct endpoint address(uint8_t last)
{
	return (struct endpoint){.family = AF_INET, .v4.s_addr = htonl(0x0a000000 | last)};
}

static void change(struct play *play, const struct endpoint *gone, uint32_t n_usable)
{
	multihome_hear(&play->plan, play->key.netns,
		&(struct multihome_change){.gone = gone,
			.n_gone = gone ? 1 : 0,
			.usable = play->locals,
			.n_usable = n_usable});
	play_act(play);
}

static void hear_from(struct play *play, enum event_kind kind, uint8_t last, uint16_t port)
{
	struct event event = {
		.kind = kind, .local = address(last), .remote = play_remote(), .reset_reason = -1};

	event.local.port = port;
	event.id = last == 11;
	play_hear(play, event);
}

/* Subflows from 10.0.0.1 (the first one) and 10.0.0.11. */
static void begin_two(struct play *play)
{
	play->plan.policy.fullmesh = true;
	play->locals[0] = address(1);
	play->locals[1] = address(11);
	play->n_locals = 2;
	play_connect(play);
	assert_int_equal(play->creates, 1);
	hear_from(play, EVENT_SUBFLOW_ESTABLISHED, 11, 5000);
	play_assert_subflows(play, 2, 0, 0);
}

static void an_address_goes_and_comes_back(void **state)
{
	struct endpoint gone = address(11);
	struct play *play = *state;

	begin_two(play);
	change(play, &gone, 1);
	assert_int_equal(play->withdrawals, 1);
	assert_int_equal(play->withdraw.id, 1);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, 5000);
	assert_int_equal(play->plan.counters.lost, 1);
	assert_string_equal(
		play_conn(play)->why, "the address of 10.0.0.11:5000 has gone: 1 closed, 1 left");
	/* The application asked for nothing. */
	assert_int_equal(play->receipts, 0);
	hear_from(play, EVENT_SUBFLOW_CLOSED, 11, 5000);
	assert_int_equal(play->plan.counters.refused_by_peer, 0);
	/* Said once more: nothing more happens. */
	change(play, &gone, 1);
	assert_int_equal(play->withdrawals + play->destroys + play->creates, 3);
	change(play, NULL, 2);
	assert_int_equal(play->creates, 2);
	assert_true(endpoint_is_equal(&play->create.local, &gone));
	assert_int_equal(play->create.id, 1);
}

static void the_last_one_is_left_alone(void **state)
{
	struct endpoint gone = address(1);
	struct play *play = *state;

	play_connect(play);
	change(play, &gone, 0);
	assert_int_equal(play->withdrawals + play->destroys, 0);
	assert_string_equal(play_conn(play)->why,
		"the address of 10.0.0.1:40000 has gone, and no other subflow is left");
}

static void the_first_subflow_may_go(void **state)
{
	struct endpoint gone = address(1);
	struct play *play = *state;

	begin_two(play);
	change(play, &gone, 0);
	assert_int_equal(play->withdrawals, 1);
	assert_int_equal(play->withdraw.id, 0);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT);
}

/* One REMOVE_ADDR for the address, however many subflows it had; before they are closed. */
static void each_address_is_withdrawn_once(void **state)
{
	struct endpoint gone = address(1);
	struct play *play = *state;

	begin_two(play);
	play_intent(play, 1, 0);
	hear_from(play, EVENT_SUBFLOW_ESTABLISHED, 1, 5001);
	change(play, &gone, 0);
	assert_int_equal(play->withdrawals, 1);
	assert_int_equal(play->destroys, 2);
	play_assert_receipt(play, 1, 0);
}

static void other_namespaces_are_not_concerned(void **state)
{
	struct endpoint gone = address(11);
	struct play *play = *state;

	begin_two(play);
	play->key.netns = 2;
	change(play, &gone, 1);
	assert_int_equal(play->withdrawals + play->destroys, 0);
}

static void a_new_address_joins_the_mesh_only(void **state)
{
	struct endpoint added = address(12);
	struct play *play = *state;

	begin_two(play);
	play->locals[2] = added;
	change(play, NULL, 3);
	assert_int_equal(play->creates, 2);
	assert_true(endpoint_is_equal(&play->create.local, &added));
	assert_int_equal(play->create.id, 2);
	/* Without a full mesh it is nobody's business. */
	play->plan.policy.fullmesh = false;
	play->key.token++;
	play_connect(play);
	play->key.token--;
	change(play, NULL, 3);
	assert_int_equal(play->creates, 2);
}

/* Its first subflow from 10.0.0.1, and @n that were asked for by number; one from 10.0.0.11. */
static void begin_more(struct play *play, uint16_t n)
{
	play->plan.does_repair = true;
	begin_two(play);
	play_intent(play, n, 0);
	for (uint16_t i = 0; i < n; i++)
		hear_from(play, EVENT_SUBFLOW_ESTABLISHED, 1, 5001 + i);
	play_assert_subflows(play, 2 + n, 0, 0);
}

/* As where they die silently: what was asked for by number goes on from an address that lives. */
static void what_was_asked_for_by_number_goes_on_elsewhere(void **state)
{
	struct endpoint gone = address(1), other = address(11);
	struct play *play = *state;

	begin_more(play, 2);
	play->locals[0] = other;
	change(play, &gone, 1);
	assert_int_equal(play->destroys, 3);
	assert_int_equal(play->creates, 1 + 2 + 2);
	assert_true(endpoint_is_same_address(&play->create.local, &other));
	assert_int_equal(play->plan.counters.repairs, 2);
	/* The first one was all that the full mesh had there: that one comes back with the address.
	 */
	hear_from(play, EVENT_SUBFLOW_CLOSED, 1, LOCAL_PORT);
	hear_from(play, EVENT_SUBFLOW_CLOSED, 1, 5001);
	hear_from(play, EVENT_SUBFLOW_CLOSED, 1, 5002);
	hear_from(play, EVENT_SUBFLOW_ESTABLISHED, 11, 5003);
	hear_from(play, EVENT_SUBFLOW_ESTABLISHED, 11, 5004);
	play->locals[1] = address(1);
	change(play, NULL, 2);
	assert_int_equal(play->creates, 6);
	assert_true(endpoint_is_same_address(&play->create.local, &gone));
	play_assert_receipt(play, 2, 0);
}

static void within_the_budget_of_repairs(void **state)
{
	struct endpoint gone = address(1);
	struct play *play = *state;

	play->plan.max_subflows = 16;
	begin_more(play, REPAIR_MOST + 1);
	change(play, &gone, 0);
	assert_int_equal(play->creates, 1 + REPAIR_MOST + 1 + REPAIR_MOST);
	assert_int_equal(play->plan.counters.repairs_denied, 1);
	for (uint16_t i = 0; i < REPAIR_MOST; i++)
		hear_from(play, EVENT_SUBFLOW_ESTABLISHED, 11, 5100 + i);
	assert_true(play_step(play, play->now_ns + REPAIR_WINDOW_NS));
	assert_int_equal(play->creates, 1 + 2 * (REPAIR_MOST + 1));
}

static void not_where_repair_is_off(void **state)
{
	struct endpoint gone = address(1);
	struct play *play = *state;

	begin_more(play, 2);
	play->plan.does_repair = false;
	change(play, &gone, 0);
	assert_int_equal(play->destroys, 3);
	assert_int_equal(play->creates, 3);
}

/* A backup is no place to go on: it waits for the address. */
static void where_only_a_backup_is_left_it_comes_with_the_address(void **state)
{
	struct endpoint gone = address(1);
	struct play *play = *state;

	begin_more(play, 1);
	play->create_error = EADDRNOTAVAIL;
	play_hear(play, (struct event){.kind = EVENT_BACKUP,
				.local = {.family = AF_INET, .v4 = address(11).v4, .port = 5000},
				.remote = play_remote(),
				.is_backup = true});
	change(play, &gone, 0);
	assert_true(endpoint_is_same_address(&play->create.local, &gone));
	while (play_step(play, play->now_ns + 70000000000ull) && play->creates < 12)
		;
	assert_int_equal(play->creates, 12);
	play->create_error = 0;
	change(play, NULL, 2);
	assert_true(play_step(play, play->now_ns + 1000000000ull));
	assert_true(endpoint_is_same_address(&play->create.local, &gone));
	/* With what the full mesh has there. */
	play_assert_subflows(play, 1, 2, 0);
}

static void fail_to_reach(struct play *play, uint16_t port, int error)
{
	struct event event = {.kind = EVENT_SUBFLOW_CLOSED,
		.local = address(11),
		.remote = play_remote(),
		.error = error,
		.reset_reason = -1};

	event.local.port = port;
	play_hear(play, event);
}

/* As where a link is back: nobody has refused it. Each change of addresses gives four more. */
static void a_join_that_no_neighbour_answered_is_tried_again(void **state)
{
	struct play *play = *state;

	begin_two(play);
	for (uint32_t changes = 0; changes < 2; changes++) {
		play->creates = 0;
		change(play, &play->locals[1], 1);
		hear_from(play, EVENT_SUBFLOW_CLOSED, 11, 5000);
		change(play, NULL, 2);
		for (uint32_t i = 0; i < 4; i++) {
			assert_int_equal(play->creates, i + 1);
			fail_to_reach(play, 5000, EHOSTUNREACH);
		}
		assert_int_equal(play->plan.counters.refused_by_peer, changes);
		fail_to_reach(play, 5000, EHOSTUNREACH);
		assert_int_equal(play->creates, 5);
		assert_int_equal(play->plan.counters.refused_by_peer, changes + 1);
	}
}

static void a_join_that_the_peer_refused_is_not(void **state)
{
	struct play *play = *state;

	begin_two(play);
	change(play, &play->locals[1], 1);
	hear_from(play, EVENT_SUBFLOW_CLOSED, 11, 5000);
	change(play, NULL, 2);
	fail_to_reach(play, 5000, ECONNREFUSED);
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->plan.counters.refused_by_peer, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_address_goes_and_comes_back),
		TEST(the_last_one_is_left_alone),
		TEST(the_first_subflow_may_go),
		TEST(each_address_is_withdrawn_once),
		TEST(other_namespaces_are_not_concerned),
		TEST(a_new_address_joins_the_mesh_only),
		TEST(what_was_asked_for_by_number_goes_on_elsewhere),
		TEST(within_the_budget_of_repairs),
		TEST(not_where_repair_is_off),
		TEST(where_only_a_backup_is_left_it_comes_with_the_address),
		TEST(a_join_that_no_neighbour_answered_is_tried_again),
		TEST(a_join_that_the_peer_refused_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
