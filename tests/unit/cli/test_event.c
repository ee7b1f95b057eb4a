/* SPDX-License-Identifier: MIT */
/* An event as people read it, and events with keys missing and mistyped. */
#include "event.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SUBFLOW                                                                                    \
	"{\"event\":\"subflow_up\",\"time_us\":1700000000123456,\"namespace\":\"we\\u001bb\","     \
	"\"token\":11,\"role\":\"client\",\"local\":\"a\",\"remote\":\"r\",\"subflows\":2,"        \
	"\"id\":1,\"asked_by\":\"elephant\",\"why\":\"\"}"

static struct json_object *parsed(const char *text)
{
	struct json_object *event;
	char why[256];

	assert_int_equal(answer_parse(text, strlen(text), &event, why, sizeof(why)), 0);
	return event;
}

static void tells(const char *event, const char *words)
{
	struct json_object *object = parsed(event);
	char why[256], *text;

	assert_int_equal(event_write(object, &text, why, sizeof(why)), 0);
	if (!strstr(text, words))
		fail_msg("no \"%s\" in: %s", words, text);
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_null(strchr(text, 0x1b));
	free(text);
	json_object_put(object);
}

static void is_one_line_for_people(void **state)
{
	(void)state;
	tells(SUBFLOW,
		".123456 we?b/0000000b: subflow up a to r, client, for elephant, 2 in all\n");
	tells("{\"event\":\"threshold\",\"time_us\":0,\"namespace\":\"n\",\"token\":11,"
	      "\"role\":\"client\",\"local\":\"a\",\"remote\":\"r\",\"subflows\":2,"
	      "\"threshold\":100000000,\"bytes\":100500000,\"why\":\"one more\"}",
		", 100 MB passed at 100.5 MB, 2 in all; one more\n");
	tells("{\"event\":\"namespace_ended\",\"time_us\":0,\"namespace\":\"n\",\"why\":\"\"}",
		" n: namespace ended\n");
	tells("{\"event\":\"lost\",\"time_us\":0,\"count\":7}", ": lost 7 events\n");
	tells("{\"event\":\"watching\",\"time_us\":0,\"version\":\"1\"}", ": watching\n");
}

static void refuses(const char *event, const char *words)
{
	struct json_object *object = parsed(event);
	char why[256] = "", *text;

	assert_int_equal(event_write(object, &text, why, sizeof(why)), -EBADMSG);
	if (!strstr(why, words))
		fail_msg("\"%s\" does not say %s", why, words);
	json_object_put(object);
}

static void what_is_missing_is_named(void **state)
{
	(void)state;
	refuses("{}", "time_us");
	refuses("{\"time_us\":1}", "event");
	refuses("{\"time_us\":1,\"event\":3}", "event");
	refuses("{\"time_us\":1,\"event\":\"a\",\"local\":\"l\",\"role\":\"client\"}", "remote");
	refuses("{\"time_us\":1,\"event\":\"a\",\"threshold\":-1}", "threshold");
	refuses("{\"time_us\":1,\"event\":\"a\",\"count\":\"x\"}", "count");
}

static void means(const char *event, const char *connection, bool is_meant)
{
	struct json_object *object = parsed(event);
	struct answer_filter filter = {};

	if (connection)
		assert_int_equal(answer_filter_init(&filter, connection), 0);
	assert_int_equal(event_is_meant(object, &filter), is_meant);
	answer_filter_done(&filter);
	json_object_put(object);
}

static void a_filter_leaves_one_connection(void **state)
{
	(void)state;
	means("{\"token\":11,\"namespace\":\"n\"}", NULL, true);
	means("{\"token\":11,\"namespace\":\"n\"}", "b", true);
	means("{\"token\":11,\"namespace\":\"n\"}", "n/b", true);
	means("{\"token\":11,\"namespace\":\"n\"}", "m/b", false);
	means("{\"token\":11}", "n/b", false);
	means("{\"token\":12,\"namespace\":\"n\"}", "n/b", false);
	means("{\"token\":\"11\"}", "b", false);
	means("{\"event\":\"namespace_ended\"}", "b", false);
	means("{\"event\":\"watching\",\"version\":\"1\"}", "b", true);
	means("{\"event\":\"lost\",\"count\":1}", "b", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_one_line_for_people),
		cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(a_filter_leaves_one_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
