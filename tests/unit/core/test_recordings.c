/* SPDX-License-Identifier: MIT */
/*
 * What real hosts have heard, played again: whatever is decided today, nothing oscillates. That the
 * same is decided by the code that has recorded, tests/e2e/test_record.py checks.
 */
#include "core/repair.h"
#include "core/replay.h"

#include "../unit.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CREATES_MAX 1024

struct create {
	struct conn_key key;
	uint64_t now_ns;
};

struct watch {
	struct replay replay;
	struct create creates[CREATES_MAX]; /* all, in their order */
	unsigned int n_creates;
	char wrong[200]; /* the first thing */
};

static const char *folder;

static void accuse(struct watch *watch, const char *what, unsigned int number)
{
	if (!*watch->wrong)
		snprintf(watch->wrong, sizeof(watch->wrong), "line %u: %s", number, what);
}

/* Those of a connection in the last window. */
static unsigned int count_recent(const struct watch *watch, const struct create *last)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < watch->n_creates; i++)
		count += !memcmp(&watch->creates[i].key, &last->key, sizeof(last->key)) &&
			 watch->creates[i].now_ns + REPAIR_WINDOW_NS > last->now_ns;
	return count;
}

static void decided(void *owner, const struct replay_decision *decision)
{
	struct watch *watch = owner;
	struct plan *plan = &watch->replay.feed.plan;
	const struct conn *conn = conn_find(&plan->table, decision->key);
	uint32_t most = plan->max_subflows;
	struct create *create;

	if (!decision->action || decision->action->kind != ACTION_CREATE ||
		decision->verdict == REPLAY_GONE)
		return;
	if (most < plan->rule.max_subflows)
		most = plan->rule.max_subflows;
	if (!conn || conn_count_all(conn) > most)
		accuse(watch, "more subflows than may be", decision->number);
	if (watch->n_creates == CREATES_MAX) {
		accuse(watch, "more subflows than this test can count", decision->number);
		return;
	}
	create = &watch->creates[watch->n_creates++];
	*create = (struct create){.key = *decision->key, .now_ns = decision->now_ns};
	/* Each once, and each repair that the budget allows. */
	if (count_recent(watch, create) > most - 1 + REPAIR_MOST)
		accuse(watch, "it oscillates", decision->number);
}

static int play(struct watch *watch, FILE *file)
{
	char *words = NULL;
	size_t room = 0;
	int err = 0;

	watch->replay.does_go_on = true;
	watch->replay.owner = watch;
	watch->replay.decided = decided;
	while (!err && getline(&words, &room, file) > 0) {
		words[strcspn(words, "\n")] = '\0';
		err = replay_line(&watch->replay, words);
	}
	free(words);
	return err ? err : replay_end(&watch->replay);
}

static void play_file(const char *name, struct watch *watch)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "r");
	if (!file)
		fail_msg("%s cannot be read", path);
	if (play(watch, file))
		fail_msg("%s: %s", path, watch->replay.error);
	fclose(file);
	if (*watch->wrong)
		fail_msg("%s: %s", path, watch->wrong);
}

static void none_oscillates(void **state)
{
	unsigned int recordings = 0, creates = 0;
	const struct dirent *entry;
	struct watch *watch;
	DIR *stream = opendir(folder);

	(void)state;
	assert_non_null(stream);
	while ((entry = readdir(stream))) {
		if (*entry->d_name == '.')
			continue;
		watch = calloc(1, sizeof(*watch));
		assert_non_null(watch);
		play_file(entry->d_name, watch);
		creates += watch->n_creates;
		recordings++;
		replay_done(&watch->replay);
		free(watch);
	}
	closedir(stream);
	assert_in_range(recordings, 3, 1000);
	assert_in_range(creates, 10, 100000);
}

static void they_show_what_they_are_named_for(void **state)
{
	struct watch *watch = calloc(3, sizeof(*watch));

	(void)state;
	assert_non_null(watch);
	play_file("elephant", &watch[0]);
	assert_int_equal(watch[0].replay.feed.plan.counters.established, 3);
	play_file("flapping", &watch[1]);
	assert_in_range(watch[1].replay.feed.plan.counters.repairs, 1, REPAIR_MOST);
	play_file("refusals", &watch[2]);
	assert_in_range(watch[2].replay.feed.plan.counters.refused_by_peer, 3, 6);
	assert_in_range(watch[2].replay.feed.plan.counters.withheld, 1, 20);
	for (int i = 0; i < 3; i++)
		replay_done(&watch[i].replay);
	free(watch);
}

/* The watch itself: a plan that is told of a dead path again and again, past its budget. */
static void an_oscillation_is_seen(void **state)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	struct action action = {.kind = ACTION_CREATE, .key = {.netns = 1, .token = 7}};
	struct replay_decision decision = {.action = &action, .key = &action.key};
	const struct elephant_rule rule = {.step_bytes = 1, .max_subflows = 4};
	struct plan *plan = &watch->replay.feed.plan;

	(void)state;
	assert_non_null(watch);
	assert_int_equal(plan_init(plan, &rule, 4, 8), 0);
	assert_non_null(conn_get(&plan->table, &action.key));
	for (int i = 0; i < 3 + REPAIR_MOST; i++)
		decided(watch, &decision);
	assert_string_equal(watch->wrong, "");
	decision.now_ns = REPAIR_WINDOW_NS;
	decided(watch, &decision);
	assert_string_equal(watch->wrong, "");
	decision.now_ns = REPAIR_WINDOW_NS - 1;
	decided(watch, &decision);
	assert_string_equal(watch->wrong, "line 0: it oscillates");
	plan_done(plan);
	free(watch);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_oscillates),
		cmocka_unit_test(they_show_what_they_are_named_for),
		cmocka_unit_test(an_oscillation_is_seen),
	};

	if (argc != 2)
		return 2;
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
