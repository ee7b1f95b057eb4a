/* SPDX-License-Identifier: MIT */
/* One daemon a namespace. */
#include "kernel/claim.h"

#include "../unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/subflow-claim-XXXXXX";
static char path[64];

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/run/namespaces", folder);
	return 0;
}

static int end(void **state)
{
	(void)state;
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	return rmdir(folder);
}

static void one_has_it_until_it_ends(void **state)
{
	int one = claim_open(path), other = claim_open(path);

	(void)state;
	assert_true(one >= 0 && other >= 0);
	assert_int_equal(claim_take(one, 4711), 0);
	assert_int_equal(claim_take(one, 4711), 0);
	assert_int_equal(claim_take(other, 4711), -EBUSY);
	assert_int_equal(claim_take(other, 4712), 0);
	claim_drop(one, 4711);
	assert_int_equal(claim_take(other, 4711), 0);
	assert_int_equal(claim_take(one, 4711), -EBUSY);
	close(other);
	assert_int_equal(claim_take(one, 4711), 0);
	assert_int_equal(claim_take(one, 4712), 0);
	close(one);
}

static void large_cookies_are_told_apart(void **state)
{
	int one = claim_open(path), other = claim_open(path);

	(void)state;
	assert_int_equal(claim_take(one, INT64_MAX - 2), 0);
	assert_int_equal(claim_take(other, INT64_MAX - 3), 0);
	assert_int_equal(claim_take(other, INT64_MAX - 2), -EBUSY);
	assert_int_equal(claim_take(one, 4711), 0);
	assert_int_equal(claim_take(other, 4711 + (UINT64_C(1) << 32)), 0);
	close(one);
	close(other);
}

static void a_path_that_cannot_be_made(void **state)
{
	(void)state;
	assert_int_equal(claim_open("/proc/no/such"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_has_it_until_it_ends),
		cmocka_unit_test(large_cookies_are_told_apart),
		cmocka_unit_test(a_path_that_cannot_be_made),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
