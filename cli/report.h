/* SPDX-License-Identifier: MIT */
/* The daemon's status answer (JSON), presented to people. Pure: text in, text out. */
#ifndef REPORT_H
#define REPORT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Which connections are meant: those of @token in @namespace (NULL: in any). */
struct report_filter {
	bool is_set;
	char *namespace_name;
	uint32_t token;
};

/* Parses [NAMESPACE/]TOKEN, the token in hex with or without 0x. -EINVAL if it is none. */
int report_filter_init(struct report_filter *filter, const char *text);
void report_filter_done(struct report_filter *filter);

/*
 * Parses @answer. On success *@ret_root is the caller's, to be put away with
 * json_object_put(). -EBADMSG, with the reason in @ret_why, when it is no
 * status; -EREMOTEIO when it is the daemon's own error, which is then in @ret_why.
 */
int report_parse(const char *answer, size_t len, struct json_object **ret_root, char *ret_why,
	size_t why_size);

/* Leaves only the connections that @filter means. -ENOENT if there are none; else as above. */
int report_select(struct json_object *root, const struct report_filter *filter, char *ret_why,
	size_t why_size);

/*
 * Writes the report into *@ret_text, to be freed by the caller; with
 * @connections_only, only the connections. -EBADMSG, with the path of the key
 * in @ret_why, when a key is missing or of a wrong type.
 */
int report_render(struct json_object *root, bool connections_only, char **ret_text, char *ret_why,
	size_t why_size);

/* "123.4 MB" and the like; MB = 10^6 bytes. */
void report_format_bytes(uint64_t bytes, char *ret_text, size_t size);

#endif
