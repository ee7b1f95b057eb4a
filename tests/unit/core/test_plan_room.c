/* SPDX-License-Identifier: MIT */
/* A peer that takes so many subflows of a connection, and resets once it is up what is beyond. */
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
	play->plan.full.rule = play->plan.refusals.rule;
	return 0;
}

static void reset(struct play *play, uint16_t port, int reset_reason, bool is_transient)
{
	play->now_ns += SECOND / 1000;
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(port),
				.remote = play_remote(),
				.error = reset_reason < 0 ? 0 : ECONNRESET,
				.reset_reason = reset_reason,
				.is_transient = is_transient});
}

/* It comes up from there, and is reset. */
static void refuse(struct play *play, uint16_t port)
{
	play_joined(play, port);
	reset(play, port, -1, false);
}

/* Three in all: two elephants' subflows stay, the third one is reset. */
static void fill(struct play *play)
{
	play->plan.rule.stop_bytes = 1000 * MB;
	play_connect(play);
	play_threshold(play, 100);
	play_joined(play, LOCAL_PORT + 1);
	play_threshold(play, 150);
	play_joined(play, LOCAL_PORT + 2);
	play->now_ns += 2 * SECOND;
	play_threshold(play, 200);
	refuse(play, LOCAL_PORT + 3);
	assert_int_equal(play->creates, 3);
}

static void an_elephant_gets_no_more_than_its_peer_takes(void **state)
{
	struct play *play = *state;
	struct conn *conn;

	fill(play);
	conn = play_conn(play);
	play_assert_subflows(play, 3, 0, 0);
	play_threshold(play, 250);
	assert_int_equal(play->creates, 3);
	assert_int_equal(play->plan.counters.withheld, 1);
	assert_string_equal(conn->why, "no subflow: its peer took 3, and reset one more; none is "
				       "tried before one has gone, or for another 60 s");
	/* One has gone, and there is room for one. */
	play_left(play, LOCAL_PORT + 1);
	play_threshold(play, 300);
	assert_int_equal(play->creates, 4);
	play_joined(play, LOCAL_PORT + 4);
	play_threshold(play, 350);
	assert_int_equal(play->creates, 4);
	play->now_ns += 60 * SECOND;
	play_threshold(play, 400);
	assert_int_equal(play->creates, 5);
}

/* What was reset at once did not make it one more. */
static void a_threshold_whose_subflow_was_refused_made_none(void **state)
{
	struct play *play = *state;
	struct conn *conn;

	fill(play);
	conn = play_conn(play);
	assert_int_equal(conn->n_passed, 2);
	assert_int_equal(conn->passed[0].subflows, 2);
	assert_int_equal(conn->passed[1].subflows, 3);
	assert_int_equal(conn->passed[1].threshold, 150 * MB);
}

static void a_mesh_gets_no_more_than_that(void **state)
{
	struct endpoint other = play_remote();
	struct play *play = *state;

	other.v4.s_addr = htonl(0x0a000203);
	play->plan.policy = (struct policy){.fullmesh = true};
	for (int i = 0; i < 3; i++) {
		play->locals[i] = play_local(0);
		play->locals[i].v4.s_addr = htonl(0x0a000001 + i);
	}
	play->n_locals = 3;
	play_connect(play);
	assert_int_equal(play->creates, 2);
	play_join_from(play, 2, 41001);
	play_join_from(play, 3, 41000);
	play->now_ns += SECOND / 1000;
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_from(3, 41000),
				.remote = play_remote(),
				.reset_reason = -1});
	play_hear(play, (struct event){.kind = EVENT_ANNOUNCED, .id = 1, .remote = other});
	assert_int_equal(play->creates, 2);
	play->now_ns += 60 * SECOND;
	play_hear(play, (struct event){.kind = EVENT_PATHS});
	play_established(play);
	assert_int_equal(play->creates, 2 + 3);
}

/* Each call is tried once; what comes up and stays shows that there is more room. */
static void what_the_application_asks_for_is_tried(void **state)
{
	struct play *play = *state;

	fill(play);
	play_intent(play, 1, 0);
	assert_int_equal(play->creates, 4);
	refuse(play, LOCAL_PORT + 4);
	play_assert_receipt(play, 1, 0);
	assert_non_null(strstr(play_conn(play)->why, "the peer refused a subflow (reset)"));
	play_threshold(play, 250);
	assert_int_equal(play->creates, 4);
	play_intent(play, 2, 0);
	play_joined(play, LOCAL_PORT + 5);
	play->now_ns += 2 * SECOND;
	play_intent(play, 2, 1);
	play_left(play, LOCAL_PORT + 5);
	play_threshold(play, 300);
	assert_int_equal(play->creates, 6);
}

/* Each connection gets two of three, and the third one of each is reset. */
static void begin_one(struct play *play)
{
	play->now_ns += SECOND;
	play->key.token++;
	play_connect(play);
	play_joined(play, LOCAL_PORT + 1);
	play_joined(play, LOCAL_PORT + 2);
	refuse(play, LOCAL_PORT + 3);
	play_closed(play);
}

