/* SPDX-License-Identifier: MIT */
/* Path maps of the daemon's answer: which are meant, how they are drawn, keys missing or mistyped.
 */
#include "ways.h"

#include "answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAP_KEYS                                                                                   \
	"\"hops\": 3, \"flows\": 28, \"missed\": 0.0097, \"is_thorough\": false,"                  \
	" \"is_partial\": false, \"age_s\": 12, \"confirmed_s\": 3, \"probes\": 36,"

#define WAY(routers, ports)                                                                        \
	"{\"routers\": [" routers "], \"load\": 0, \"unsplit\": 0, \"shunned_s\": 0,"              \
	" \"ports\": [" ports "]}"

static const char answer[] =
	"{\"paths\": [{\"namespace\": \"we\\u001bb\", \"local\": \"10.0.1.1\","
	" \"remote\": \"10.0.2.1:7000\", \"state\": \"known\", \"reason\": null," MAP_KEYS
	" \"ways\": [{\"routers\": [\"10.0.1.2\", \"10.0.3.2\"], \"load\": 1, \"unsplit\": 1,"
	" \"shunned_s\": 0, \"ports\": [40001]},"
	" {\"routers\": [\"10.0.1.2\", \"10.0.4.2\"], \"load\": 0, \"unsplit\": 0,"
	" \"shunned_s\": 7, \"ports\": [40002, 40003]}],"
	" \"subflows\": [{\"token\": 11, \"port\": 40001, \"asked_by\": null,"
	" \"routers\": [\"10.0.1.2\", \"10.0.3.2\"]},"
	" {\"token\": 12, \"port\": 40009, \"asked_by\": \"elephant\", \"routers\": []}]},"
	" {\"namespace\": \"own\", \"local\": \"fd00::1\", \"remote\": \"[fd00::2]:80\","
	" \"state\": \"silent\", \"reason\": \"no router on the way answers\"," MAP_KEYS
	" \"ways\": [], \"subflows\": []}]}";

static struct json_object *parsed(void)
{
	struct json_object *root;
	char why[256];

	assert_int_equal(answer_parse(answer, strlen(answer), &root, why, sizeof(why)), 0);
	return root;
}

static char *drawn(struct json_object *root)
{
	char why[256] = "", *text;

	if (ways_write(root, &text, why, sizeof(why)))
		fail_msg("%s", why);
	return text;
}

static void draws_each_path_with_who_takes_it(void **state)
{
	struct json_object *root = parsed();
	char *text = drawn(root);

	(void)state;
	assert_non_null(strstr(text, ": 10.0.1.1 to 10.0.2.1:7000: 2 paths\n"
				     "  28 flows seen, one more path missed with a probability of "
				     "0.0097; 3 hops, 36 probes, learned 12 s ago, confirmed 3 s "
				     "ago\n"
				     "  10.0.1.2\n"
				     "    10.0.3.2  path 1  load 2\n"
				     "      ports 40001\n"
				     "      subflow from 40001  of 0000000b\n"
				     "    10.0.4.2  path 2  load 0  failed: avoided for 7 s\n"
				     "      ports 40002 40003\n"
				     "  subflow from 40009  of 0000000c  path not known\n"));
	assert_non_null(strstr(text, "own: fd00::1 to [fd00::2]:80: not known: no router on the "
				     "way answers\n"));
	assert_null(strchr(text, 0x1b));
	free(text);
	json_object_put(root);
}

/* A host with two devices; the ways are not told in the order of the tree. */
static void draws_what_ways_have_in_common_once(void **state)
{
	static const char tiers[] =
		"{\"paths\": [{\"namespace\": \"web\", \"local\": \"10.0.1.1\","
		" \"remote\": \"10.0.2.1:7000\", \"state\": \"asking\", \"reason\": null," MAP_KEYS
		" \"ways\": [" WAY("\"device 3\", \"a\", \"c\"", "1") "," WAY(
			"\"device 4\", \"b\", \"c\"", "2") "," WAY("\"device 3\", \"a\", \"d\"",
			"3") "," WAY("\"device 3\"",
			"4") "],"
			     " \"subflows\": [{\"token\": 11, \"port\": 2, \"asked_by\": null,"
			     " \"routers\": [\"device 4\", \"b\", \"c\"]},"
			     " {\"token\": 11, \"port\": 5, \"asked_by\": null,"
			     " \"routers\": [\"device 4\", \"e\"]}]}]}";
	struct json_object *root;
	char why[256], *text;

	(void)state;
	assert_int_equal(answer_parse(tiers, strlen(tiers), &root, why, sizeof(why)), 0);
	text = drawn(root);
	assert_non_null(strstr(text, "  device 3\n"
				     "    a\n"
				     "      c  path 1  load 0\n"
				     "        ports 1\n"
				     "      d  path 3  load 0\n"
				     "        ports 3\n"
				     "  device 4\n"
				     "    b\n"
				     "      c  path 2  load 0\n"
				     "        ports 2\n"
				     "        subflow from 2      of 0000000b\n"
				     "  device 3  path 4  load 0\n"
				     "    ports 4\n"
				     "  subflow from 5      of 0000000b  by device 4 > e\n"));
	free(text);
	json_object_put(root);
}

