/* SPDX-License-Identifier: MIT */
/* The plan's part of the elephant rule: thresholds become subflows. */
#include <string.h>

#include "play.h"

static void elephant_becomes_a_herd(void **state)
{
	static const uint64_t thresholds[] = {100, 150, 200, 250, 300};
	struct play *play = *state;
	struct conn *conn;

	play_connect(play);
	for (unsigned int i = 0; i < 5; i++) {
		play_threshold(play, thresholds[i]);
		if (i < 3)
			play_joined(play, LOCAL_PORT + 1 + i);
	}
	assert_int_equal(play->creates, 3);
	play_assert_subflows(play, 4, 0, 0);
	conn = play_conn(play);
	assert_int_equal(conn->n_passed, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(conn->passed[i].threshold, thresholds[i] * MB);
		assert_int_equal(conn->passed[i].bytes, thresholds[i] * MB + 12345);
		assert_int_equal(conn->passed[i].subflows, i + 2);
	}
	assert_string_equal(conn->why, "no more at 300 MB: it has passed stop (4 of 4)");
	assert_int_equal(play->receipts, 0);
	assert_int_equal(play->plan.counters.elephants, 3);
	assert_int_equal(play->plan.counters.established, 3);
}

/* The callbacks of a subflow may begin anew with what sock_diag has told of. */
static void what_was_told_counts_once(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	play_threshold(play, 150);
	play_threshold(play, 100);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->plan.counters.thresholds, 2);
	play_threshold(play, 200);
	assert_int_equal(play->creates, 3);
}

/* Those under way count: joins may take longer than the next 50 MB. */
static void slow_joins_count(void **state)
{
	struct play *play = *state;

	play_connect(play);
	for (uint64_t mb = 100; mb <= 250; mb += 50)
		play_threshold(play, mb);
	assert_int_equal(play->creates, 3);
	play_assert_subflows(play, 1, 3, 0);
	for (uint16_t port = 1; port <= 3; port++)
		play_joined(play, LOCAL_PORT + port);
	play_assert_subflows(play, 4, 0, 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(play_conn(play)->passed[i].subflows, i + 2);
}

static void creates_what_the_kernel_can_carry_out(void **state)
{
	struct endpoint local = play_local(0), remote = play_remote();
	struct play *play = *state;

	play_connect(play);
	play->now_ns = 5000000000;
	play_threshold(play, 100);
	assert_true(endpoint_is_equal(&play->create.local, &local));
	assert_true(endpoint_is_equal(&play->create.remote, &remote));
	assert_int_equal(play->create.id, 0);
	assert_int_equal(play->create.cause_ns, 5000000000);
	assert_string_equal(play_conn(play)->why, "one more subflow at 100 MB: 2 of 4");
}

static void threshold_may_be_heard_first(void **state)
{
	struct play *play = *state;

	for (uint64_t mb = 100; mb <= 250; mb += 50)
		play_threshold(play, mb);
	assert_int_equal(play->creates, 0);
	play_created(play);
	assert_int_equal(play->creates, 0);
	play_established(play);
	assert_int_equal(play->creates, 3);
}

static void applications_subflows_count(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 2, 0);
	play_threshold(play, 100);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 3);
	assert_string_equal(
		play_conn(play)->why, "no more at 150 MB: it has max_subflows (4 of 4)");
}

static void one_that_left_is_replaced(void **state)
{
	struct play *play = *state;

	play_connect(play);
	for (uint64_t mb = 100; mb <= 200; mb += 50) {
		play_threshold(play, mb);
		play_joined(play, LOCAL_PORT + mb);
	}
	play->now_ns += 2000000000;
	play_left(play, LOCAL_PORT);
	play_threshold(play, 250);
	assert_int_equal(play->creates, 4);
	assert_int_equal(play->plan.counters.refused_by_peer, 0);
}

/* What the application has removed beyond what it had asked for, the rule may have no more. */
static void what_was_removed_lowers_what_the_rule_may_have(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	play_joined(play, LOCAL_PORT + 1);
	play_intent(play, 1, 1);
	play_left(play, LOCAL_PORT + 1);
	play_threshold(play, 100);
	play_joined(play, LOCAL_PORT + 2);
	play_intent(play, 1, 2);
	play_left(play, LOCAL_PORT + 2);
	play_assert_subflows(play, 1, 0, 0);
	for (uint64_t mb = 150; mb <= 250; mb += 50)
		play_threshold(play, mb);
	play_assert_subflows(play, 1, 2, 0);
	assert_string_equal(play_conn(play)->why,
		"no more at 250 MB: its application has removed others (3 of 4)");
	/* It may think better of it. */
	play_intent(play, 2, 2);
	play_assert_subflows(play, 1, 3, 0);
}