/* It bars nobody from what its peers take. */
static void a_destination_that_resets_time_and_again_gets_no_more_of_any(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 4;
	for (int i = 1; i <= 3; i++) {
		begin_one(play);
		assert_int_equal(play->creates, 3 * i);
		assert_int_equal(play->plan.full.entries->in_a_row, i);
	}
	assert_null(play->plan.refusals.entries);
	play->key.token++;
	play_connect(play);
	assert_int_equal(play->creates, 9 + 2);
	play_joined(play, LOCAL_PORT + 1);
	play_joined(play, LOCAL_PORT + 2);
	play_assert_subflows(play, 3, 0, 0);
	/* Whoever asks. */
	play_intent(play, 1, 0);
	play_assert_receipt(play, 1, 0);
	assert_int_equal(play->creates, 11);
	assert_string_equal(play_conn(play)->why,
		"no subflow: 10.0.0.2:80 takes 3 of a connection, and reset the last 3 beyond that "
		"(reset); none is tried for another 60 s");
	assert_int_equal(play->plan.counters.withheld, 2);
	play->now_ns += 60 * SECOND;
	play_intent(play, 2, 0);
	assert_int_equal(play->creates, 12);
	/* Then one is enough. */
	refuse(play, LOCAL_PORT + 3);
	play_intent(play, 3, 0);
	assert_int_equal(play->creates, 12);
	plan_forget_netns(&play->plan, play->key.netns);
	assert_null(play->plan.full.entries);
}

/* As with a peer whose limit is none. */
static void one_that_takes_none_beside_the_first_is_left_in_peace(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 2;
	for (int i = 0; i < 3; i++) {
		play->key.token++;
		play_connect(play);
		refuse(play, LOCAL_PORT + 1);
		play_closed(play);
	}
	assert_int_equal(play->creates, 3);
	play->key.token++;
	play_connect(play);
	play_intent(play, 1, 0);
	assert_int_equal(play->creates, 3);
}

/* Others have more, which stay: it was not its limit. */
static void what_lives_beyond_begins_the_count_anew(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 4;
	begin_one(play);
	begin_one(play);
	play->key.token++;
	play_connect(play);
	for (int i = 1; i <= 3; i++)
		play_joined(play, LOCAL_PORT + i);
	play->now_ns += 2 * SECOND;
	play_intent(play, 1, 0);
	refuse(play, LOCAL_PORT + 4);
	assert_int_equal(play->plan.full.entries->in_a_row, 1);
	assert_int_equal(play->plan.full.entries->last.room, 4);
}

/* The last one of those that came up together tells. */
static void several_are_reset_one_after_the_other(void **state)
{
	struct play *play = *state;

	play->plan.refusals.rule.most = play->plan.full.rule.most = 0;
	play->plan.policy.ndiffports = 6;
	play_connect(play);
	for (int i = 1; i <= 5; i++)
		play_joined(play, LOCAL_PORT + i);
	for (int i = 3; i <= 5; i++)
		reset(play, LOCAL_PORT + i, -1, false);
	assert_int_equal(play->plan.full.entries->in_a_row, 3);
	assert_int_equal(play->plan.full.entries->last.room, 3);
	assert_int_equal(play_conn(play)->room.subflows, 3);
}

/* An elephant's second one stays. */
static void grow(struct play *play)
{
	play_connect(play);
	play_threshold(play, 100);
	play_joined(play, LOCAL_PORT + 1);
	play->now_ns += 2 * SECOND;
}

/* The peer may count it still. */
static void where_one_has_just_gone_a_reset_says_nothing(void **state)
{
	struct play *play = *state;

	grow(play);
	play_left(play, LOCAL_PORT + 1);
	play_threshold(play, 150);
	refuse(play, LOCAL_PORT + 2);
	assert_null(play->plan.full.entries);
	play_threshold(play, 200);
	assert_int_equal(play->creates, 3);
}

static void nor_does_that_of_a_repair(void **state)
{
	struct play *play = *state;

	play->plan.does_repair = true;
	grow(play);
	play_fell_silent(play, LOCAL_PORT + 1);
	play->now_ns += 2 * SECOND;
	play_left(play, LOCAL_PORT + 1);
	play->now_ns += 2 * SECOND;
	assert_int_equal(play->creates, 2);
	refuse(play, LOCAL_PORT + 2);
	assert_null(play->plan.full.entries);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 3);
}

/* RFC 8684 section 3.6: T = 1. It counts for the destination. */
static void a_transient_reset_stops_nothing(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	play_joined(play, LOCAL_PORT + 1);
	reset(play, LOCAL_PORT + 1, 2, true);
	assert_int_equal(play->plan.full.entries->in_a_row, 1);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, play_end)
	const struct CMUnitTest tests[] = {
		TEST(an_elephant_gets_no_more_than_its_peer_takes),
		TEST(a_threshold_whose_subflow_was_refused_made_none),
		TEST(a_mesh_gets_no_more_than_that),
		TEST(what_the_application_asks_for_is_tried),
		TEST(a_destination_that_resets_time_and_again_gets_no_more_of_any),
		TEST(one_that_takes_none_beside_the_first_is_left_in_peace),
		TEST(what_lives_beyond_begins_the_count_anew),
		TEST(several_are_reset_one_after_the_other),
		TEST(where_one_has_just_gone_a_reset_says_nothing),
		TEST(nor_does_that_of_a_repair),
		TEST(a_transient_reset_stops_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
