/* SPDX-License-Identifier: MIT */
/* A subflow that falls silent: given up and replaced, within a budget. */
#include "play.h"

#include <errno.h>
#include <string.h>

#define PLACED 50000 /* ports that lead to the ways 0, 1, 0, 1, ... */

static int begin(void **state)
{
	struct play *play = play_new(state);

	if (!play)
		return -1;
	play->plan.does_repair = true;
	return 0;
}

/* Two subflows: the first one and LOCAL_PORT + 1. */
static void play_two(struct play *play)
{
	play_connect(play);
	play_intent(play, 1, 0);
	play_joined(play, LOCAL_PORT + 1);
}

static void a_silent_subflow_is_replaced(void **state)
{
	struct play *play = *state;

	play_two(play);
	play_fell_silent(play, LOCAL_PORT + 1);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 1);
	assert_int_equal(play->creates, 2);
	play_left(play, LOCAL_PORT + 1);
	play_joined(play, LOCAL_PORT + 2);
	play_assert_subflows(play, 2, 0, 0);
	/* Nobody asked for it to go: the application's account stands. */
	play_assert_receipt(play, 1, 0);
	assert_int_equal(play->plan.counters.repairs, 1);
}

/* It does not wait until the kernel has closed the other one. */
static void a_replacement_needs_no_room(void **state)
{
	struct event timeout = {.kind = EVENT_TIMEOUT,
		.local = play_local(LOCAL_PORT + 1),
		.remote = play_remote()};
	unsigned int destroys = 0, creates = 0;
	struct play *play = *state;
	const struct action *action;

	play->plan.max_subflows = play->plan.rule.max_subflows = 2;
	play_two(play);
	timeout.key = play->key;
	plan_hear(&play->plan, &timeout);
	while ((action = plan_next(&play->plan))) {
		destroys += action->kind == ACTION_DESTROY;
		creates += action->kind == ACTION_CREATE;
		if (action->kind == ACTION_LISTEN)
			plan_hear(&play->plan, &(struct event){.kind = EVENT_LISTEN_DONE,
						       .key = play->key,
						       .serial = action->serial});
	}
	assert_int_equal(destroys, 1);
	assert_int_equal(creates, 1);
	play_assert_subflows(play, 1, 1, 0);
}

static void the_first_one_too(void **state)
{
	struct play *play = *state;

	play_two(play);
	play_fell_silent(play, LOCAL_PORT);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT);
	assert_int_equal(play->creates, 2);
}

static void the_last_one_is_left_alone(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_fell_silent(play, LOCAL_PORT);
	assert_int_equal(play->destroys, 0);
	play_intent(play, 1, 0);
	play_joined(play, LOCAL_PORT + 1);
	play_intent(play, 1, 1); /* the other one is on its way out */
	play_fell_silent(play, LOCAL_PORT);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->plan.counters.repairs, 0);
}

static void once_is_enough(void **state)
{
	struct play *play = *state;

	play_two(play);
	play_fell_silent(play, LOCAL_PORT + 1);
	play_fell_silent(play, LOCAL_PORT + 1); /* its timeouts go on while it closes */
	play_fell_silent(play, LOCAL_PORT + 9); /* and of one that is gone */
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->creates, 2);
}

static void one_that_is_heard_of_meanwhile_stays(void **state)
{
	struct play *play = *state;

	play_two(play);
	play->listen_error = EAGAIN;
	play_fell_silent(play, LOCAL_PORT + 1);
	assert_int_equal(play->listens, 1);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play->plan.counters.false_alarms, 1);
	assert_int_equal(play->plan.counters.repairs, 0);
}

/* Of several at once nobody knows whether the paths are dead: it is told, and nothing is done. */
static void several_at_once_are_left_to_the_kernel(void **state)
{
	struct event outage = {.kind = EVENT_OUTAGE, .remote = play_remote()};
	struct play *play = *state;

	play_connect_with(play, 2);
	play->plan.news.is_wanted = true;
	outage.local = play_local(LOCAL_PORT + 1);
	play_hear(play, outage);
	play_assert_told(play);
	assert_non_null(strstr(play_conn(play)->why, "left to the kernel"));
	assert_int_equal(play->listens, 0);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(play->plan.counters.outages, 1);
	/* Of one that is gone, and where nothing is repaired, there is nothing to tell. */
	outage.local = play_local(LOCAL_PORT + 9);
	play_hear(play, outage);
	outage.local = play_local(LOCAL_PORT + 1);
	play->plan.does_repair = false;
	play_hear(play, outage);
	assert_int_equal(play->plan.counters.outages, 1);
}

