/* SPDX-License-Identifier: MIT */
/* A request in one piece, in many, and what is none. */
#include "control/request.h"

#include "../unit.h"

#include <errno.h>
#include <string.h>

static int add(struct request *request, const char *text)
{
	return request_add(request, text, strlen(text));
}

static void takes_a_line(void **state)
{
	struct request request = {};

	(void)state;
	assert_int_equal(add(&request, "status\nand what comes after"), 1);
	assert_string_equal(request.line, "status");
}

static void takes_pieces(void **state)
{
	struct request request = {};

	(void)state;
	assert_int_equal(add(&request, "sta"), 0);
	assert_int_equal(add(&request, ""), 0);
	assert_int_equal(add(&request, "tus"), 0);
	assert_int_equal(add(&request, "\n"), 1);
	assert_string_equal(request.line, "status");
}

static void takes_an_empty_line(void **state)
{
	struct request request = {};

	(void)state;
	assert_int_equal(add(&request, "\n"), 1);
	assert_string_equal(request.line, "");
}

static void refuses_what_is_too_long(void **state)
{
	char text[REQUEST_BYTES_MAX + 1];
	struct request request = {};

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(request_add(&request, text, sizeof(text)), -EBADMSG);
	assert_int_equal(request_add(&request, text, REQUEST_BYTES_MAX), -EBADMSG);
	/* The longest that there may be, and then one byte more. */
	assert_int_equal(request_add(&request, text, REQUEST_BYTES_MAX - 1), 0);
	assert_int_equal(strlen(request.line), REQUEST_BYTES_MAX - 1);
	assert_int_equal(request_add(&request, text, 1), -EBADMSG);
	assert_int_equal(add(&request, "\n"), 1);
}

static void refuses_what_is_no_text(void **state)
{
	struct request request = {};

	(void)state;
	assert_int_equal(request_add(&request, "sta\0tus\n", 8), -EBADMSG);
	/* After the line it is no matter. */
	assert_int_equal(request_add(&request, "status\n\0", 8), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_line),
		cmocka_unit_test(takes_pieces),
		cmocka_unit_test(takes_an_empty_line),
		cmocka_unit_test(refuses_what_is_too_long),
		cmocka_unit_test(refuses_what_is_no_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