static struct json_object *first_map(struct json_object *root)
{
	struct json_object *list;

	json_object_object_get_ex(root, "paths", &list);
	return json_object_array_get_idx(list, 0);
}

static void breaks_the_line_of_many_ports(void **state)
{
	struct json_object *root = parsed(), *ways, *ports = json_object_new_array();
	char *text;

	(void)state;
	for (int port = 101; port <= 142; port++)
		json_object_array_add(ports, json_object_new_int(port));
	json_object_object_get_ex(first_map(root), "ways", &ways);
	json_object_object_add(json_object_array_get_idx(ways, 0), "ports", ports);
	text = drawn(root);
	assert_non_null(strstr(text, "      ports 101 102 103 104 105 106 107 108 109 110\n"
				     "            111 112 113"));
	assert_non_null(strstr(text, " 139 140 and 2 more\n      subflow from 40001"));
	free(text);
	json_object_put(root);
}

/* How many maps are left of two; -errno. */
static int count_meant(const char *name)
{
	struct json_object *root = parsed(), *list;
	struct ways_filter filter;
	char why[256];
	int r = ways_filter_init(&filter, name);

	if (!r)
		r = ways_select(root, &filter, why, sizeof(why));
	answer_filter_done(&filter.filter);
	json_object_object_get_ex(root, "paths", &list);
	if (!r)
		r = (int)json_object_array_length(list);
	json_object_put(root);
	return r;
}

static void finds_what_is_meant(void **state)
{
	(void)state;
	assert_int_equal(count_meant(NULL), 2);
	assert_int_equal(count_meant("10.0.2.1"), 1);
	assert_int_equal(count_meant("10.0.2.1:7000"), 1);
	assert_int_equal(count_meant("10.0.2.1:7001"), -ENOENT);
	assert_int_equal(count_meant("10.0.2.2"), -ENOENT);
	assert_int_equal(count_meant("fd00:0::2"), 1);
	assert_int_equal(count_meant("[fd00::2]:80"), 1);
	assert_int_equal(count_meant("[fd00::2]:81"), -ENOENT);
	assert_int_equal(count_meant("c"), 1);
	assert_int_equal(count_meant("own/c"), -ENOENT);
	assert_int_equal(count_meant("d"), -ENOENT);
}

static void refuses_what_names_nothing(void **state)
{
	static const char *const names[] = {"", "host", "10.0.2", "10.0.2.1:", "10.0.2.1:0",
		"10.0.2.1:65536", "10.0.2.1:+1", "[fd00::2", "[fd00::2]", "[fd00::2]80", "[]:80",
		"[fd00::2]:80x", "123456789", "::::"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(count_meant(names[i]), -EINVAL);
}

static void names_the_key_that_is_wrong(void **state)
{
	static const char *const keys[] = {"remote", "state", "hops", "flows", "missed", "age_s",
		"probes", "ways", "subflows"};
	struct json_object *root;
	char why[256], path[64], *text;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		root = parsed();
		json_object_object_add(first_map(root), keys[i], json_object_new_boolean(true));
		assert_int_equal(ways_write(root, &text, why, sizeof(why)), -EBADMSG);
		snprintf(path, sizeof(path), "paths[0].%s", keys[i]);
		if (!strstr(why, path))
			fail_msg("no \"%s\" in: %s", path, why);
		json_object_put(root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(draws_each_path_with_who_takes_it),
		cmocka_unit_test(draws_what_ways_have_in_common_once),
		cmocka_unit_test(breaks_the_line_of_many_ports),
		cmocka_unit_test(finds_what_is_meant),
		cmocka_unit_test(refuses_what_names_nothing),
		cmocka_unit_test(names_the_key_that_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
