/* SPDX-License-Identifier: MIT */
/* What applications say of what is to come: announced elephants, and those that are to be left. */
#include "core/adoption.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "play.h"

static void say(struct play *play, uint32_t generation, uint64_t mb, enum purpose purpose)
{
	play_hear(play, (struct event){.kind = EVENT_INTENT,
				.generation = generation,
				.expected_bytes = mb * MB,
				.purpose = purpose});
}

static void announce(struct play *play, uint64_t mb)
{
	say(play, play_conn(play) ? play_conn(play)->generation + 1 : 1, mb, PURPOSE_DEFAULT);
}

static void mean(struct play *play, enum purpose purpose)
{
	say(play, play_conn(play) ? play_conn(play)->generation + 1 : 1, 0, purpose);
}

static void join(struct play *play, uint16_t n)
{
	for (uint16_t i = 1; i <= n; i++)
		play_joined(play, LOCAL_PORT + i);
}

static void announced_elephants_are_split_at_once(void **state)
{
	struct play *play = *state;
	struct conn *conn;

	play_connect(play);
	play->now_ns = 5000000000;
	announce(play, 400);
	conn = play_conn(play);
	assert_int_equal(play->creates, 3);
	assert_int_equal(play->create.cause_ns, 5000000000);
	assert_string_equal(conn->why, "announced 400 MB: 3 more, 4 of 4");
	assert_int_equal(play->plan.counters.elephants, 3);
	assert_int_equal(play->plan.counters.foreseen, 3);
	assert_int_equal(play->plan.counters.thresholds, 0);
	assert_int_equal(play->receipt.heard, conn->generation);
	join(play, 3);
	assert_int_equal(conn->n_passed, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(conn->passed[i].threshold, (100 + 50 * i) * MB);
		assert_int_equal(conn->passed[i].bytes, 0);
		assert_int_equal(conn->passed[i].subflows, i + 2);
	}
}

/* So that nothing is opened twice for one threshold, nor withheld beyond what was announced. */
static void foreseen_thresholds_have_no_effect_again(void **state)
{
	struct play *play = *state;

	play_connect(play);
	announce(play, 120);
	assert_int_equal(play->creates, 1);
	join(play, 1);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 1);
	assert_string_equal(play_conn(play)->why, "no more at 100 MB: it was announced (2 of 4)");
	play_threshold(play, 150);
	assert_int_equal(play->creates, 2);
	assert_string_equal(play_conn(play)->why, "one more subflow at 150 MB: 3 of 4");
}

static void mice_may_be_announced(void **state)
{
	struct play *play = *state;

	play_connect(play);
	announce(play, 99);
	assert_int_equal(play->creates, 0);
	assert_string_equal(
		play_conn(play)->why, "announced 99 MB: no elephant, which begins at 100 MB");
	play_threshold(play, 100);
	assert_int_equal(play->creates, 1);
}

static void announced_before_the_connection_is_up(void **state)
{
	struct play *play = *state;

	announce(play, 150);
	play_created(play);
	assert_int_equal(play->creates, 0);
	play_established(play);
	assert_int_equal(play->creates, 2);
	assert_string_equal(play_conn(play)->why, "announced 150 MB: 2 more, 3 of 4");
}

static void what_is_there_counts(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 2, 0);
	announce(play, 150);
	assert_int_equal(play->creates, 2);
	assert_string_equal(play_conn(play)->why, "announced 150 MB: 0 more, 3 of 4");
	announce(play, 5000);
	assert_int_equal(play->creates, 3);
	/* Nothing is taken away for less, or for nothing. */
	announce(play, 1);
	announce(play, 0);
	assert_int_equal(play->creates, 3);
	assert_int_equal(play->destroys, 0);
}

/* One call may say both, and the subflows asked for count first. */
static void together_with_a_request(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_hear(play, (struct event){.kind = EVENT_INTENT,
				.generation = 2,
				.adds = 1,
				.expected_bytes = 100 * MB});
	assert_int_equal(play->creates, 1);
	assert_int_equal(play_conn(play)->forecast.counted, 100 * MB);
}

static void what_was_overtaken_is_ignored(void **state)
{
	struct play *play = *state;

	play_connect(play);
	say(play, 2, 100, PURPOSE_DEFAULT);
	say(play, 1, 400, PURPOSE_DEFAULT);
	say(play, 2, 400, PURPOSE_DEFAULT);
	assert_int_equal(play->creates, 1);
	/* The walk over all sockets repeats what was heard. */
	play_left(play, LOCAL_PORT + 1);
	say(play, 2, 100, PURPOSE_DEFAULT);
	assert_int_equal(play->creates, 1);
}

