/* SPDX-License-Identifier: MIT */
/*
 * What real hosts have heard, played again: whatever is decided today, nothing oscillates. That the
 * same is decided by the code that has recorded, tests/e2e/test_record.py checks.
 */
#include "watch.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>

static const char *folder;

static void play_file(const char *name, struct watch *watch)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "r");
	if (!file)
		fail_msg("%s cannot be read", path);
	if (watch_play(watch, file))
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
		watch = watch_new();
		play_file(entry->d_name, watch);
		creates += watch->n_creates;
		recordings++;
		watch_free(watch);
	}
	closedir(stream);
	assert_in_range(recordings, 13, 1000);
	assert_in_range(creates, 40, 100000);
}

static struct watch *show(const char *name)
{
	struct watch *watch = watch_new();

	play_file(name, watch);
	return watch;
}

static void an_elephant_on_four_paths(void **state)
{
	struct watch *watch = show("elephant");
	const struct plan *plan = &watch->replay.feed.plan;

	(void)state;
	assert_int_equal(plan->counters.established, 3);
	assert_in_range(plan->lags.counters.rounds, 10, 100);
	assert_in_range(watch->kinds[ACTION_PACE], 40, 400);
	/* Each has joined as a backup, and it is said twice that it is none. */
	assert_int_equal(watch->kinds[ACTION_BACKUP], 6);
	assert_int_equal(plan->aparts.counters.moved + plan->benefits.counters.replaced, 0);
	watch_free(watch);
}

static void a_collision_of_two_of_this_host(void **state)
{
	struct watch *watch = show("collision");
	const struct apart_counters *counters = &watch->replay.feed.plan.aparts.counters;

	(void)state;
	assert_in_range(counters->moved, 1, 2 * MOVES_MOST);
	assert_int_equal(counters->failed, 0);
	/* Their paths told it, not their rates. */
	assert_int_equal(counters->slow, 0);
	watch_free(watch);
}

/* It meets somebody once more than it may be moved. */
static void somebody_elses_elephant(void **state)
{
	struct watch *watch = show("stranger");
	const struct apart_counters *counters = &watch->replay.feed.plan.aparts.counters;

	(void)state;
	assert_int_equal(counters->moved, MOVES_MOST);
	assert_in_range(counters->slow, MOVES_MOST + 1, 10);
	assert_in_range(counters->held, 1, 10);
	watch_free(watch);
}

/* Of three elephants the first and the last are tried, the one in between finds the hold. */
static void a_subflow_that_is_taken_back(void **state)
{
	struct watch *watch = show("in-vain");
	const struct benefit_counters *counters = &watch->replay.feed.plan.benefits.counters;

	(void)state;
	assert_int_equal(counters->taken_back, 2);
	assert_int_equal(counters->replaced, 2 * TRIES_MOST);
	assert_in_range(counters->left_alone, 5, 20);
	assert_int_equal(watch->n_creates, 2 * (1 + TRIES_MOST));
	assert_in_range(watch->kinds[ACTION_MEASURE], 10, 100);
	assert_int_equal(watch->n_held, 1);
	watch_free(watch);
}

static void a_last_hop_that_is_shared(void **state)
{
	struct watch *watch = show("last-hop");
	const struct lasthop_counters *counters = &watch->replay.feed.plan.lasthops.counters;

	(void)state;
	/* But for one, which may have come back on trial, and gone again. */
	assert_in_range(counters->taken, 6, 8);
	assert_int_equal(counters->given, counters->taken - 3);
	assert_in_range(watch->kinds[ACTION_REACH], 24, 400);
	watch_free(watch);
}

/* The ninth within ten seconds is the kernel's. */
static void a_link_that_flaps(void **state)
{
	struct watch *watch = show("flapping");
	const struct plan_counters *counters = &watch->replay.feed.plan.counters;

	(void)state;
	assert_int_equal(counters->repairs, REPAIR_MOST);
	assert_in_range(counters->repairs_denied, 1, 10);
	watch_free(watch);
}