static void servers_only_listen(void **state)
{
	struct play *play = *state;
	struct event event = {.kind = EVENT_CREATED,
		.local = play_local(80),
		.remote = play_remote(),
		.is_server = true};

	play_hear(play, event);
	event.kind = EVENT_ESTABLISHED;
	play_hear(play, event);
	assert_string_equal(play_conn(play)->why, "accepted: only its client can open subflows");
	play_threshold(play, 100);
	play_intent(play, 2, 0);
	assert_int_equal(play->creates, 0);
	play_assert_receipt(play, 2, 0);
	/* The client's joins are seen and can be closed. */
	play_joined(play, 81);
	play_assert_subflows(play, 2, 0, 0);
	play_intent(play, 2, 1);
	assert_int_equal(play->destroys, 1);
	play_assert_receipt(play, 2, 1);
}

/* What was wanted before it was known whose connection it is. */
static void servers_refuse_what_was_wanted_before(void **state)
{
	struct play *play = *state;
	struct event event = {.kind = EVENT_ESTABLISHED,
		.local = play_local(80),
		.remote = play_remote(),
		.is_server = true};

	play_intent(play, 2, 0);
	play_threshold(play, 100);
	play_hear(play, event);
	assert_int_equal(play->creates, 0);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 2, 0);
	assert_int_equal(play_conn(play)->n_passed, 0);
}

static void foreign_connections_are_left_alone(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_joined(play, LOCAL_PORT + 1);
	play_hear(play, (struct event){.kind = EVENT_FOREIGN});
	play_threshold(play, 100);
	play_intent(play, 3, 1);
	assert_int_equal(play->creates, 0);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 2, 0, 0);
	play_assert_receipt(play, 3, 1);
}

static void foreign_ones_refuse_what_was_wanted_before(void **state)
{
	struct play *play = *state;

	play_intent(play, 3, 0);
	play_hear(play, (struct event){.kind = EVENT_FOREIGN});
	assert_non_null(strstr(play_conn(play)->why, "cannot be split"));
	play_connect(play);
	assert_int_equal(play->creates, 0);
	play_assert_receipt(play, 3, 0);
	assert_non_null(strstr(play_conn(play)->why, "cannot be split"));
}

/* RFC 8684 3.1, C flag: no join to the peer's initial address, but to those that it announces. */
static void peers_wish_is_respected(void **state)
{
	struct play *play = *state;
	struct event event = {.kind = EVENT_CREATED,
		.local = play_local(LOCAL_PORT),
		.remote = play_remote(),
		.denies_join = true};
	struct endpoint other = play_remote();

	play_intent(play, 2, 0);
	play_hear(play, event);
	event.kind = EVENT_ESTABLISHED;
	play_hear(play, event);
	assert_int_equal(play->receipts, 0);
	assert_string_equal(play_conn(play)->why,
		"waiting for another address of the peer, which allows no subflow to its first one "
		"(RFC 8684 3.1, C flag)");
	play_threshold(play, 100);
	assert_int_equal(play->creates, 0);
	play_assert_subflows(play, 1, 0, 3);
	other.v4.s_addr = htonl(0x0a000003);
	play_hear(play, (struct event){.kind = EVENT_ANNOUNCED, .id = 1, .remote = other});
	assert_int_equal(play->creates, 3);
	assert_true(endpoint_is_equal(&play->create.remote, &other));
	play_assert_receipt(play, 2, 0);
	play_assert_subflows(play, 1, 3, 0);
	/* Withdrawn: the next one waits again, and REMOVE takes it back. */
	play_hear(play, (struct event){.kind = EVENT_WITHDRAWN, .id = 1});
	play_intent(play, 3, 0);
	play_assert_subflows(play, 1, 3, 1);
	play_intent(play, 3, 1);
	play_assert_receipt(play, 3, 1);
	play_assert_subflows(play, 1, 3, 0);
	assert_int_equal(play->creates, 3);
}

