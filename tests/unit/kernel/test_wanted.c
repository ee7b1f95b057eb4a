/* SPDX-License-Identifier: MIT */
/* Which namespaces the words of the configuration mean. */
#include "kernel/wanted.h"

#include "../unit.h"

static void own_and_all_are_words(void **state)
{
	(void)state;
	assert_true(wanted_has_own("own"));
	assert_true(wanted_has_own(" a\tall "));
	assert_false(wanted_has_own("owner *"));
	assert_true(wanted_has_unnamed("own all"));
	assert_false(wanted_has_unnamed("own * a*"));
	assert_false(wanted_has_own(""));
}

static void others_are_patterns(void **state)
{
	(void)state;
	assert_true(wanted_has_name("a b", "b"));
	assert_true(wanted_has_name("own work-*", "work-1"));
	assert_true(wanted_has_name("all", "b"));
	assert_true(wanted_has_name("[o]wn", "own"));
	assert_false(wanted_has_name("own", "own"));
	assert_false(wanted_has_name("a b", "ab"));
	assert_false(wanted_has_name("", "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_and_all_are_words),
		cmocka_unit_test(others_are_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
