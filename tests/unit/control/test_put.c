/* SPDX-License-Identifier: MIT */
/* What values look like in an answer. */
#include "control/put.h"

#include "../unit.h"

#include <stdlib.h>

static void each_as_json_has_it(void **state)
{
	struct json_object *object = json_object_new_object();
	char *text;

	(void)state;
	put_text(object, "why", "a \"b\"");
	put_text(object, "none", NULL);
	put_number(object, "most", UINT64_MAX);
	put_flag(object, "is", true);
	text = put_whole(object);
	assert_string_equal(text,
		"{\"why\":\"a "
		"\\\"b\\\"\",\"none\":null,\"most\":18446744073709551615,\"is\":true}");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_as_json_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
