/* SPDX-License-Identifier: MIT */
/* The daemon's status answer, presented to people. */
#ifndef REPORT_H
#define REPORT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Writes the report into *@ret_text, to be freed by the caller; with
 * @connections_only, only the connections. -EBADMSG, with the path of the key
 * in @ret_why, when a key is missing or of a wrong type; -ENOMEM.
 */
int report_write(struct json_object *root, bool connections_only, char **ret_text, char *ret_why,
	size_t why_size);

/* "123.4 MB" and the like; MB = 10^6 bytes. */
void report_format_bytes(uint64_t bytes, char *ret_text, size_t size);

/*
 * Writes @text, filled up with blanks to @width. Names come from other users' namespaces: nothing
 * in them may steer a terminal.
 */
void report_put_text(FILE *out, const char *text, int width);

#endif
