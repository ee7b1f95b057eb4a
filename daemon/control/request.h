/* SPDX-License-Identifier: MIT */
/* What a client asks: one line, which may come in pieces. */
#ifndef SUBFLOW_REQUEST_H
#define SUBFLOW_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_BYTES_MAX 512

struct request {
	char line[REQUEST_BYTES_MAX];
	size_t len;
};

enum command_kind {
	COMMAND_STATUS, /* of all connections; has_token: of one, by namespace_name, token */
	COMMAND_PATHS,
	COMMAND_WATCH,
	/* of operators */
	COMMAND_ADD,    /* namespace_name, token, count */
	COMMAND_REMOVE, /* the same */
	COMMAND_SET,    /* key, value */
	COMMAND_RELOAD,
};

struct command {
	enum command_kind kind;
	/* These point into the line. */
	const char *namespace_name; /* NULL = any */
	const char *key, *value;    /* as "elephant.start" */
	uint32_t token, count;
	bool has_token;
};

/*
 * Takes @size more bytes. 1: @request->line is whole, without its end; what comes
 * after is no matter. 0: more is to come. -EBADMSG: too long, or no text.
 */
int request_add(struct request *request, const void *bytes, size_t size);

/*
 * The command that @line is; it is cut to pieces. -EINVAL, with *@ret_why a constant text for the
 * client.
 */
int request_parse(char *line, struct command *ret_command, const char **ret_why);

#endif
