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

static int parse(const char *text, struct command *command)
{
	static char line[REQUEST_BYTES_MAX];
	const char *why = NULL;
	int err;

	*command = (struct command){};
	strcpy(line, text);
	err = request_parse(line, command, &why);
	assert_int_equal(!err, !why);
	return err;
}

static void knows_its_commands(void **state)
{
	struct command command;

	(void)state;
	assert_int_equal(parse("status", &command), 0);
	assert_int_equal(command.kind, COMMAND_STATUS);
	assert_false(command.has_token);
	assert_int_equal(parse("status  ", &command), 0);
	assert_false(command.has_token);
	assert_int_equal(parse("status deadBEEF", &command), 0);
	assert_int_equal(command.kind, COMMAND_STATUS);
	assert_true(command.has_token);
	assert_int_equal(command.token, 0xdeadbeef);
	assert_null(command.namespace_name);
	assert_int_equal(parse("status  a b/c/1f ", &command), 0);
	assert_string_equal(command.namespace_name, "a b/c");
	assert_int_equal(command.token, 0x1f);
	assert_int_equal(parse("paths", &command), 0);
	assert_int_equal(command.kind, COMMAND_PATHS);
	assert_int_equal(parse("watch", &command), 0);
	assert_int_equal(command.kind, COMMAND_WATCH);
	assert_int_equal(parse(" reload ", &command), 0);
	assert_int_equal(command.kind, COMMAND_RELOAD);
	assert_int_equal(parse("add deadBEEF", &command), 0);
	assert_int_equal(command.kind, COMMAND_ADD);
	assert_int_equal(command.token, 0xdeadbeef);
	assert_int_equal(command.count, 1);
	assert_null(command.namespace_name);
	assert_int_equal(parse("remove a/b/1f 12", &command), 0);
	assert_int_equal(command.kind, COMMAND_REMOVE);
	assert_string_equal(command.namespace_name, "a/b");
	assert_int_equal(command.token, 0x1f);
	assert_int_equal(command.count, 12);
	assert_int_equal(parse("set namespaces.serve own  a b", &command), 0);
	assert_int_equal(command.kind, COMMAND_SET);
	assert_string_equal(command.key, "namespaces.serve");
	assert_string_equal(command.value, "own  a b");
}

static void refuses_what_is_no_command(void **state)
{
	static const char *const lines[] = {"", " ", "statu", "status all", "status /1",
		"status a/", "status 1 2", "status 123456789", "reload now", "watch x", "add",
		"add /1", "add x", "add 123456789", "add a/", "add 1 0", "add 1 -1", "add 1 x",
		"add 1 1 1", "add 1 999999999", "remove", "set", "set a.b", "set a.b  "};
	struct command command;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		if (parse(lines[i], &command) != -EINVAL)
			fail_msg("\"%s\" is taken", lines[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_line),
		cmocka_unit_test(takes_pieces),
		cmocka_unit_test(takes_an_empty_line),
		cmocka_unit_test(refuses_what_is_too_long),
		cmocka_unit_test(refuses_what_is_no_text),
		cmocka_unit_test(knows_its_commands),
		cmocka_unit_test(refuses_what_is_no_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