static void a_refused_destroy_leaves_it_as_it_was(void **state)
{
	struct play *play = *state;

	play_two(play);
	play->destroy_error = EPERM;
	play_fell_silent(play, LOCAL_PORT + 1);
	play_assert_receipt(play, 1, 0);
	play->destroy_error = 0;
	play_joined(play, LOCAL_PORT + 2);
	play_assert_subflows(play, 3, 0, 0);
	play_intent(play, 1, 2); /* what goes now was asked to go */
	play_assert_receipt(play, 1, 2);
}

/* Or else each of its timeouts would bring one more. */
static void what_cannot_be_closed_is_replaced_once(void **state)
{
	struct play *play = *state;

	play_two(play);
	play->destroy_error = EPERM;
	for (int i = 0; i < 3; i++)
		play_fell_silent(play, LOCAL_PORT + 1);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->creates, 2);
	play_assert_subflows(play, 2, 1, 0);
}

/* It stays, and so nothing is missing. */
static void what_cannot_be_closed_takes_back_its_replacement(void **state)
{
	struct play *play = *state;

	play_two(play);
	play->create_error = ENOTCONN;
	play_intent(play, 2, 0); /* it is tried again later, and all others with it */
	play->destroy_error = EPERM;
	play_fell_silent(play, LOCAL_PORT + 1);
	assert_int_equal(play->destroys, 1);
	play->create_error = 0;
	assert_true(play_wait(play));
	play_assert_subflows(play, 2, 1, 0);
}

static void flapping_links_are_left_to_the_kernel(void **state)
{
	struct play *play = *state;
	uint16_t port = LOCAL_PORT + 1;

	play->plan.news.is_wanted = true;
	play_two(play);
	for (int i = 0; i < 3 * REPAIR_MOST; i++) {
		play_fell_silent(play, port);
		if (play->destroys < (unsigned int)i + 1)
			continue;
		play_left(play, port);
		play_joined(play, ++port);
	}
	assert_int_equal(play->destroys, REPAIR_MOST);
	assert_int_equal(play->plan.counters.repairs, REPAIR_MOST);
	assert_int_equal(play->plan.counters.repairs_denied, 2 * REPAIR_MOST);
	assert_non_null(strstr(play_conn(play)->why,
		"a subflow fell silent, and is left to the kernel: 8 were replaced"));
	play_assert_told(play);
	play->now_ns += REPAIR_WINDOW_NS;
	play_fell_silent(play, port);
	assert_int_equal(play->destroys, REPAIR_MOST + 1);
}

/* Wherever the ten seconds begin: the first of eight was long ago, the others were just now. */
static void the_budget_holds_at_any_time(void **state)
{
	struct play *play = *state;
	struct conn *conn;

	play_two(play);
	conn = play_conn(play);
	play_meddle(play);
	assert_true(repair_allow(&play->plan, conn, play->now_ns));
	play->now_ns += REPAIR_WINDOW_NS - 1;
	for (int i = 1; i < REPAIR_MOST; i++)
		assert_true(repair_allow(&play->plan, conn, play->now_ns));
	assert_false(repair_allow(&play->plan, conn, play->now_ns));
	play->now_ns++;
	assert_true(repair_allow(&play->plan, conn, play->now_ns));
	assert_false(repair_allow(&play->plan, conn, play->now_ns));
}

/* The hooks do not watch those, but somebody else's program may have the kernel call them. */
static void what_a_server_has_accepted_is_its_clients(void **state)
{
	struct play *play = *state;

	play_hear(play, (struct event){.kind = EVENT_CREATED,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.is_server = true});
	play_joined(play, LOCAL_PORT + 1);
	play_fell_silent(play, LOCAL_PORT + 1);
	assert_int_equal(play->listens + play->destroys + play->creates, 0);
	play_assert_subflows(play, 2, 0, 0);
}

/* What is known of the paths must do. */
static void a_replacement_waits_for_no_survey(void **state)
{
	struct play *play = *state;

	play_two(play);
	play->plan.steer.mode = STEER_PATHS;
	play_fell_silent(play, LOCAL_PORT + 1);
	assert_int_equal(play->surveys, 0);
	assert_int_equal(play->creates, 2);
}

