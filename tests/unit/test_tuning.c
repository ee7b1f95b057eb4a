/* SPDX-License-Identifier: MIT */
/* What is set reaches everybody whom it concerns. */
#include "tuning.h"

#include "base/file.h"
#include "core/opening.h"
#include "stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char said[TUNING_SAID_MAX];

static int set(const char *key, const char *value)
{
	*said = '\0';
	return tuning_set(&stage.daemon, key, value, said, sizeof(said));
}

static void the_hooks_are_told(void **state)
{
	struct hook_config config = tuning_hook_config(&stage.daemon.settings);

	(void)state;
	assert_int_equal(config.start, 100000000);
	assert_int_equal(config.gate, 100000000);
	assert_int_equal(config.sent_gate, 50000000);
	assert_false(config.has_rules);
	assert_true(config.detects);
	assert_false(config.plain_tcp);
	assert_int_equal(config.rto_min_us, 20000);
	assert_int_equal(config.unsent, 128000);
	assert_int_equal(set("elephant.start", "1MB"), 0);
	assert_string_equal(said, "set");
	assert_int_equal(stage.configs, 1);
	assert_int_equal(stage.config.start, 1000000);
}

static void subflows_are_coupled_if_that_is_wanted(void **state)
{
	(void)state;
	assert_int_equal(set("elephant.start", "1MB"), 0);
	assert_false(stage.config.couples);
	assert_int_equal(set("fairness.coupled", "yes"), 0);
	assert_true(stage.config.couples);
}

static void what_the_census_finds_the_hooks_do_not_look_for(void **state)
{
	struct settings *settings = &stage.daemon.settings;

	(void)state;
	assert_int_equal(set("detect.plain_tcp", "yes"), 0);
	assert_true(stage.config.plain_tcp);
	free(settings->source); /* which stays while the daemon runs */
	settings->source = strdup("diag");
	assert_false(tuning_hook_config(settings).detects);
	assert_false(tuning_hook_config(settings).plain_tcp);
}

static void the_parts_are_told(void **state)
{
	struct daemon *daemon = &stage.daemon;

	(void)state;
	assert_int_equal(tuning_begin(daemon), 0);
	assert_int_equal(daemon->plan.steer.mode, STEER_PATHS);
	assert_true(daemon->plan.does_repair);
	assert_int_equal(daemon->plan.steer.hold_ns, 10000000000);
	assert_int_equal(daemon->hands.rto_min_ms, 20);
	assert_int_equal(daemon->scout.probes_per_second, 1000);
	assert_ptr_equal(daemon->served.wanted, daemon->settings.serve);
	assert_int_equal(set("repair.rto_min_ms", "0"), 0);
	assert_false(daemon->plan.does_repair);
	assert_int_equal(set("limits.max_subflows", "5"), 0);
	assert_int_equal(daemon->plan.max_subflows, 5);
	assert_int_equal(set("detect.interval_ms", "100"), 0);
	assert_int_equal(daemon->detector.census.care.most_ns, 100000000);
	assert_int_equal(set("control.group", "4711"), 0);
	assert_int_equal(daemon->server.group, 4711);
	assert_ptr_equal(daemon->served.wanted, daemon->settings.serve);
}

/* The hooks have left off with those that were past it. */
static void a_later_stop_counts_for_those_that_were_past_it(void **state)
{
	struct census *census = &stage.daemon.detector.census;

	(void)state;
	assert_int_equal(detector_init(&stage.daemon.detector), 0);
	stage_connect();
	stage.client = (struct client_record){.token = STAGE_TOKEN, .traits = CLIENT_UNWATCHED};
	assert_int_equal(set("elephant.stop", "200MB"), 0);
	assert_int_equal(set("elephant.step", "10MB"), 0);
	assert_int_equal(stage.visits, 0);
	assert_int_equal(set("elephant.stop", "300MB"), 0);
	assert_int_equal(stage.visits, 1);
	assert_true(census_has(census, stage_conn()));
	assert_int_equal(set("elephant.downloads", "no"), 0);
	assert_int_equal(stage.visits, 1);
	assert_int_equal(set("elephant.downloads", "yes"), 0);
	assert_int_equal(stage.visits, 2);
}

