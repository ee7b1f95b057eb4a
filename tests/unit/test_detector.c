/* SPDX-License-Identifier: MIT */
/* What [detect] source names begins, and what it finds is heard. */
#include "detector.h"

#include "stage.h"

#include <stdlib.h>
#include <string.h>

static struct detector *const detector = &stage.daemon.detector;

static void choose(const char *source)
{
	char **now = &stage.daemon.settings.source;

	free(*now);
	*now = strdup(source);
	assert_int_equal(detector_init(detector), 0);
}

/* What the hooks cannot tell is asked for: of plain TCP when they have seen some, and of clients
 * that they do not tell of. */
static void hooks_call_for_the_roster(void **state)
{
	(void)state;
	choose("bpf");
	assert_true(detector->roster.is_on_call);
	assert_true(detector->roster.timer.fd >= 0);
	assert_true(detector->census.timer.fd >= 0);
	assert_false(detector->census.is_for_all);
	assert_int_equal(detector->capture.timer.fd, -1);
}

static void the_census_tells_of_thresholds(void **state)
{
	struct event event = {.kind = EVENT_THRESHOLD,
		.key = {.netns = STAGE_COOKIE, .token = STAGE_TOKEN},
		.bytes = 100000000,
		.threshold = 100000000};

	(void)state;
	choose("diag");
	assert_false(detector->roster.is_on_call);
	assert_true(detector->census.timer.fd >= 0);
	assert_true(detector->census.is_for_all);
	stage_connect();
	detector->census.heard(detector->census.owner, &event);
	assert_int_equal(stage.creates, 0);
	detector->census.looked(detector->census.owner);
	assert_int_equal(stage.creates, 1);
}

static void the_capture_begins_without_the_others(void **state)
{
	(void)state;
	choose("capture");
	assert_true(detector->capture.timer.fd >= 0);
	assert_int_equal(detector->census.timer.fd, -1);
	assert_int_equal(detector->roster.timer.fd, -1);
	assert_int_equal(detector->wire.first_alarm_bytes, 100000000);
	stage.daemon.plan.rule.start_bytes = 1000000;
	detector_renew(detector);
	assert_int_equal(detector->wire.first_alarm_bytes, 1000000);
}

static void care_is_in_bytes_and_nanoseconds(void **state)
{
	(void)state;
	detector_tune(detector);
	assert_true(detector->census.downloads);
	assert_int_equal(detector->census.care.late_bytes, 5000000);
	assert_int_equal(detector->census.care.most_ns, 500000000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_begin, stage_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hooks_call_for_the_roster),
		TEST(the_census_tells_of_thresholds),
		TEST(the_capture_begins_without_the_others),
		TEST(care_is_in_bytes_and_nanoseconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
