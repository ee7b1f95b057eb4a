/* SPDX-License-Identifier: MIT */
/* Tests of taking the daemon's answer apart: what is no answer, which connections are meant. */
#include "answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char connections[] = "{\"connections\": ["
				  "{\"namespace\": \"own\", \"token\": 305419896},"
				  "{\"namespace\": \"web\", \"token\": 305419896},"
				  "{\"namespace\": \"web\", \"token\": 1}]}";

static struct json_object *parsed(const char *text)
{
	struct json_object *root;
	char why[256];

	assert_int_equal(answer_parse(text, strlen(text), &root, why, sizeof(why)), 0);
	return root;
}

static void refused(const char *text, size_t len, int error, const char *words)
{
	struct json_object *root = NULL;
	char why[256] = "";

	assert_int_equal(answer_parse(text, len, &root, why, sizeof(why)), error);
	assert_null(root);
	if (!strstr(why, words))
		fail_msg("\"%s\" does not say \"%s\"", why, words);
}

static void refused_text(const char *text, int error, const char *words)
{
	refused(text, strlen(text), error, words);
}

static void test_parse(void **state)
{
	(void)state;
	json_object_put(parsed("{}"));
	json_object_put(parsed(" {\"daemon\": {}} \r\n\t"));
	refused_text("{\"daemon\": ", -EBADMSG, "cut off after 11 bytes");
	refused_text("nonsense", -EBADMSG, "no JSON");
	refused_text("{} {}", -EBADMSG, "no JSON");
	refused("{}\0", 3, -EBADMSG, "no JSON");
	refused_text("[]", -EBADMSG, "no JSON object");
	refused_text("null ", -EBADMSG, "no JSON object");
	refused_text("12 ", -EBADMSG, "no JSON object");
	refused_text("{\"a\": \"\xff\"}", -EBADMSG, "no JSON");
	refused_text("{\"error\": \"no\x7f way\"}", -EREMOTEIO, "no");
	refused_text("{\"error\": \"\\u001b[2J\"}", -EREMOTEIO, "\\u001b[2J");
}

/* Every beginning of a whole answer is an error, never a shorter answer. */
static void test_parse_prefixes(void **state)
{
	(void)state;
	for (size_t len = 1; len < sizeof(connections) - 1; len++)
		refused(connections, len, -EBADMSG, "");
}

static void test_parse_depth(void **state)
{
	char deep[4096];

	(void)state;
	memset(deep, '[', sizeof(deep));
	refused(deep, sizeof(deep), -EBADMSG, "no JSON");
}

static void test_filter_init(void **state)
{
	static const char *const bad[] = {"", "/", "own/", "/12345678", "123456789", "xyz", "0x",
		"-1", " 1", "12 ", "own/0x"};
	struct answer_filter filter;

	(void)state;
	assert_int_equal(answer_filter_init(&filter, "1234ABcd"), 0);
	assert_int_equal(filter.token, 0x1234abcd);
	assert_null(filter.namespace_name);
	answer_filter_done(&filter);
	assert_int_equal(answer_filter_init(&filter, "a/b/0x1"), 0);
	assert_int_equal(filter.token, 1);
	assert_string_equal(filter.namespace_name, "a/b");
	answer_filter_done(&filter);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (answer_filter_init(&filter, bad[i]) != -EINVAL)
			fail_msg("\"%s\" was taken for a connection", bad[i]);
}

static void selected(const char *filter_text, int result, size_t count)
{
	struct json_object *root = parsed(connections), *list;
	struct answer_filter filter = {0};
	char why[256];

	if (filter_text)
		assert_int_equal(answer_filter_init(&filter, filter_text), 0);
	assert_int_equal(answer_select(root, &filter, why, sizeof(why)), result);
	assert_true(json_object_object_get_ex(root, "connections", &list));
	assert_int_equal(json_object_array_length(list), count);
	answer_filter_done(&filter);
	json_object_put(root);
}

static void test_select(void **state)
{
	(void)state;
	selected(NULL, 0, 3);
	selected("12345678", 0, 2);
	selected("web/12345678", 0, 1);
	selected("1", 0, 1);
	selected("own/1", -ENOENT, 3);
	selected("2", -ENOENT, 3);
}

static void test_get_number(void **state)
{
	struct json_object *root = parsed("{\"n\": 18446744073709551615, \"m\": -1, \"d\": 1.5}");
	char why[128] = "";
	struct answer_reader reader = {.why = why, .why_size = sizeof(why)};

	(void)state;
	assert_true(answer_get_number(&reader, root, "it", "n") == UINT64_MAX);
	assert_false(reader.has_failed);
	assert_int_equal(answer_get_number(&reader, root, "it", "m"), 0);
	assert_true(reader.has_failed);
	assert_non_null(strstr(why, "it.m"));
	/* The first complaint stays. */
	assert_int_equal(answer_get_number(&reader, root, "it", "d"), 0);
	assert_non_null(strstr(why, "it.m"));
	json_object_put(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_prefixes),
		cmocka_unit_test(test_parse_depth),
		cmocka_unit_test(test_filter_init),
		cmocka_unit_test(test_select),
		cmocka_unit_test(test_get_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