/* That one goes on waiting. */
static void nor_for_one_of_another(void **state)
{
	struct play *play = *state;

	play_two(play);
	play->plan.steer.mode = STEER_PATHS;
	play->plan.does_repair = true;
	play_threshold(play, 100);
	assert_int_equal(play->surveys, 1);
	assert_int_equal(play->creates, 1);
	play_fell_silent(play, LOCAL_PORT + 1);
	assert_int_equal(play->creates, 2);
	play_assert_subflows(play, 1, 1, 1);
	assert_true(play_conn(play)->is_steering);
	play_hear(play, (struct event){.kind = EVENT_PATHS});
	assert_int_equal(play->creates, 3);
}

static void is_reset(struct play *play, uint16_t port, int error, int reason)
{
	play->now_ns += 2000000000;
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(port),
				.remote = play_remote(),
				.error = error,
				.reset_reason = reason});
}

static void one_that_is_reset_is_replaced(void **state)
{
	struct play *play = *state;

	play_two(play);
	is_reset(play, LOCAL_PORT + 1, ECONNRESET, 0);
	assert_string_equal(
		play_conn(play)->why, "the subflow of 10.0.0.1:40001 was reset: replaced");
	assert_int_equal(play->creates, 2);
	play_assert_subflows(play, 1, 1, 0);
	assert_int_equal(play->plan.counters.repairs, 1);
	assert_int_equal(play->plan.counters.refused_by_peer, 0);
	/* The last one, too: the kernel keeps the connection for a while. */
	is_reset(play, LOCAL_PORT, ETIMEDOUT, -1);
	assert_int_equal(play->creates, 3);
	play_assert_receipt(play, 1, 0);
}

static void what_ends_in_good_order_is_not_replaced(void **state)
{
	struct play *play = *state;

	play_two(play);
	is_reset(play, LOCAL_PORT + 1, 0, -1);
	assert_int_equal(play->creates, 1);
}

static void nor_what_the_peer_does_not_want(void **state)
{
	struct play *play = *state;

	play_two(play);
	is_reset(play, LOCAL_PORT + 1, ECONNRESET, 2);
	play_intent(play, 2, 0);
	play_joined(play, LOCAL_PORT + 2);
	is_reset(play, LOCAL_PORT + 2, ECONNRESET, 3);
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->plan.counters.repairs, 0);
}

static void nor_a_join_that_is_reset_at_once(void **state)
{
	struct play *play = *state;

	play_two(play);
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(LOCAL_PORT + 1),
				.remote = play_remote(),
				.error = ECONNRESET});
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->plan.counters.refused_by_peer, 1);
}

/* A mapping of data at odds with the one before: the join itself had been taken. */
static void one_that_meets_an_error_at_once_is_replaced(void **state)
{
	struct play *play = *state;

	play_two(play);
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(LOCAL_PORT + 1),
				.remote = play_remote(),
				.error = ECONNRESET,
				.reset_reason = RESET_MPTCP});
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->plan.counters.refused_by_peer, 0);
	assert_int_equal(play->plan.counters.repairs, 1);
}

/* Two ways are known: the first subflow is on one, the second on the other. */
static void play_two_ways(struct play *play)
{
	struct path_map *map = play_know(play);

	play_learn(play, map, LOCAL_PORT, 0);
	for (uint16_t i = 0; i < 8; i++)
		play_learn(play, map, PLACED + i, i % 2);
	play->plan.steer.mode = STEER_PATHS;
	play_connect(play);
	play_intent(play, 1, 0);
	assert_int_equal((play->create.local.port - PLACED) % 2, 1);
	play_joined(play, play->create.local.port);
}

/* What broke was the peer's MPTCP, and not the way there. */
static void an_error_of_the_peer_s_is_none_of_the_path(void **state)
{
	struct play *play = *state;
	uint16_t first;

	play_two_ways(play);
	first = play->create.local.port;
	is_reset(play, first, ECONNRESET, RESET_MPTCP);
	assert_int_equal(play->creates, 2);
	assert_int_not_equal(play->create.local.port, first);
	assert_int_equal((play->create.local.port - PLACED) % 2, 1);
	/* Or once: something on the way may have removed its options. */
	play_joined(play, play->create.local.port);
	is_reset(play, play->create.local.port, ECONNRESET, RESET_MPTCP);
	assert_int_equal(play->creates, 3);
	assert_int_equal((play->create.local.port - PLACED) % 2, 0);
}

static void any_other_reset_is(void **state)
{
	struct play *play = *state;

	play_two_ways(play);
	is_reset(play, play->create.local.port, ECONNRESET, -1);
	assert_int_equal(play->creates, 2);
	assert_int_equal((play->create.local.port - PLACED) % 2, 0);
}

