/* SPDX-License-Identifier: MIT */
/* Tests of the report for people, with every key of the answer missing and mistyped in turn. */
#include "report.h"

#include "answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char status[] =
	"{\"daemon\": {\"version\": \"0.1.0\", \"pid\": 42, \"uptime_s\": 3725.5, \"config\": null,"
	" \"cgroup\": \"/sys/fs/cgroup\", \"hooks\": true, \"elephant\": {\"backlog\": 4000000, "
	"\"start\": "
	"100000000, \"step\": 50000000,"
	" \"stop\": 300000000, \"max_subflows\": 4},"
	" \"counters\": {\"records\": 7, \"records_lost\": 3, \"create_failures\": 0},"
	" \"memory\": {\"connections\": 2600, \"connection\": 1300, \"subflow\": 200,"
	" \"connection_most\": 20000, \"most\": 1310720000, \"kernel\": 412,"
	" \"kernel_most\": 27000832},"
	" \"tables\": {\"connections\": {\"limit\": 65536, \"used\": 2, \"refused\": 0},"
	" \"clients\": {\"limit\": 32, \"used\": 1, \"refused\": 4},"
	" \"users\": {\"limit\": 4096, \"used\": 4000, \"refused\": 96}},"
	" \"create_us\": {\"count\": 4, \"buckets\": [{\"le\": 10, \"count\": 1},"
	" {\"le\": 20, \"count\": 2}, {\"le\": null, \"count\": 1}]}},"
	" \"namespaces\": [{\"name\": \"we\\u001bb\", \"cookie\": 3, \"state\": \"left alone\","
	" \"reason\": \"mptcpd listens\", \"connections\": 1}],"
	" \"refusing\": [{\"namespace\": \"own\", \"remote\": \"10.0.0.9:80\", \"in_a_row\": 8,"
	" \"beyond\": 0, \"reason\": \"Connection refused\", \"age_s\": 70, \"hold_s\": 530},"
	" {\"namespace\": null, \"remote\": \"10.0.0.8:80\", \"in_a_row\": 1,"
	" \"beyond\": 3, \"reason\": \"reset\", \"age_s\": 1, \"hold_s\": 0}],"
	" \"untreated\": [{\"namespace\": \"own\", \"local\": \"10.0.0.1:50000\","
	" \"remote\": \"10.0.0.7:80\", \"bytes_sent\": 100000000, \"bytes_received\": 5},"
	" {\"namespace\": null, \"local\": \"10.0.0.3:1\", \"remote\": \"10.0.0.4:2\","
	" \"bytes_sent\": 1, \"bytes_received\": 200000000}],"
	" \"connections\": [{\"namespace\": \"own\", \"token\": 11, \"role\": null,"
	" \"local\": \"10.0.0.1:40000\", \"remote\": \"[fd00::2]:5201\", \"bytes_sent\": 123456789,"
	" \"bytes_received\": null, \"state\": \"served\", \"subflows\": [{\"local\": \"a\","
	" \"remote\": \"b\", \"id\": 0, \"state\": \"established\","
	" \"path\": [\"10.0.1.2\", \"10.0.4.2\"]}], \"unplaced\": \"no router\", \"rule\": "
	"\"bulk\", \"wanted\": 2,"
	" \"expected\": 400000000, \"intent\": \"bulk\","
	" \"thresholds\": [{\"threshold\": 100000000, \"bytes\": 100034121, \"subflows\": 2, "
	"\"foreseen\": false, \"backlog\": 0}, {\"threshold\": 150000000, \"bytes\": 0, "
	"\"subflows\": 3,"
	" \"foreseen\": true, \"backlog\": 0}],"
	" \"decision\": \"one more subflow at 100 MB: 2 of 4\"}]}";

static struct json_object *parsed(const char *text)
{
	struct json_object *root;
	char why[256];

	assert_int_equal(answer_parse(text, strlen(text), &root, why, sizeof(why)), 0);
	return root;
}

static void says(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("no \"%s\" in:\n%s", words, text);
}

