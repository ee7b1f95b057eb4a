/* SPDX-License-Identifier: MIT */
/* The histogram: bounds are inclusive, nothing is lost. */
#include "base/histogram.h"

#include "../unit.h"

static void bounds_are_inclusive(void **state)
{
	(void)state;
	for (int bucket = 0; bucket < HISTOGRAM_BUCKETS - 1; bucket++) {
		struct histogram histogram = {};

		histogram_add(&histogram, histogram_bound_us(bucket));
		histogram_add(&histogram, histogram_bound_us(bucket) + 1);
		assert_int_equal(histogram.counts[bucket], 1);
		assert_int_equal(histogram.counts[bucket + 1], 1);
	}
}

static void bounds_grow_up_to_none(void **state)
{
	(void)state;
	for (int bucket = 1; bucket < HISTOGRAM_BUCKETS - 1; bucket++)
		assert_true(histogram_bound_us(bucket - 1) < histogram_bound_us(bucket));
	assert_int_equal(histogram_bound_us(HISTOGRAM_BUCKETS - 1), 0);
}

static void extremes_are_counted(void **state)
{
	struct histogram histogram = {};

	(void)state;
	histogram_add(&histogram, 0);
	histogram_add(&histogram, UINT64_MAX - 5);
	assert_int_equal(histogram.counts[0], 1);
	assert_int_equal(histogram.counts[HISTOGRAM_BUCKETS - 1], 1);
	assert_int_equal(histogram.count, 2);
	assert_true(histogram.sum_us == UINT64_MAX - 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_are_inclusive),
		cmocka_unit_test(bounds_grow_up_to_none),
		cmocka_unit_test(extremes_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
