/* SPDX-License-Identifier: MIT */
/* Looking at connections now and then: what was passed since, and when to look again. */
#include "core/progress.h"

#include "../unit.h"

#define MB     1000000ull
#define MS     1000000ull
#define SECOND 1000000000ull

static const struct elephant_rule paper = {
	.start_bytes = 100 * MB,
	.step_bytes = 50 * MB,
	.stop_bytes = 300 * MB,
	.max_subflows = 4,
};
static const struct progress_care care = {.late_bytes = 5 * MB, .most_ns = SECOND};

static void thresholds_are_told_once_and_in_order(void **state)
{
	struct progress progress = {};

	(void)state;
	progress_note(&progress, 100 * MB - 1, 1 * SECOND);
	assert_int_equal(progress_pass(&progress, &paper), 0);
	progress_note(&progress, 100 * MB, 2 * SECOND);
	assert_int_equal(progress_pass(&progress, &paper), 100 * MB);
	assert_int_equal(progress_pass(&progress, &paper), 0);
	progress_note(&progress, 201 * MB, 3 * SECOND);
	assert_int_equal(progress_pass(&progress, &paper), 150 * MB);
	assert_int_equal(progress_pass(&progress, &paper), 200 * MB);
	assert_int_equal(progress_pass(&progress, &paper), 0);
}

/* Whoever tells of them. */
static void what_was_heard_is_not_told_again(void **state)
{
	struct progress progress = {};

	(void)state;
	assert_true(progress_hear(&progress, 100 * MB, &paper));
	assert_false(progress_hear(&progress, 100 * MB, &paper));
	assert_true(progress_hear(&progress, 200 * MB, &paper));
	assert_false(progress_hear(&progress, 150 * MB, &paper));
	progress_note(&progress, 260 * MB, SECOND);
	assert_int_equal(progress_pass(&progress, &paper), 250 * MB);
	assert_int_equal(progress_pass(&progress, &paper), 0);
}

/* Then it is looked at again: it was past the last threshold. */
static void a_later_stop_is_a_threshold_more(void **state)
{
	struct elephant_rule rule = paper;
	struct progress progress = {};

	(void)state;
	assert_true(progress_hear(&progress, 250 * MB, &paper));
	assert_int_equal(progress_due(&progress, &paper, &care, SECOND), 0);
	rule.stop_bytes = 1000 * MB;
	assert_int_equal(progress_due(&progress, &rule, &care, SECOND), SECOND);
	assert_int_equal(progress_next(&progress, &rule), 300 * MB);
}

static void none_at_stop_or_after(void **state)
{
	struct progress progress = {};

	(void)state;
	progress_note(&progress, 1000 * MB, SECOND);
	for (uint64_t threshold = 100 * MB; threshold < 300 * MB; threshold += 50 * MB)
		assert_int_equal(progress_pass(&progress, &paper), threshold);
	assert_int_equal(progress_pass(&progress, &paper), 0);
	assert_int_equal(progress_due(&progress, &paper, &care, SECOND), 0);
}

static void a_counter_that_falls_is_no_step_back(void **state)
{
	struct progress progress = {};

	(void)state;
	progress_note(&progress, 90 * MB, 1 * SECOND);
	progress_note(&progress, 20 * MB, 2 * SECOND);
	assert_int_equal(progress.bytes, 90 * MB);
	progress_note(&progress, 110 * MB, 3 * SECOND);
	assert_int_equal(progress_pass(&progress, &paper), 100 * MB);
}

static void a_new_one_may_be_as_fast_as_10_gbit(void **state)
{
	struct progress progress = {};

	(void)state;
	assert_int_equal(progress_first_wait(&paper, &care), 84 * MS);
	assert_int_equal(progress_due(&progress, &paper, &care, 7 * SECOND), 7 * SECOND);
	progress_note(&progress, 0, 7 * SECOND);
	assert_int_equal(progress_due(&progress, &paper, &care, 7 * SECOND), 7 * SECOND + 84 * MS);
}

static void without_a_threshold_nobody_looks(void **state)
{
	struct elephant_rule rule = paper;
	struct progress progress = {};

	(void)state;
	rule.stop_bytes = rule.start_bytes;
	assert_int_equal(progress_first_wait(&rule, &care), 0);
	assert_int_equal(progress_due(&progress, &rule, &care, SECOND), 0);
}

static void an_idle_one_is_looked_at_seldom(void **state)
{
	struct progress progress = {};
	uint64_t now_ns = SECOND;
	int looks = 0;

	(void)state;
	for (; now_ns < 100 * SECOND; looks++) {
		progress_note(&progress, 1000, now_ns);
		now_ns = progress_due(&progress, &paper, &care, now_ns);
	}
	assert_in_range(looks, 99, 103);
}

/* Whatever its rate, as long as it is no more than doubled between two looks. */
static void a_threshold_is_seen_late_by_the_allowance_at_most(void **state)
{
	static const uint64_t mb_per_second[] = {1, 10, 125, 450};

	(void)state;
	for (size_t i = 0; i < sizeof(mb_per_second) / sizeof(*mb_per_second); i++) {
		struct progress progress = {};
		uint64_t now_ns = 1, bytes, threshold, told = 0, looks = 0;

		while (now_ns) {
			bytes = (double)now_ns * mb_per_second[i] * MB / SECOND;
			progress_note(&progress, bytes, now_ns);
			while ((threshold = progress_pass(&progress, &paper))) {
				assert_true(bytes - threshold <= care.late_bytes);
				told++;
			}
			looks++;
			now_ns = progress_due(&progress, &paper, &care, now_ns);
		}
		assert_int_equal(told, 4);
		assert_true(looks < 60 + 260 / mb_per_second[i]);
	}
}

static void looks_are_never_a_storm(void **state)
{
	struct progress progress = {};

	(void)state;
	progress_note(&progress, 0, 1);
	progress_note(&progress, 99 * MB, 2);
	assert_int_equal(progress_due(&progress, &paper, &care, 2), 2 + 10 * MS);
	progress_note(&progress, 99 * MB, 2);
	assert_int_equal(progress_due(&progress, &paper, &care, 2), 2 + 10 * MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thresholds_are_told_once_and_in_order),
		cmocka_unit_test(what_was_heard_is_not_told_again),
		cmocka_unit_test(a_later_stop_is_a_threshold_more),
		cmocka_unit_test(none_at_stop_or_after),
		cmocka_unit_test(a_counter_that_falls_is_no_step_back),
		cmocka_unit_test(a_new_one_may_be_as_fast_as_10_gbit),
		cmocka_unit_test(without_a_threshold_nobody_looks),
		cmocka_unit_test(an_idle_one_is_looked_at_seldom),
		cmocka_unit_test(a_threshold_is_seen_late_by_the_allowance_at_most),
		cmocka_unit_test(looks_are_never_a_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
