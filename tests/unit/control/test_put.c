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

static void ends_and_routers_as_text(void **state)
{
	struct router device = {.key.address.s6_addr[15] = 3},
		      spine = {.key.address.s6_addr = {0xfd}};
	const struct endpoint endpoint = {
		.family = AF_INET, .port = 80, .v4.s_addr = htonl(0x0a000001)};
	const struct path path = {.tiers = {&device, NULL, &spine}};
	struct json_object *object = json_object_new_object();
	char *text;

	(void)state;
	put_endpoint(object, "local", &endpoint);
	put_routers(object, "path", &path);
	text = put_whole(object);
	assert_string_equal(text, "{\"local\":\"10.0.0.1:80\",\"path\":[\"device 3\",\"fd00::\"]}");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_as_json_has_it),
		cmocka_unit_test(ends_and_routers_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
