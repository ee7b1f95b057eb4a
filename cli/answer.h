/* SPDX-License-Identifier: MIT */
/* The daemon's status answer (JSON), taken apart. */
#ifndef ANSWER_H
#define ANSWER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_NAME_MAX 255 /* of a namespace: it is a file's */

/* Which connections are meant: those of @token in @namespace_name (NULL: in any). */
struct answer_filter {
	bool is_set;
	char *namespace_name;
	uint32_t token;
};

/* Reads [NAMESPACE/]TOKEN, the token in hex with or without 0x. -EINVAL if it is none. */
int answer_filter_init(struct answer_filter *filter, const char *text);
void answer_filter_done(struct answer_filter *filter);

/*
 * On success *@ret_root is the caller's, to be put away with json_object_put().
 * -EBADMSG when it is no JSON object, -EREMOTEIO when it is an error of the
 * daemon's, -ENOMEM; the reason is then in @ret_why.
 */
int answer_parse(const char *text, size_t len, struct json_object **ret_root, char *ret_why,
	size_t why_size);

/* Leaves only the connections that @filter means. -ENOENT if there are none; else as above. */
int answer_select(struct json_object *root, const struct answer_filter *filter, char *ret_why,
	size_t why_size);

/*
 * Reads keys one after the other, and remembers in @why the first that was
 * missing or of a wrong type: what is read from then on are empty values.
 */
struct answer_reader {
	bool has_failed;
	char *why;
	size_t why_size;
};

/* @path names @object in messages; it is empty for the answer itself. */
struct json_object *answer_get(struct answer_reader *reader, struct json_object *object,
	const char *path, const char *key, enum json_type type);
const char *answer_get_text(struct answer_reader *reader, struct json_object *object,
	const char *path, const char *key);

/* @other stands for null. */
const char *answer_get_text_or(struct answer_reader *reader, struct json_object *object,
	const char *path, const char *key, const char *other);

/* A whole number, 0 or more. */
uint64_t answer_get_number(struct answer_reader *reader, struct json_object *object,
	const char *path, const char *key);

/* The number of items of *@ret_list, which may be NULL then. */
size_t answer_get_list(struct answer_reader *reader, struct json_object *object, const char *path,
	const char *key, struct json_object **ret_list);

/* Item @i, an object; @path names the item. */
struct json_object *answer_get_item(
	struct answer_reader *reader, struct json_object *list, size_t i, const char *path);

bool answer_is_null(struct json_object *object, const char *key);

/* A value that answer_get() cannot refuse by itself. */
__attribute__((format(printf, 2, 3))) void answer_reject(
	struct answer_reader *reader, const char *format, ...);

#endif
