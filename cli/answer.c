/* SPDX-License-Identifier: MIT */
/* Takes the daemon's status answer apart, and believes nothing in it. */
#include "answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 96 };

int answer_filter_init(struct answer_filter *filter, const char *text)
{
	const char *slash = strrchr(text, '/');
	const char *token = slash ? slash + 1 : text;
	char *name = NULL;

	if (token[0] == '0' && (token[1] | 0x20) == 'x')
		token += 2;
	if (!*token || strlen(token) > 8 || token[strspn(token, "0123456789abcdefABCDEF")] ||
		slash == text || (slash && slash - text > ANSWER_NAME_MAX))
		return -EINVAL;
	if (slash) {
		name = strndup(text, (size_t)(slash - text));
		if (!name)
			return -ENOMEM;
	}
	*filter = (struct answer_filter){
		.is_set = true,
		.namespace_name = name,
		.token = (uint32_t)strtoul(token, NULL, 16),
	};
	return 0;
}

void answer_filter_done(struct answer_filter *filter)
{
	free(filter->namespace_name);
	*filter = (struct answer_filter){0};
}

int answer_parse(const char *answer, size_t len, struct json_object **ret_root, char *ret_why,
	size_t why_size)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *root, *error;
	enum json_tokener_error result;
	size_t end;

	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	root = json_tokener_parse_ex(tokener, answer, (int)len);
	result = json_tokener_get_error(tokener);
	end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	while (end < len && strchr(" \t\r\n", answer[end]) && answer[end])
		end++;
	if (result == json_tokener_continue) {
		snprintf(ret_why, why_size, "subflowd's answer is cut off after %zu bytes", len);
	} else if (result != json_tokener_success || end < len) {
		snprintf(ret_why, why_size, "subflowd's answer is no JSON: %s at byte %zu",
			result == json_tokener_success ? "trailing bytes"
						       : json_tokener_error_desc(result),
			end);
	} else if (!json_object_is_type(root, json_type_object)) {
		snprintf(ret_why, why_size, "subflowd's answer is no JSON object");
	} else if (json_object_object_get_ex(root, "error", &error)) {
		/* JSON escapes whatever could steer a terminal. */
		snprintf(ret_why, why_size, "subflowd says: %s",
			json_object_to_json_string_ext(error, JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(root);
		return -EREMOTEIO;
	} else {
		*ret_root = root;
		return 0;
	}
	json_object_put(root);
	return -EBADMSG;
}

int answer_select(struct json_object *root, const struct answer_filter *filter, char *ret_why,
	size_t why_size)
{
	struct answer_reader reader = {.why = ret_why, .why_size = why_size};
	struct json_object *list, *kept;
	size_t n;

	if (!filter->is_set)
		return 0;
	n = answer_get_list(&reader, root, "", "connections", &list);
	kept = json_object_new_array();
	if (!kept)
		return -ENOMEM;
	for (size_t i = 0; i < n && !reader.has_failed; i++) {
		struct json_object *item;
		char path[PATH_SIZE];

		snprintf(path, sizeof(path), "connections[%zu]", i);
		item = answer_get_item(&reader, list, i, path);
		if (answer_get_number(&reader, item, path, "token") != filter->token)
			continue;
		if (filter->namespace_name &&
			strcmp(answer_get_text(&reader, item, path, "namespace"),
				filter->namespace_name))
			continue;
		json_object_array_add(kept, json_object_get(item));
	}
	if (reader.has_failed) {
		json_object_put(kept);
		return -EBADMSG;
	}
	if (!json_object_array_length(kept)) {
		json_object_put(kept);
		snprintf(ret_why, why_size,
			"no connection %08" PRIx32 "%s%s: it is closed, or was never seen "
			"(\"subflow status\" lists all that you may see: root and the group of "
			"[control] group see those of others)",
			filter->token, filter->namespace_name ? " in namespace " : "",
			filter->namespace_name ? filter->namespace_name : "");
		return -ENOENT;
	}
	json_object_object_add(root, "connections", kept);
	return 0;
}

__attribute__((format(printf, 2, 3))) void answer_reject(
	struct answer_reader *reader, const char *format, ...)
{
	va_list args;

	if (reader->has_failed)
		return;
	reader->has_failed = true;
	va_start(args, format);
	vsnprintf(reader->why, reader->why_size, format, args);
	va_end(args);
}

/* @path names @object in messages; "" is the answer itself. */
struct json_object *answer_get(struct answer_reader *reader, struct json_object *object,
	const char *path, const char *key, enum json_type type)
{
	const char *dot = *path ? "." : "";
	struct json_object *value;

	if (reader->has_failed)
		return NULL;
	if (!json_object_object_get_ex(object, key, &value)) {
		answer_reject(reader,
			"%s%s%s is missing in subflowd's answer (of another version?)", path, dot,
			key);
		return NULL;
	}
	if (type == json_type_double && json_object_is_type(value, json_type_int))
		return value;
	if (!json_object_is_type(value, type)) {
		answer_reject(reader,
			"%s%s%s in subflowd's answer is a %s, not a %s (of another version?)", path,
			dot, key, json_type_to_name(json_object_get_type(value)),
			json_type_to_name(type));
		return NULL;
	}
	return value;
}

bool answer_is_null(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) && !value;
}

const char *answer_get_text(
	struct answer_reader *reader, struct json_object *object, const char *path, const char *key)
{
	struct json_object *value = answer_get(reader, object, path, key, json_type_string);

	return value ? json_object_get_string(value) : "";
}

const char *answer_get_text_or(struct answer_reader *reader, struct json_object *object,
	const char *path, const char *key, const char *other)
{
	return answer_is_null(object, key) ? other : answer_get_text(reader, object, path, key);
}

uint64_t answer_get_number(
	struct answer_reader *reader, struct json_object *object, const char *path, const char *key)
{
	struct json_object *value = answer_get(reader, object, path, key, json_type_int);

	if (value && json_object_get_int64(value) < 0)
		answer_reject(reader, "%s.%s in subflowd's answer is negative", path, key);
	return value && !reader->has_failed ? json_object_get_uint64(value) : 0;
}

size_t answer_get_list(struct answer_reader *reader, struct json_object *object, const char *path,
	const char *key, struct json_object **ret_list)
{
	*ret_list = answer_get(reader, object, path, key, json_type_array);
	return *ret_list ? json_object_array_length(*ret_list) : 0;
}

struct json_object *answer_get_item(
	struct answer_reader *reader, struct json_object *list, size_t i, const char *path)
{
	struct json_object *item = json_object_array_get_idx(list, i);

	if (!json_object_is_type(item, json_type_object))
		answer_reject(reader, "%s in subflowd's answer is no object", path);
	return item;
}
