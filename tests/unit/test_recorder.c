/* SPDX-License-Identifier: MIT */
/* The file of a recording: its limit, and what becomes of the plan when it cannot be written. */
#include "recorder.h"

#include "core/plan.h"

#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	char folder[32], path[40], old[48], error[200];
	struct plan plan;
	struct recorder recorder;
} scene;

static int set_up(void **state)
{
	const struct elephant_rule rule = {.start_bytes = 1, .step_bytes = 1, .max_subflows = 2};

	(void)state;
	memset(&scene, 0, sizeof(scene));
	strcpy(scene.folder, "/tmp/test-recorder-XXXXXX");
	if (!mkdtemp(scene.folder))
		return -1;
	snprintf(scene.path, sizeof(scene.path), "%s/record", scene.folder);
	snprintf(scene.old, sizeof(scene.old), "%s.old", scene.path);
	return plan_init(&scene.plan, &rule, 8, 8);
}

static int clean_up(void **state)
{
	(void)state;
	recorder_close(&scene.recorder);
	plan_done(&scene.plan);
	remove(scene.path);
	remove(scene.old);
	return remove(scene.folder);
}

static void begin(uint64_t most_bytes)
{
	assert_int_equal(recorder_open(&scene.recorder, scene.path, most_bytes, scene.error,
				 sizeof(scene.error)),
		0);
	recorder_begin(&scene.recorder, &scene.plan);
}

static void tick(void)
{
	plan_tick(&scene.plan, 1);
	while (plan_next(&scene.plan))
		;
	recorder_write(&scene.recorder);
}

/* How many lines of the file are @line. */
static unsigned int count_lines(const char *path, const char *line)
{
	FILE *file = fopen(path, "r");
	unsigned int count = 0;
	char text[400];

	assert_non_null(file);
	while (fgets(text, sizeof(text), file)) {
		assert_non_null(strchr(text, '\n'));
		text[strcspn(text, "\n")] = '\0';
		count += !strcmp(text, line);
	}
	fclose(file);
	return count;
}

static void it_is_written_and_nobody_else_reads_it(void **state)
{
	struct stat stat_of_it;

	(void)state;
	begin(1000000);
	tick();
	assert_int_equal(
		count_lines(scene.path, "subflow-recording 1 of subflowd " SUBFLOW_VERSION), 1);
	assert_int_equal(count_lines(scene.path, "tick at=1"), 1);
	assert_int_equal(count_lines(scene.path, "rest"), 1);
	assert_int_equal(stat(scene.path, &stat_of_it), 0);
	assert_int_equal(stat_of_it.st_mode & 0777, 0600);
}

static void an_earlier_one_is_kept(void **state)
{
	(void)state;
	begin(1000000);
	tick();
	recorder_close(&scene.recorder);
	assert_null(scene.plan.tape);
	begin(1000000);
	assert_int_equal(count_lines(scene.path, "tick at=1"), 0);
	assert_int_equal(count_lines(scene.old, "tick at=1"), 1);
}

static void what_is_no_file_is_left(void **state)
{
	(void)state;
	assert_int_equal(mkdir(scene.path, 0700), 0);
	assert_int_equal(
		recorder_open(&scene.recorder, scene.path, 1000, scene.error, sizeof(scene.error)),
		-EINVAL);
	assert_non_null(strstr(scene.error, "it is there, and is no file"));
	recorder_begin(&scene.recorder, &scene.plan);
	assert_null(scene.plan.tape);
	tick();
}

static void a_full_one_says_so(void **state)
{
	struct stat stat_of_it;

	(void)state;
	begin(1000);
	for (int i = 0; i < 1000; i++)
		tick();
	assert_null(scene.plan.tape);
	assert_int_equal(stat(scene.path, &stat_of_it), 0);
	assert_in_range(stat_of_it.st_size, 900, 1000);
	assert_int_equal(count_lines(scene.path, "full"), 1);
}

/* A disk that is full ends the recording, at the end of a line, and nothing else. */
static void a_full_disk_does_no_harm(void **state)
{
	const struct rlimit little = {.rlim_cur = 500, .rlim_max = RLIM_INFINITY},
			    much = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	struct stat stat_of_it;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	begin(1000000);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	for (int i = 0; i < 1000; i++)
		tick();
	setrlimit(RLIMIT_FSIZE, &much);
	assert_null(scene.plan.tape);
	assert_true(scene.recorder.is_short);
	assert_int_equal(count_lines(scene.path, "full"), 1);
	assert_in_range(count_lines(scene.path, "rest"), 1, 999);
	assert_int_equal(stat(scene.path, &stat_of_it), 0);
	assert_in_range(stat_of_it.st_size, 400, 500);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_written_and_nobody_else_reads_it),
		TEST(an_earlier_one_is_kept),
		TEST(what_is_no_file_is_left),
		TEST(a_full_one_says_so),
		TEST(a_full_disk_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
