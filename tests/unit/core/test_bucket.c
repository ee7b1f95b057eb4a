/* SPDX-License-Identifier: MIT */
/* What is saved, and what is spent. */
#include "core/bucket.h"

#include "../unit.h"

#define SECOND_NS 1000000000ull

static unsigned int spend_all(struct bucket *bucket, uint64_t most_ns, uint64_t now_ns)
{
	unsigned int count = 0;

	bucket_fill(bucket, most_ns, now_ns);
	for (; bucket_has(bucket, 100); count++)
		bucket_spend(bucket, 100);
	return count;
}

static void no_more_is_saved_than_is_allowed(void **state)
{
	struct bucket bucket = {};

	(void)state;
	assert_int_equal(spend_all(&bucket, SECOND_NS / 2, 10 * SECOND_NS), 50);
	assert_int_equal(spend_all(&bucket, SECOND_NS / 2, 10 * SECOND_NS), 0);
	assert_int_equal(spend_all(&bucket, SECOND_NS / 2, 10 * SECOND_NS + SECOND_NS / 10), 10);
	assert_int_equal(spend_all(&bucket, SECOND_NS / 2, 99 * SECOND_NS), 50);
}

static void nothing_is_won_by_an_older_time(void **state)
{
	struct bucket bucket = {};

	(void)state;
	assert_int_equal(spend_all(&bucket, SECOND_NS, 10 * SECOND_NS), 100);
	assert_int_equal(spend_all(&bucket, SECOND_NS, 9 * SECOND_NS), 0);
	assert_int_equal(spend_all(&bucket, SECOND_NS, 10 * SECOND_NS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_is_saved_than_is_allowed),
		cmocka_unit_test(nothing_is_won_by_an_older_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