/* The first one's address is dead with it; where another lives there, it is the path. */
static void a_repair_leaves_from_an_address_that_lives(void **state)
{
	struct play *play = *state;

	play->plan.does_repair = true;
	play_connect_listed(play, 1);
	play_intent(play, 1, 0);
	play_joined(play, LOCAL_PORT + 1);
	play_fell_silent(play, LOCAL_PORT);
	assert_int_equal(play->creates, 3);
	play_assert_created_from(play, 1, 0);
	play_fell_silent(play, LOCAL_PORT + 1);
	assert_int_equal(play->creates, 4);
	play_assert_created_from(play, 2, 0);
}

/* It comes back from the address that the application has listed. */
static void what_was_listed_comes_back_from_its_address(void **state)
{
	struct play *play = *state;

	play->plan.does_repair = true;
	play_connect_listed(play, 1);
	play_hear(play, (struct event){.kind = EVENT_TIMEOUT,
				.local = play_from(2, 41000),
				.remote = play_remote()});
	assert_int_equal(play->creates, 2);
	play_assert_created_from(play, 2, 0);
	assert_int_equal(play->receipt.wishes[0].done, 1);
}

static void nor_one_that_never_had_siblings(void **state)
{
	struct play *play = *state;

	play_connect(play);
	is_reset(play, LOCAL_PORT, ECONNRESET, 0);
	assert_int_equal(play->creates, 0);
}

/* The kernel would refuse it. */
static void nor_what_the_in_kernel_path_manager_has_opened(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_hear(play, (struct event){.kind = EVENT_FOREIGN});
	play_joined(play, LOCAL_PORT + 1);
	is_reset(play, LOCAL_PORT + 1, ECONNRESET, 0);
	is_reset(play, LOCAL_PORT, ECONNRESET, 0);
	while (play_step(play, UINT64_MAX))
		;
	assert_int_equal(play->creates, 0);
	assert_int_equal(play->plan.counters.repairs, 0);
}

static void nothing_is_replaced_where_repair_is_off(void **state)
{
	struct play *play = *state;

	play_two(play);
	play->plan.does_repair = false; /* as by SIGHUP */
	play_fell_silent(play, LOCAL_PORT);
	assert_int_equal(play->listens, 0);
	is_reset(play, LOCAL_PORT + 1, ECONNRESET, 0);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(play->plan.counters.repairs, 0);
}

/* It is switched off while the kernel is asked. */
static void nor_what_has_been_listened_for_by_then(void **state)
{
	struct event timeout = {.kind = EVENT_TIMEOUT,
		.local = play_local(LOCAL_PORT + 1),
		.remote = play_remote()};
	struct event listened = {.kind = EVENT_LISTEN_DONE};
	struct play *play = *state;

	play_two(play);
	timeout.key = listened.key = play->key;
	plan_hear(&play->plan, &timeout);
	listened.serial = plan_next(&play->plan)->serial;
	play->plan.does_repair = false;
	play_hear(play, listened);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(play->creates, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_silent_subflow_is_replaced),
		TEST(a_replacement_needs_no_room),
		TEST(the_first_one_too),
		TEST(the_last_one_is_left_alone),
		TEST(once_is_enough),
		TEST(one_that_is_heard_of_meanwhile_stays),
		TEST(several_at_once_are_left_to_the_kernel),
		TEST(a_refused_destroy_leaves_it_as_it_was),
		TEST(what_cannot_be_closed_is_replaced_once),
		TEST(what_cannot_be_closed_takes_back_its_replacement),
		TEST(flapping_links_are_left_to_the_kernel),
		TEST(the_budget_holds_at_any_time),
		TEST(what_a_server_has_accepted_is_its_clients),
		TEST(a_replacement_waits_for_no_survey),
		TEST(nor_for_one_of_another),
		TEST(one_that_is_reset_is_replaced),
		TEST(what_ends_in_good_order_is_not_replaced),
		TEST(nor_what_the_peer_does_not_want),
		TEST(nor_a_join_that_is_reset_at_once),
		TEST(one_that_meets_an_error_at_once_is_replaced),
		TEST(an_error_of_the_peer_s_is_none_of_the_path),
		TEST(any_other_reset_is),
		TEST(a_repair_leaves_from_an_address_that_lives),
		TEST(what_was_listed_comes_back_from_its_address),
		TEST(nor_one_that_never_had_siblings),
		TEST(nor_what_the_in_kernel_path_manager_has_opened),
		TEST(nothing_is_replaced_where_repair_is_off),
		TEST(nor_what_has_been_listened_for_by_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