static void bulk_is_an_elephant_from_its_start(void **state)
{
	struct play *play = *state;

	mean(play, PURPOSE_BULK);
	play_connect(play);
	assert_int_equal(play->creates, 3);
	assert_string_equal(play_conn(play)->why, "announced as bulk: 3 more, 4 of 4");
	join(play, 3);
	play_threshold(play, 200);
	assert_int_equal(play->creates, 3);
	play_left(play, LOCAL_PORT + 3);
	play_threshold(play, 250);
	assert_int_equal(play->creates, 4);
}

/* As the threshold says that binds first. */
static void stop_binds_before_max_subflows(void **state)
{
	struct play *play = *state;

	play->plan.rule.max_subflows = 40;
	play_connect(play);
	mean(play, PURPOSE_BULK);
	assert_int_equal(play->creates, 4);
	assert_int_equal(play_conn(play)->forecast.counted, 250 * MB);
}

static void interactive_and_off_are_left_alone(void **state)
{
	static const struct {
		enum purpose purpose;
		const char *why;
	} cases[] = {{PURPOSE_INTERACTIVE, "its application calls it interactive"},
		{PURPOSE_OFF, "its application wants no split"}};
	struct play *play = *state;
	char text[CONN_WHY_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		play->creates = 0;
		play_connect(play);
		say(play, 1, 400, cases[i].purpose);
		assert_int_equal(play->creates, 0);
		snprintf(text, sizeof(text), "not split by the elephant rule: %s", cases[i].why);
		assert_string_equal(play_conn(play)->why, text);
		play_threshold(play, 100);
		assert_int_equal(play->creates, 0);
		snprintf(text, sizeof(text), "no more at 100 MB: %s (1 of 4)", cases[i].why);
		assert_string_equal(play_conn(play)->why, text);
		/* What the application asks for is another matter. */
		play_hear(play, (struct event){.kind = EVENT_INTENT,
					.generation = 2,
					.adds = 1,
					.expected_bytes = 400 * MB,
					.purpose = cases[i].purpose});
		assert_int_equal(play->creates, 1);
		/* And it may think better of it. */
		play_hear(play, (struct event){.kind = EVENT_INTENT,
					.generation = 3,
					.adds = 1,
					.expected_bytes = 400 * MB});
		assert_int_equal(play->creates, 3);
		play_closed(play);
	}
}

/* What was not opened yet is not; what was foreseen counts again. */
static void what_is_under_way_is_left(void **state)
{
	struct play *play = *state;

	play->create_error = ENOTCONN;
	play_connect(play);
	announce(play, 400);
	assert_int_equal(conn_count_wanted(play_conn(play)), 3);
	mean(play, PURPOSE_OFF);
	assert_int_equal(conn_count_wanted(play_conn(play)), 0);
	assert_int_equal(play_conn(play)->n_passed, 0);
	mean(play, PURPOSE_DEFAULT);
	play->create_error = 0;
	play_wait(play);
	play->creates = 0;
	play_threshold(play, 100);
	assert_int_equal(play->creates, 1);
}

static void its_own_rule_decides(void **state)
{
	struct rule *rule = calloc(1, sizeof(*rule));
	struct play *play = *state;

	*rule = (struct rule){.name = "small",
		.elephant = {.start_bytes = 10 * MB,
			.step_bytes = 5 * MB,
			.stop_bytes = 100 * MB,
			.max_subflows = 3}};
	rules_set(&play->plan, rule, 1);
	announce(play, 12);
	play_connect(play);
	assert_int_equal(play->creates, 1);
	assert_string_equal(play_conn(play)->why, "announced 12 MB: 1 more, 2 of 3");
	play_closed(play);
	rule->is_never = true;
	play_connect(play);
	announce(play, 400);
	assert_int_equal(play->creates, 1);
	assert_string_equal(play_conn(play)->why, "not split: rule small says never");
}

/* Its beginning was not heard: its rule is known only after it is established. */
static void it_waits_for_its_rule(void **state)
{
	struct rule *rule = calloc(1, sizeof(*rule));
	struct play *play = *state;

	*rule = (struct rule){.name = "late",
		.elephant = {.start_bytes = 300 * MB,
			.step_bytes = 50 * MB,
			.stop_bytes = 500 * MB,
			.max_subflows = 3}};
	rules_set(&play->plan, rule, 1);
	announce(play, 400);
	play_established(play);
	assert_int_equal(play->creates, 2);
	assert_string_equal(play_conn(play)->why, "announced 400 MB: 2 more, 3 of 3");
	play_closed(play);
	rule->is_never = true;
	announce(play, 400);
	play_established(play);
	assert_int_equal(play->creates, 2);
}

static void servers_and_others_open_nothing(void **state)
{
	struct event event = {.kind = EVENT_ESTABLISHED,
		.local = play_local(80),
		.remote = play_remote(),
		.is_server = true};
	struct play *play = *state;

	announce(play, 400);
	play_hear(play, event);
	assert_int_equal(play->creates, 0);
	assert_string_equal(play_conn(play)->why, "accepted: only its client can open subflows");
	play_closed(play);
	play_connect(play);
	play_hear(play, (struct event){.kind = EVENT_FOREIGN});
	announce(play, 400);
	assert_int_equal(play->creates, 0);
	assert_int_equal(play->plan.counters.foreseen, 0);
	assert_non_null(strstr(play_conn(play)->why, "cannot be split"));
}

