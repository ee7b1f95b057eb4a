/* SPDX-License-Identifier: MIT */
/* Joins that are refused: by a destination time and again, and for good. */
#include "play.h"

#include <errno.h>
#include <string.h>

#define SECOND 1000000000ull

static int begin(void **state)
{
	struct play *play = play_new(state);

	if (!play)
		return -1;
	play->plan.refusals.rule = (struct refusals_rule){.most = 3, .hold_ns = 60 * SECOND};
	return 0;
}

static void refuse(struct play *play, uint16_t port, int reset_reason, bool is_transient)
{
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(port),
				.remote = play_remote(),
				.error = reset_reason < 0 ? ECONNREFUSED : ECONNRESET,
				.reset_reason = reset_reason,
				.is_transient = is_transient});
}

/* As behind a load balancer: another host answers. */
static void a_destination_that_refuses_is_left_in_peace(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 3, 0);
	for (int i = 1; i <= 3; i++)
		refuse(play, LOCAL_PORT + i, -1, false);
	assert_int_equal(play->creates, 3);
	play_intent(play, 5, 0);
	play_assert_receipt(play, 5, 0);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 3);
	assert_int_equal(play->plan.counters.withheld, 3);
	assert_int_equal(play_conn(play)->n_passed, 0);
	assert_string_equal(play_conn(play)->why,
		"no subflow: 10.0.0.2:80 refused the last 3 joins (Connection refused), as behind "
		"a load balancer; none is tried for another 60 s");
	play_assert_subflows(play, 1, 0, 0);
	/* Neither do new connections. */
	play->key.token++;
	play->plan.policy.ndiffports = 4;
	play_connect(play);
	assert_int_equal(play->creates, 3);
	play->now_ns += 60 * SECOND;
	play_intent(play, 1, 0);
	assert_int_equal(play->creates, 4);
	refuse(play, LOCAL_PORT + 1, -1, false);
	play_intent(play, 2, 0);
	assert_int_equal(play->creates, 4);
}

static void lists_leave_it_in_peace(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 3, 0);
	for (int i = 1; i <= 3; i++)
		refuse(play, LOCAL_PORT + i, -1, false);
	play->numbers = 3;
	play_wish(play, 0, 1, 0, 2);
	play_tell(play);
	assert_int_equal(play->creates, 3);
	assert_int_equal(play->receipt.wishes[0].done, 2);
	assert_int_equal(play->plan.counters.withheld, 2);
}

static void a_full_mesh_leaves_it_in_peace(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 3, 0);
	for (int i = 1; i <= 3; i++)
		refuse(play, LOCAL_PORT + i, -1, false);
	play->plan.policy.fullmesh = true;
	play->locals[0] = play_local(0);
	play->locals[1] = play_local(0);
	play->locals[1].v4.s_addr = htonl(0x0a000103);
	play->n_locals = 2;
	play->key.token++;
	play_connect(play);
	assert_int_equal(play->creates, 3);
	play->now_ns += 60 * SECOND;
	play_hear(play, (struct event){.kind = EVENT_PATHS});
	play_established(play);
	assert_int_equal(play->creates, 4);
}

static void one_that_comes_up_counts_anew(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 7, 0);
	refuse(play, LOCAL_PORT + 1, -1, false);
	refuse(play, LOCAL_PORT + 2, -1, false);
	play_joined(play, LOCAL_PORT + 3);
	refuse(play, LOCAL_PORT + 4, -1, false);
	refuse(play, LOCAL_PORT + 5, -1, false);
	play_intent(play, 8, 0);
	assert_int_equal(play->creates, 8);
	assert_int_equal(play->plan.counters.withheld, 0);
}

/* RFC 8684 section 3.6: T = 0. */
static void a_reset_for_good_stops_what_nobody_asked_for(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	refuse(play, LOCAL_PORT + 1, 3, false);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 1);
	assert_string_equal(
		play_conn(play)->why, "no subflow: 10.0.0.2:80 has refused one for good");
	assert_int_equal(play_conn(play)->n_passed, 0);
	/* Each call of the application is a new beginning. */
	play_intent(play, 1, 0);
	assert_int_equal(play->creates, 2);
	play_joined(play, LOCAL_PORT + 2);
	play->now_ns += 2 * SECOND;
	/* There is room again. */
	play_left(play, LOCAL_PORT + 2);
	play_threshold(play, 200);
	assert_int_equal(play->creates, 3);
	/* It is a matter of this connection. */
	play->key.token++;
	play_connect(play);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 4);
}

static void a_transient_reset_stops_nothing(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	refuse(play, LOCAL_PORT + 1, 2, true);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 2);
}

static void a_repair_is_tried_after_a_reset_for_good(void **state)
{
	struct play *play = *state;

	play->plan.does_repair = true;
	play_connect(play);
	play_threshold(play, 100);
	play_joined(play, LOCAL_PORT + 1);
	play_threshold(play, 150);
	refuse(play, LOCAL_PORT + 2, 3, false);
	assert_int_equal(play->creates, 2);
	play_fell_silent(play, LOCAL_PORT + 1);
	assert_int_equal(play->creates, 3);
}

