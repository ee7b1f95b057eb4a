/* SPDX-License-Identifier: MIT */
/* Which rule is a connection's, and what it gets by it. */
#include "core/rules.h"
#include "play.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 3

/* Rules "a", "b" and "c", which split at 10, 20 and 30 MB; the test narrows them. */
static struct rule *give_rules(struct play *play)
{
	struct rule *list = calloc(COUNT, sizeof(*list));

	for (int i = 0; i < COUNT; i++) {
		list[i] = (struct rule){.name = {(char)('a' + i)},
			.elephant = {.start_bytes = (i + 1) * 10 * MB,
				.step_bytes = 5 * MB,
				.stop_bytes = 100 * MB,
				.max_subflows = 2}};
	}
	rules_set(&play->plan, list, COUNT);
	return list;
}

static void is_ruled_by(struct play *play, const char *name)
{
	const char *found;

	play_created(play);
	found = rules_name(&play->plan, play_conn(play));
	if (name)
		assert_string_equal(found, name);
	else
		assert_null(found);
	play_closed(play);
}

static void without_rules_nobody_asks(void **state)
{
	struct play *play = *state;

	play_connect(play);
	assert_int_equal(play->owners, 0);
	assert_int_equal(play->rules, 0);
	assert_null(rules_name(&play->plan, play_conn(play)));
	assert_ptr_equal(rules_of(&play->plan, play_conn(play)), &play->plan.rule);
}

static void the_first_that_matches_counts(void **state)
{
	struct play *play = *state;
	struct rule *rules = give_rules(play);

	is_ruled_by(play, "a");
	rules[0].has_uid = true;
	rules[0].uid = 1000;
	is_ruled_by(play, "b");
	play->uid = 1000;
	is_ruled_by(play, "a");
	/* Not known whose it is. */
	play->owner_error = ENOENT;
	is_ruled_by(play, "b");
	play->owner_error = 0;
	play->excluded = 1;
	is_ruled_by(play, "b");
	play->excluded = 3;
	is_ruled_by(play, "c");
	play->excluded = 7;
	is_ruled_by(play, NULL);
}

static void addresses_and_ports_are_compared(void **state)
{
	struct play *play = *state;
	struct rule *rules = give_rules(play);
	char remote[INET6_ADDRSTRLEN + 4], local[INET6_ADDRSTRLEN + 4];
	struct endpoint near = play_local(0), far = play_remote();

	inet_ntop(AF_INET, &far.v4, remote, sizeof(remote));
	inet_ntop(AF_INET, &near.v4, local, sizeof(local));
	rules[0].has_remote = rules[1].has_local = true;
	assert_int_equal(prefixes_read("198.51.100.0/24 fd00::/8", &rules[0].remote), 0);
	assert_int_equal(prefixes_read("198.51.100.0/24", &rules[1].local), 0);
	is_ruled_by(play, "c");
	assert_int_equal(prefixes_read(strcat(local, "/32"), &rules[1].local), 0);
	is_ruled_by(play, "b");
	assert_int_equal(prefixes_read(strcat(remote, "/32"), &rules[0].remote), 0);
	is_ruled_by(play, "a");
	rules[0].port = far.port + 1;
	is_ruled_by(play, "b");
	rules[0].port = far.port;
	is_ruled_by(play, "a");
}

static void the_hooks_are_told_its_thresholds(void **state)
{
	struct play *play = *state;

	give_rules(play)[1].elephant.backlog_bytes = MB;
	play->excluded = 1;
	play_created(play);
	assert_int_equal(play->rules, 1);
	assert_int_equal(play->rule.backlog, MB);
	assert_int_equal(play->rule.start, 20 * MB);
	assert_int_equal(play->rule.step, 5 * MB);
	assert_int_equal(play->rule.stop, 100 * MB);
	play_closed(play);
	assert_int_equal(play->forgets, 1);
	/* The defaults too: the hooks wait for them. */
	play->excluded = 7;
	play_created(play);
	assert_int_equal(play->rules, 2);
	assert_int_equal(play->rule.start, 100 * MB);
}

static void its_own_limit_holds(void **state)
{
	struct play *play = *state;

	give_rules(play);
	play_connect(play);
	play_threshold(play, 10);
	play_joined(play, LOCAL_PORT + 1);
	play_threshold(play, 15);
	play_assert_subflows(play, 2, 0, 0);
	assert_string_equal(play_conn(play)->why, "no more at 15 MB: it has max_subflows (2 of 2)");
}

static void never_is_never(void **state)
{
	struct play *play = *state;
	struct rule *rules = give_rules(play);

	rules[0].is_never = true;
	play->plan.policy.ndiffports = 3;
	play_connect(play);
	assert_int_equal(play->rule.stop, 0);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 0);
	assert_string_equal(play_conn(play)->why, "not split: rule a says never");
	/* Who asks gets it. */
	play_intent(play, 1, 0);
	assert_int_equal(play->creates, 1);
	play_closed(play);
	play->excluded = 1;
	play_connect(play);
	assert_int_equal(play->creates, 3);
}

static void the_policy_waits_for_the_rule(void **state)
{
	struct event event = {.kind = EVENT_ESTABLISHED,
		.local = play_local(LOCAL_PORT),
		.remote = play_remote()};
	struct play *play = *state;

	give_rules(play);
	play->plan.policy.ndiffports = 3;
	/* Its beginning was not heard: whose it is is asked only now. */
	play_hear(play, event);
	assert_int_equal(play->owners, 1);
	assert_int_equal(play->creates, 2);
}

static void servers_have_no_rule(void **state)
{
	struct play *play = *state;

	give_rules(play);
	play_hear(play, (struct event){.kind = EVENT_CREATED,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.is_server = true});
	assert_int_equal(play->owners, 0);
	assert_int_equal(play->rules, 0);
}

/* New rules: until it is found out again, the defaults hold. */
static void rules_may_change(void **state)
{
	struct play *play = *state;

	give_rules(play);
	play_connect(play);
	assert_string_equal(rules_name(&play->plan, play_conn(play)), "a");
	give_rules(play);
	assert_null(rules_name(&play->plan, play_conn(play)));
	play_hear(play, (struct event){.kind = EVENT_OWNER, .excluded = 1});
	assert_string_equal(rules_name(&play->plan, play_conn(play)), "b");
	assert_int_equal(play->rule.start, 20 * MB);
	rules_set(&play->plan, NULL, 0);
	assert_null(rules_name(&play->plan, play_conn(play)));
	play_closed(play);
	assert_int_equal(play->forgets, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_rules_nobody_asks),
		TEST(the_first_that_matches_counts),
		TEST(addresses_and_ports_are_compared),
		TEST(the_hooks_are_told_its_thresholds),
		TEST(its_own_limit_holds),
		TEST(never_is_never),
		TEST(the_policy_waits_for_the_rule),
		TEST(servers_have_no_rule),
		TEST(rules_may_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