/* After a restart: as many in all as were announced, whatever an earlier daemon has opened. */
static void taken_up_it_gets_what_is_missing(void **state)
{
	struct play *play = *state;

	for (uint16_t has = 1; has <= 4; has++) {
		play->creates = 0;
		adoption_begin(&play->plan, play->key.netns);
		play_hear(play, (struct event){.kind = EVENT_FOUND,
					.local = play_local(LOCAL_PORT),
					.remote = play_remote()});
		for (uint16_t i = 0; i < has; i++)
			play_hear(play, (struct event){.kind = EVENT_FOUND_SUBFLOW,
						.local = play_local(LOCAL_PORT + i),
						.remote = play_remote()});
		if (has % 2) /* the walk over all sockets may come first */
			announce(play, 400);
		adoption_end(&play->plan, play->key.netns);
		play_act(play);
		if (has % 2 == 0)
			announce(play, 400);
		assert_int_equal(play->creates, 4 - has);
		play_threshold(play, 100);
		assert_int_equal(play->creates, 4 - has);
		play_closed(play);
	}
}

/* A peer that refuses is not asked again by who repeats himself. */
static void a_peer_that_refuses_is_left(void **state)
{
	struct play *play = *state;

	play_connect(play);
	announce(play, 100);
	play_left(play, LOCAL_PORT + 1);
	assert_int_equal(play->plan.counters.refused_by_peer, 1);
	announce(play, 100);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play_conn(play)->n_passed, 0);
}

/* It was announced, but what that was to give never came. */
static void what_did_not_come_about_is_not_withheld(void **state)
{
	struct play *play = *state;

	announce(play, 200);
	play->create_error = EINVAL;
	play_connect(play);
	play_assert_subflows(play, 1, 0, 0);
	play->create_error = 0;
	play->creates = 0;
	for (uint64_t mb = 100; mb <= 200; mb += 50)
		play_threshold(play, mb);
	assert_int_equal(play->creates, 3);
}

static void nor_what_is_not_announced_any_more(void **state)
{
	struct play *play = *state;

	play_connect(play);
	announce(play, 120);
	join(play, 1);
	announce(play, 0);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 2);
}

static void ask_for_owner(struct play *play)
{
	play_hear(play, (struct event){.kind = EVENT_OWNER, .uid = 1000});
}

/* Whoever finds out whose it is, as for one who watches: it has got what was announced. */
static void what_was_taken_away_since_stays_away(void **state)
{
	struct rule *rule;
	struct play *play = *state;

	play_connect(play);
	mean(play, PURPOSE_BULK);
	join(play, 3);
	play_hear(play, (struct event){.kind = EVENT_INTENT,
				.generation = play_conn(play)->generation + 1,
				.removes = 2,
				.purpose = PURPOSE_BULK});
	assert_int_equal(play->destroys, 2);
	ask_for_owner(play);
	assert_int_equal(play->creates, 3);
	for (uint64_t mb = 100; mb <= 250; mb += 50)
		play_threshold(play, mb);
	assert_int_equal(play->creates, 3);
	assert_string_equal(play_conn(play)->why, "no more at 250 MB: it was announced (2 of 4)");
	/* A rule that gives as much changes nothing, one that gives more gives that. */
	for (uint32_t most = 4; most <= 5; most++) {
		rule = calloc(1, sizeof(*rule));
		*rule = (struct rule){.elephant = play->plan.rule};
		rule->elephant.max_subflows = most;
		strcpy(rule->name, "other");
		rules_set(&play->plan, rule, 1);
		ask_for_owner(play);
		assert_int_equal(play->creates, most == 4 ? 3 : 4);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(announced_elephants_are_split_at_once),
		TEST(foreseen_thresholds_have_no_effect_again),
		TEST(mice_may_be_announced),
		TEST(announced_before_the_connection_is_up),
		TEST(what_is_there_counts),
		TEST(together_with_a_request),
		TEST(what_was_overtaken_is_ignored),
		TEST(bulk_is_an_elephant_from_its_start),
		TEST(stop_binds_before_max_subflows),
		TEST(interactive_and_off_are_left_alone),
		TEST(what_is_under_way_is_left),
		TEST(its_own_rule_decides),
		TEST(it_waits_for_its_rule),
		TEST(servers_and_others_open_nothing),
		TEST(taken_up_it_gets_what_is_missing),
		TEST(a_peer_that_refuses_is_left),
		TEST(what_did_not_come_about_is_not_withheld),
		TEST(nor_what_is_not_announced_any_more),
		TEST(what_was_taken_away_since_stays_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
