/* SPDX-License-Identifier: MIT */
/* Text that grows at its end. */
#include "core/text.h"

#include "../unit.h"

#include <stdio.h>
#include <string.h>

static void it_grows(void **state)
{
	struct text text = {};
	char expected[30001] = "";

	(void)state;
	assert_string_equal(text_of(&text), "");
	for (int i = 0; i < 10000; i++) {
		text_add(&text, "%d", i % 10);
		text_add(&text, "%s", "ab");
		snprintf(expected + 3 * (size_t)i, 4, "%dab", i % 10);
	}
	assert_int_equal(text.length, 30000);
	assert_string_equal(text_of(&text), expected);
	assert_false(text.is_cut);
	text_done(&text);
	assert_string_equal(text_of(&text), "");
}

static void what_is_cleared_is_gone(void **state)
{
	struct text text = {};

	(void)state;
	text_clear(&text);
	text_add(&text, "one");
	text_clear(&text);
	assert_string_equal(text_of(&text), "");
	text_add(&text, "two");
	assert_string_equal(text_of(&text), "two");
	text_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_grows),
		cmocka_unit_test(what_is_cleared_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