static void test_whole(void **state)
{
	struct json_object *root = parsed(status);
	char why[256], *text;

	(void)state;
	assert_int_equal(report_write(root, false, &text, why, sizeof(why)), 0);
	says(text, "subflowd 0.1.0, pid 42, up 1 h 2 min");
	says(text, "Elephants that cannot be treated\n"
		   "  own  10.0.0.1:50000 -> 10.0.0.7:80  sent 100 MB, received 5 B\n"
		   "  on the wire  10.0.0.3:1 -> 10.0.0.4:2  sent 1 B, received 200 MB\n");
	says(text, "none (defaults)");
	says(text, "one more subflow at 100 MB, then every 50 MB, none after 300 MB; at most 4 "
		   "subflows; the first one as soon as 4 MB wait to be sent\n");
	says(text, "4 subflows asked for, half of them within 20 us\n");
	says(text, "records_lost 3\n");
	says(text,
		"  memory      2.6 kB for connections; each takes 1.3 kB, a further subflow 200 B; "
		"at most 20 kB each, 1.3 GB in all; in the kernel 412 B each, 27.0 MB in "
		"all\n");
	says(text, "  full        clients (1 of 32) 4, users (4000 of 4096) 96\n");
	says(text, "we?b");
	says(text, "left alone   1 connection: mptcpd listens");
	says(text,
		"  own  10.0.0.9:80  8 in a row, the last 1 min 10 s ago: Connection refused; none "
		"is tried for another 8 min 50 s\n");
	says(text,
		"  ?  10.0.0.8:80  1 in a row beyond 3 of a connection, the last 1 s ago: reset\n");
	says(text, "0000000b  own  role unknown  10.0.0.1:40000 -> [fd00::2]:5201  served");
	says(text, "sent       123.5 MB, received unknown");
	says(text, "a -> b  id 0  established");
	says(text, "id 0  established  by 10.0.1.2 > 10.0.4.2\n");
	says(text, "the kernel's choice: no router\n");
	says(text, "    announced  400 MB\n    intent     bulk\n");
	says(text, "100 MB (at 100.0 MB, 2 subflows), 150 MB (foreseen, 3 subflows)");
	says(text, "one more subflow at 100 MB: 2 of 4");
	assert_null(strstr(text, "create_failures"));
	assert_null(strchr(text, 0x1b));
	free(text);
	assert_int_equal(report_write(root, true, &text, why, sizeof(why)), 0);
	assert_null(strstr(text, "subflowd"));
	says(text, "0000000b");
	free(text);
	json_object_put(root);
}

static void refused(struct json_object *root, const char *key)
{
	char why[256] = "", *text = NULL;

	assert_int_equal(report_write(root, false, &text, why, sizeof(why)), -EBADMSG);
	assert_null(text);
	says(why, key);
}

/* Takes each key of @object away, and gives it a wrong type; the report must name it. */
static void spoil(struct json_object *root, struct json_object *object)
{
	static const char *const unread[] = {
		"cookie", "records", "records_lost", "create_failures"};
	struct lh_entry *entry = json_object_get_object(object)->head;

	for (; entry; entry = entry->next) {
		const char *key = lh_entry_k(entry);
		struct json_object *value = json_object_get(lh_entry_v(entry));
		char *name = strdup(key);
		bool is_unread = false;

		for (size_t i = 0; i < sizeof(unread) / sizeof(unread[0]); i++)
			is_unread |= !strcmp(name, unread[i]);
		if (is_unread) {
			json_object_put(value);
			free(name);
			continue;
		}
		if (json_object_is_type(value, json_type_object))
			spoil(root, value);
		if (json_object_is_type(value, json_type_array) && strcmp(name, "buckets") &&
			strcmp(name, "path"))
			spoil(root, json_object_array_get_idx(value, 0));
		json_object_object_add(object, name,
			json_object_is_type(value, json_type_boolean) ? json_object_new_int(1)
								      : json_object_new_boolean(1));
		refused(root, name);
		json_object_object_add(object, name, value);
		free(name);
	}
}

static void test_wrong_types(void **state)
{
	struct json_object *root = parsed(status);
	char why[256], *text;

	(void)state;
	spoil(root, root);
	assert_int_equal(report_write(root, false, &text, why, sizeof(why)), 0);
	free(text);
	json_object_put(root);
}

static void test_missing(void **state)
{
	static const char *const keys[] = {
		"daemon", "namespaces", "refusing", "untreated", "connections"};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct json_object *root = parsed(status);

		json_object_object_del(root, keys[i]);
		refused(root, keys[i]);
		json_object_put(root);
	}
}

static void test_item_is_no_object(void **state)
{
	struct json_object *root = parsed(status), *list;

	(void)state;
	json_object_object_get_ex(root, "connections", &list);
	json_object_array_put_idx(list, 0, json_object_new_int(1));
	refused(root, "connections[0]");
	json_object_array_put_idx(list, 0, NULL);
	refused(root, "connections[0]");
	json_object_put(root);
}

static void test_format_bytes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0 B"},
		{999, "999 B"},
		{1000, "1 kB"},
		{1001, "1.0 kB"},
		{999949, "999.9 kB"},
		{999999, "1.0 MB"},
		{100000000, "100 MB"},
		{123456789, "123.5 MB"},
		{1500000000, "1.5 GB"},
		{UINT64_MAX, "18.4 EB"},
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		report_format_bytes(cases[i].bytes, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_wrong_types),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_item_is_no_object),
		cmocka_unit_test(test_format_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