/* Of many timeouts few are what they seem, and the budget is all that they get. */
static void every_path_is_lossy(void **state)
{
	struct watch *watch = show("lossy");
	const struct plan_counters *counters = &watch->replay.feed.plan.counters;

	(void)state;
	assert_in_range(watch->kinds[ACTION_LISTEN], 20, 100);
	assert_in_range(counters->repairs, 1, 2 * REPAIR_MOST);
	assert_in_range(counters->false_alarms, counters->repairs, 100);
	assert_in_range(counters->repairs_denied, 1, 100);
	watch_free(watch);
}

static void a_peer_that_refuses(void **state)
{
	struct watch *watch = show("refusals");
	const struct plan_counters *counters = &watch->replay.feed.plan.counters;

	(void)state;
	assert_int_equal(counters->refused_by_peer, REFUSED);
	assert_in_range(counters->withheld, 4, 100);
	watch_free(watch);
}

/* A window that is shut, an application that rests, packets that are late: nothing has failed. */
static void what_is_no_failure(void **state)
{
	static const char *names[] = {"stalled", "resting", "reordered"};
	const struct plan_counters *counters;
	struct watch *watch;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		watch = show(names[i]);
		counters = &watch->replay.feed.plan.counters;
		assert_int_equal(counters->established, 3);
		assert_int_equal(watch->n_creates, 3);
		assert_int_equal(counters->repairs, 0);
		assert_int_equal(watch->kinds[ACTION_DESTROY], 0);
		watch_free(watch);
	}
}

/* Three times, of four subflows each. */
static void all_paths_at_once(void **state)
{
	struct watch *watch = show("outage");
	const struct plan_counters *counters = &watch->replay.feed.plan.counters;

	(void)state;
	assert_in_range(counters->outages, 6, 12);
	/* On a busy machine one may have been far behind the others. */
	assert_in_range(counters->repairs, 0, 1);
	watch_free(watch);
}

static void many_elephants_at_once(void **state)
{
	struct watch *watch = show("crowd");
	const struct plan *plan = &watch->replay.feed.plan;

	(void)state;
	assert_in_range(plan->counters.elephants, 30, 48);
	assert_in_range(plan->counters.established, 12, 48);
	/* Those who go where others go know where the ways are. */
	assert_in_range(plan->steer.counters.surveys, 1, 40);
	watch_free(watch);
}

/* The watch itself: a plan that is told of a dead path again and again, past its budget. */
static void an_oscillation_is_seen(void **state)
{
	struct watch *watch = watch_new();
	struct action action = {.kind = ACTION_CREATE, .key = {.netns = 1, .token = 7}};
	struct replay_decision decision = {.action = &action, .key = &action.key};
	const struct elephant_rule rule = {.step_bytes = 1, .max_subflows = 4};
	struct plan *plan = &watch->replay.feed.plan;

	(void)state;
	assert_int_equal(plan_init(plan, &rule, 4, 8), 0);
	assert_non_null(conn_get(&plan->table, &action.key));
	for (int i = 0; i < 3 + REPAIR_MOST + MOVES_MOST + TRIES_MOST; i++)
		watch_hear(watch, &decision);
	assert_string_equal(watch->wrong, "");
	decision.now_ns = CREATES_NS;
	watch_hear(watch, &decision);
	assert_string_equal(watch->wrong, "");
	decision.now_ns = CREATES_NS - 1;
	watch_hear(watch, &decision);
	assert_string_equal(watch->wrong, "line 0: it oscillates");
	plan_done(plan);
	free(watch);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_oscillates),
		cmocka_unit_test(an_elephant_on_four_paths),
		cmocka_unit_test(a_collision_of_two_of_this_host),
		cmocka_unit_test(somebody_elses_elephant),
		cmocka_unit_test(a_subflow_that_is_taken_back),
		cmocka_unit_test(a_last_hop_that_is_shared),
		cmocka_unit_test(a_link_that_flaps),
		cmocka_unit_test(every_path_is_lossy),
		cmocka_unit_test(a_peer_that_refuses),
		cmocka_unit_test(what_is_no_failure),
		cmocka_unit_test(all_paths_at_once),
		cmocka_unit_test(many_elephants_at_once),
		cmocka_unit_test(an_oscillation_is_seen),
	};

	if (argc != 2)
		return 2;
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
