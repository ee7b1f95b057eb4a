/* SPDX-License-Identifier: MIT */
/* The kernel is at odds with what it told before: nothing is counted twice or made up. */
#include "play.h"

#include <errno.h>

static void events_of_unknown_connections_make_none(void **state)
{
	static const enum event_kind kinds[] = {EVENT_CLOSED, EVENT_SUBFLOW_ESTABLISHED,
		EVENT_SUBFLOW_CLOSED, EVENT_ANNOUNCED, EVENT_WITHDRAWN, EVENT_TIMEOUT, EVENT_PATHS,
		EVENT_CREATE_DONE, EVENT_DESTROY_DONE, EVENT_LOCALS, EVENT_OWNER,
		EVENT_FOUND_SUBFLOW, EVENT_CLAIM_DONE, EVENT_LISTEN_DONE, EVENT_MEASURED};
	struct play *play = *state;
	struct conn_key ours = play->key;

	play_connect(play);
	play->key.token++;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		play_hear(play, (struct event){.kind = kinds[i],
					.local = play_local(LOCAL_PORT + 1),
					.remote = play_remote(),
					.reset_reason = -1});
	assert_int_equal(conn_table_count(&play->plan.table), 1);
	play->key = ours;
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play->creates + play->destroys + play->searches, 0);
}

static void one_that_closed_before_it_came_up_is_nobodys(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	play_left(play, LOCAL_PORT + 1);
	play_joined(play, LOCAL_PORT + 1);
	assert_int_equal(play->plan.counters.refused_by_peer, 1);
	assert_int_equal(play->plan.counters.established, 0);
	assert_int_equal(play_conn(play)->n_passed, 0);
	play_left(play, LOCAL_PORT + 1);
	play_left(play, LOCAL_PORT + 1);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play->plan.counters.refused_by_peer, 1);
}

static void answers_to_what_was_not_asked_change_nothing(void **state)
{
	struct play *play = *state;

	play_connect_with(play, 1);
	for (int error = 0; error < 3; error++) {
		static const enum event_kind kinds[] = {
			EVENT_CREATE_DONE, EVENT_DESTROY_DONE, EVENT_LISTEN_DONE, EVENT_MEASURED};

		for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
			play_hear(play, (struct event){.kind = kinds[i],
						.serial = 4711,
						.error = error == 2 ? ENOTCONN : error,
						.reset_reason = -1});
	}
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->destroys, 0);
}

/* It keeps the ends that it had. */
static void what_is_told_twice_is_so_once(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_hear(play, (struct event){.kind = EVENT_CREATED,
				.local = play_local(LOCAL_PORT + 9),
				.remote = play_remote()});
	play_established(play);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play_conn(play)->local.port, LOCAL_PORT);
	play_closed(play);
	play_closed(play);
	assert_int_equal(conn_table_count(&play->plan.table), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_of_unknown_connections_make_none),
		TEST(one_that_closed_before_it_came_up_is_nobodys),
		TEST(answers_to_what_was_not_asked_change_nothing),
		TEST(what_is_told_twice_is_so_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