/* Nothing else may happen to the connection for long. */
static void what_was_without_room_is_opened(void **state)
{
	(void)state;
	assert_int_equal(set("placement.mode", "kernel"), 0); /* nobody is to be asked for paths */
	assert_int_equal(set("elephant.max_subflows", "1"), 0);
	assert_int_equal(set("limits.max_subflows", "1"), 0);
	stage_connect();
	stage_conn()->wanted_operator = 2;
	opening_run(&stage.daemon.plan, stage_conn(), 0);
	hands_act(&stage.daemon.hands);
	assert_int_equal(stage.creates, 0);
	assert_int_equal(set("limits.max_subflows", "2"), 0);
	assert_int_equal(stage.creates, 1);
	assert_int_equal(set("elephant.max_subflows", "3"), 0);
	assert_int_equal(stage.creates, 2);
}

static void what_is_wrong_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(set("elephant.start", "0"), -EINVAL);
	assert_non_null(strstr(said, "start = 0"));
	assert_int_equal(stage.configs, 0);
	assert_int_equal(stage.daemon.settings.start_bytes, 100000000);
}

static void what_stays_is_said(void **state)
{
	(void)state;
	assert_int_equal(set("hooks.ring_size", "8192"), -EINVAL);
	assert_string_equal(said, "[hooks] ring_size cannot change while subflowd runs: put it "
				  "into the configuration "
				  "file and restart subflowd");
	assert_int_equal(stage.configs, 0);
	assert_int_equal(stage.daemon.settings.ring_bytes, 1 << 18);
}

static void other_namespaces_are_looked_for(void **state)
{
	(void)state;
	assert_int_equal(set("elephant.start", "1MB"), 0);
	assert_int_equal(stage.rescans, 0);
	assert_int_equal(set("namespaces.serve", "all"), 0);
	assert_int_equal(stage.rescans, 1);
	assert_string_equal(stage.daemon.served.wanted, "all");
	assert_non_null(strstr(said, "stay so until subflowd is restarted"));
}

/* Whose the connections are decides which rules are theirs. */
static void rules_ask_for_owners(void **state)
{
	static const char text[] = "[rule one]\nuid = 1000\nstart = 1MB\n";
	char path[FILE_PATH_MAX];
	int fd = file_make(text, strlen(text), path);

	(void)state;
	stage_connect();
	stage_list(STAGE_TOKEN, 1000);
	assert_int_equal(
		tuning_reload(&stage.daemon, said, sizeof(said)), -ENOENT); /* no --config */
	stage.daemon.config_path = path;
	assert_int_equal(stage.rescans, 0);
	assert_int_equal(tuning_reload(&stage.daemon, said, sizeof(said)), 0);
	assert_int_equal(stage.rescans, 1); /* what was left alone may be free by now */
	assert_non_null(strstr(said, path));
	assert_int_equal(stage_conn()->uid, 1000);
	assert_string_equal(rules_name(&stage.daemon.plan, stage_conn()), "one");
	assert_true(stage.config.has_rules);
	assert_int_equal(stage.config.gate, 1000000);
	assert_int_equal(stage.config.start, 100000000);
	file_remove(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_begin, stage_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_hooks_are_told),
		TEST(subflows_are_coupled_if_that_is_wanted),
		TEST(what_the_census_finds_the_hooks_do_not_look_for),
		TEST(the_parts_are_told),
		TEST(a_later_stop_counts_for_those_that_were_past_it),
		TEST(what_was_without_room_is_opened),
		TEST(what_is_wrong_changes_nothing),
		TEST(what_stays_is_said),
		TEST(other_namespaces_are_looked_for),
		TEST(rules_ask_for_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