/* The ways to the peer are known: through one leaf and this many spines. */
static void play_paths(struct play *play, unsigned int spines)
{
	struct path_table *paths = &play->plan.steer.paths;
	const struct endpoint local = play_local(0), remote = play_remote();
	const struct path_key key = path_key_of(play->key.netns, &local, &remote);
	struct path_map *map = path_table_get(paths, &key);
	struct in6_addr router = {};

	map->hops = 3;
	map->depth = 2;
	for (unsigned int i = 0; i < 8; i++) {
		router.s6_addr[15] = 1;
		assert_int_equal(path_learn(paths, map, LOCAL_PORT + i, 1, &router), 0);
		router.s6_addr[15] = 2 + i % spines;
		assert_int_equal(path_learn(paths, map, LOCAL_PORT + i, 2, &router), 0);
	}
	map->state = PATH_KNOWN;
	map->is_thorough = true;
	map->learned_ns = play->now_ns;
}

static void hear_backlog(struct play *play, uint64_t mb)
{
	play_hear(play, (struct event){.kind = EVENT_BACKLOG,
				.threshold = 100 * MB,
				.bytes = 400000,
				.backlog_bytes = mb * MB});
}

/* What waits to be sent counts as the first threshold; the others are as ever. */
static void what_waits_is_an_early_first_threshold(void **state)
{
	struct play *play = *state;
	struct conn *conn;

	play_connect(play);
	hear_backlog(play, 4);
	assert_int_equal(play->creates, 1);
	conn = play_conn(play);
	assert_string_equal(conn->why, "one more subflow at 0.40 MB, with 4.00 MB waiting: 2 of 4");
	assert_int_equal(conn->passed[0].threshold, 100 * MB);
	assert_int_equal(conn->passed[0].bytes, 400000);
	assert_int_equal(conn->passed[0].backlog, 4 * MB);
	assert_int_equal(play->plan.counters.backlogs, 1);
	assert_int_equal(play->plan.counters.elephants, 1);
	play_joined(play, LOCAL_PORT + 1);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 2);
	assert_int_equal(conn->passed[1].backlog, 0);
	assert_int_equal(play->plan.counters.backlogs, 1);
}

static void what_waits_is_bounded_as_thresholds_are(void **state)
{
	struct play *play = *state;

	play_intent(play, 3, 0);
	play_connect(play);
	hear_backlog(play, 4);
	assert_int_equal(play->creates, 3);
	assert_string_equal(play_conn(play)->why,
		"no more at 0.40 MB, with 4.00 MB waiting: it has max_subflows (4 of 4)");
	assert_int_equal(play->plan.counters.backlogs, 0);
}

static void one_path_is_not_split(void **state)
{
	struct play *play = *state;

	play->plan.news.is_wanted = true;
	play->plan.steer.mode = STEER_PATHS;
	play_connect(play);
	play_threshold(play, 100);
	assert_int_equal(play->surveys, 1);
	play_paths(play, 1);
	play_hear(play, (struct event){.kind = EVENT_PATHS});
	assert_int_equal(play->creates, 0);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play_conn(play)->n_passed, 0);
	assert_string_equal(play_conn(play)->why, "not split: one path leads to its peer");
	play_assert_told(play);
	play_threshold(play, 150);
	assert_int_equal(play->plan.counters.single_paths, 2);
	/* Who asks has reasons of his own. */
	play_intent(play, 1, 0);
	assert_int_equal(play->creates, 1);
}

static void one_path_is_split_by_order(void **state)
{
	struct play *play = *state;

	play->plan.steer.mode = STEER_PATHS;
	play->plan.rule.on_single_path = true;
	play_connect(play);
	play_paths(play, 1);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 1);
}

static void two_paths_are_split(void **state)
{
	struct play *play = *state;

	play->plan.steer.mode = STEER_PATHS;
	play_connect(play);
	play_paths(play, 2);
	play_threshold(play, 100);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->plan.counters.single_paths, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(elephant_becomes_a_herd),
		TEST(what_was_told_counts_once),
		TEST(slow_joins_count),
		TEST(creates_what_the_kernel_can_carry_out),
		TEST(threshold_may_be_heard_first),
		TEST(applications_subflows_count),
		TEST(one_that_left_is_replaced),
		TEST(what_was_removed_lowers_what_the_rule_may_have),
		TEST(servers_only_listen),
		TEST(servers_refuse_what_was_wanted_before),
		TEST(foreign_connections_are_left_alone),
		TEST(foreign_ones_refuse_what_was_wanted_before),
		TEST(peers_wish_is_respected),
		TEST(what_waits_is_an_early_first_threshold),
		TEST(what_waits_is_bounded_as_thresholds_are),
		TEST(one_path_is_not_split),
		TEST(one_path_is_split_by_order),
		TEST(two_paths_are_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