/* The next of those that come up gets one from its start. */
static void connect_next(struct play *play)
{
	play->now_ns += SECOND;
	play->key.token++;
	play_connect(play);
}

static void pass(struct play *play, uint64_t ns)
{
	uint64_t end_ns = play->now_ns + ns;

	while (play_step(play, end_ns))
		;
	play->now_ns = end_ns;
}

static int begin_silent(void **state)
{
	struct play *play;
	int r = begin(state);

	play = *state;
	if (r)
		return r;
	play->plan.does_repair = true;
	play->plan.policy.ndiffports = 2;
	play->plan.steer.mode = STEER_RANDOM;
	steer_set_ports(&play->plan.steer, play->key.netns,
		&(struct ports){.low = 30000, .high = 60000}, play->now_ns);
	return 0;
}

/* As behind a firewall that drops them. */
static void a_destination_that_answers_none_is_left_in_peace(void **state)
{
	struct play *play = *state;

	for (int i = 1; i <= 3; i++) {
		connect_next(play);
		pass(play, 3 * SILENCE_NS);
		assert_int_equal(play->plan.refusals.entries->in_a_row, i);
		/* The third one was the last of all. */
		assert_int_equal(play->creates, i < 3 ? 4 * i : 9);
		play_closed(play);
	}
	connect_next(play);
	assert_int_equal(play->creates, 9);
	assert_string_equal(play_conn(play)->why,
		"no subflow: 10.0.0.2:80 refused the last 3 joins (Connection timed out), as "
		"behind a firewall; none is tried for another 53 s");
	assert_int_equal(play->plan.counters.refused_by_peer, 0);
	play_closed(play);
	/* Then one is enough. */
	play->now_ns += 60 * SECOND;
	connect_next(play);
	assert_int_equal(play->creates, 10);
	pass(play, SILENCE_NS);
	connect_next(play);
	assert_int_equal(play->creates, 10);
}

/* Nobody comes up meanwhile: it may be down. */
static void one_connection_proves_nothing(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 4;
	connect_next(play);
	pass(play, 120 * SECOND);
	assert_int_equal(play->creates, 3 + SILENCE_MOST);
	assert_int_equal(play->plan.refusals.entries->in_a_row, 1);
}

/* They took the same way, which is dead. */
static void nor_do_those_that_came_up_together(void **state)
{
	struct play *play = *state;
	struct endpoint remote = play_remote();

	connect_next(play);
	connect_next(play);
	connect_next(play);
	pass(play, SILENCE_NS);
	assert_int_equal(play->plan.refusals.entries->in_a_row, 1);
	/* Others live. */
	play_joined(play, play->create.local.port);
	assert_null(refusals_find(&play->plan.refusals, 1, &remote, play->now_ns));
}

/* What is dead is the way from there. */
static void nor_do_joins_between_other_addresses(void **state)
{
	struct endpoint other = play_remote();
	struct play *play = *state;

	play->plan.policy = (struct policy){.fullmesh = true};
	play->locals[0] = play_local(0);
	play->locals[1] = play_local(0);
	play->locals[1].v4.s_addr = htonl(0x0a000103);
	play->n_locals = 2;
	connect_next(play);
	pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 2);
	assert_null(play->plan.refusals.entries);
	play_closed(play);
	/* The peer announces an address that cannot be reached from here. */
	play->n_locals = 1;
	connect_next(play);
	other.v4.s_addr = htonl(0x0a000203);
	play_hear(play, (struct event){.kind = EVENT_ANNOUNCED, .id = 1, .remote = other});
	assert_int_equal(play->creates, 3);
	pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 4);
	assert_null(play->plan.refusals.entries);
}

/* A namespace that ends takes its destinations with it. */
static void a_namespace_forgets_its_destinations(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	refuse(play, LOCAL_PORT + 1, -1, false);
	assert_non_null(play->plan.refusals.entries);
	plan_forget_netns(&play->plan, play->key.netns);
	assert_null(play->plan.refusals.entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_destination_that_refuses_is_left_in_peace, begin, play_end),
		cmocka_unit_test_setup_teardown(lists_leave_it_in_peace, begin, play_end),
		cmocka_unit_test_setup_teardown(a_full_mesh_leaves_it_in_peace, begin, play_end),
		cmocka_unit_test_setup_teardown(one_that_comes_up_counts_anew, begin, play_end),
		cmocka_unit_test_setup_teardown(
			a_reset_for_good_stops_what_nobody_asked_for, begin, play_end),
		cmocka_unit_test_setup_teardown(a_transient_reset_stops_nothing, begin, play_end),
		cmocka_unit_test_setup_teardown(
			a_repair_is_tried_after_a_reset_for_good, begin, play_end),
		cmocka_unit_test_setup_teardown(
			a_destination_that_answers_none_is_left_in_peace, begin_silent, play_end),
		cmocka_unit_test_setup_teardown(
			one_connection_proves_nothing, begin_silent, play_end),
		cmocka_unit_test_setup_teardown(
			nor_do_those_that_came_up_together, begin_silent, play_end),
		cmocka_unit_test_setup_teardown(
			nor_do_joins_between_other_addresses, begin_silent, play_end),
		cmocka_unit_test_setup_teardown(
			a_namespace_forgets_its_destinations, begin, play_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
