/* SPDX-License-Identifier: MIT */
/* What a client asks: one line of text, and the command in it. */
#include "request.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int request_add(struct request *request, const void *bytes, size_t size)
{
	const char *end = memchr(bytes, '\n', size);
	size_t len = end ? (size_t)(end - (const char *)bytes) : size;

	if (len >= sizeof(request->line) - request->len || memchr(bytes, '\0', len))
		return -EBADMSG;
	memcpy(request->line + request->len, bytes, len);
	request->len += len;
	request->line[request->len] = '\0';
	return end != NULL;
}

static const struct {
	const char *name;
	enum command_kind kind;
	bool is_about_connection;
} commands[] = {
	{"status", COMMAND_STATUS, false},
	{"paths", COMMAND_PATHS, false},
	{"watch", COMMAND_WATCH, false},
	{"add", COMMAND_ADD, true},
	{"remove", COMMAND_REMOVE, true},
	{"set", COMMAND_SET, false},
	{"reload", COMMAND_RELOAD, false},
};

/* The next word, ended in place; NULL when there is none. */
static char *take_word(char **rest)
{
	char *word = *rest + strspn(*rest, " "), *end = word + strcspn(word, " ");

	*rest = *end ? end + 1 : end;
	*end = '\0';
	return *word ? word : NULL;
}

static int parse_number(const char *text, const char *digits, int base, uint32_t *ret_number)
{
	unsigned long number;
	size_t len = strlen(text);

	if (!len || len > 8 || text[strspn(text, digits)])
		return -EINVAL;
	number = strtoul(text, NULL, base);
	*ret_number = number;
	return 0;
}

/* [NAMESPACE/]TOKEN */
static int parse_name(char *name, struct command *command, const char **ret_why)
{
	char *slash = strrchr(name, '/'), *token = slash ? slash + 1 : name;

	if (slash == name || parse_number(token, "0123456789abcdefABCDEF", 16, &command->token)) {
		*ret_why = "a connection is [NAMESPACE/]TOKEN, the token in hex";
		return -EINVAL;
	}
	if (slash) {
		*slash = '\0';
		command->namespace_name = name;
	}
	command->has_token = true;
	return 0;
}

/* Nothing, or a connection; the name of its namespace may have blanks. */
static int parse_question(char *rest, struct command *command, const char **ret_why)
{
	char *name = rest + strspn(rest, " "), *end = name + strlen(name);

	while (end > name && end[-1] == ' ')
		*--end = '\0';
	return *name ? parse_name(name, command, ret_why) : 0;
}

/* [NAMESPACE/]TOKEN [N] */
static int parse_connection(char *rest, struct command *command, const char **ret_why)
{
	char *name = take_word(&rest), *count = take_word(&rest);

	if (!name || take_word(&rest)) {
		*ret_why = "say [NAMESPACE/]TOKEN, and how many";
		return -EINVAL;
	}
	if (parse_name(name, command, ret_why))
		return -EINVAL;
	command->count = 1;
	if (count && (parse_number(count, "0123456789", 10, &command->count) || !command->count)) {
		*ret_why = "how many is a number from 1 up";
		return -EINVAL;
	}
	return 0;
}

/* KEY VALUE; the value may have blanks. */
static int parse_setting(char *rest, struct command *command, const char **ret_why)
{
	command->key = take_word(&rest);
	command->value = rest + strspn(rest, " ");
	if (command->key && *command->value)
		return 0;
	*ret_why = "say SECTION.KEY and its value";
	return -EINVAL;
}

int request_parse(char *line, struct command *ret_command, const char **ret_why)
{
	struct command command = {};
	char *rest = line, *name = take_word(&rest);
	int err = 0;
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (name && !strcmp(name, commands[i].name))
			break;
	}
	if (i == sizeof(commands) / sizeof(*commands)) {
		*ret_why = "unknown request; there are: status, paths, watch, add, remove, set, "
			   "reload";
		return -EINVAL;
	}
	command.kind = commands[i].kind;
	if (command.kind == COMMAND_STATUS) {
		err = parse_question(rest, &command, ret_why);
	} else if (commands[i].is_about_connection) {
		err = parse_connection(rest, &command, ret_why);
	} else if (command.kind == COMMAND_SET) {
		err = parse_setting(rest, &command, ret_why);
	} else if (take_word(&rest)) {
		*ret_why = "this request takes nothing";
		err = -EINVAL;
	}
	if (!err)
		*ret_command = command;
	return err;
}
