/* SPDX-License-Identifier: MIT */
/* INI files read into a structure by a table of keys; the grammar is libinih's. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 400

struct reading {
	const struct config_key *keys;
	void *values;
	FILE *file;
	int line;		   /* being read */
	int message_line;
	char message[MESSAGE_MAX]; /* of the first value that is not allowed, or empty */
};

static int parse_bytes(const char *text, uint64_t *ret_bytes)
{
	static const struct {
		const char *suffix;
		uint64_t factor;
	} units[] = {{"", 1}, {"B", 1}, {"kB", 1000}, {"MB", 1000000}, {"GB", 1000000000}};
	uint64_t number;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno)
		return -EINVAL;
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(end, units[i].suffix))
			continue;
		if (__builtin_mul_overflow(number, units[i].factor, ret_bytes))
			return -EINVAL;
		return 0;
	}
	return -EINVAL;
}

static int parse_bool(const char *text, bool *ret_value)
{
	if (strcmp(text, "yes") && strcmp(text, "no"))
		return -EINVAL;
	*ret_value = !strcmp(text, "yes");
	return 0;
}

static void say_allowed(const struct config_key *key, const char *text, char *error, size_t size)
{
	int len = snprintf(error, size, "%s = %.60s: allowed is ", key->name, text);

	if (len < 0 || (size_t)len >= size)
		return;
	switch (key->type) {
	case CONFIG_BYTES:
		snprintf(error + len, size - len,
			"a number of bytes from %" PRIu64 " to %" PRIu64 ", with kB, MB or GB (10^3, 10^6, 10^9)",
			key->min, key->max);
		break;
	case CONFIG_NUMBER:
		snprintf(error + len, size - len, "a number from %" PRIu64 " to %" PRIu64, key->min,
			key->max);
		break;
	case CONFIG_BOOL:
		snprintf(error + len, size - len, "yes or no");
		break;
	case CONFIG_STRING:
		snprintf(error + len, size - len, "%s", key->allowed);
		break;
	}
}

int config_set(const struct config_key *key, const char *text, void *ret_values, char *error,
	size_t error_size)
{
	void *value = (char *)ret_values + key->offset;
	uint64_t number = 0;
	char *copy;
	int err = 0;

	switch (key->type) {
	case CONFIG_BYTES:
	case CONFIG_NUMBER:
		err = parse_bytes(text, &number);
		if (!err && key->type == CONFIG_NUMBER && text[strspn(text, "0123456789")])
			err = -EINVAL;
		if (!err && (number < key->min || number > key->max))
			err = -EINVAL;
		if (!err && key->type == CONFIG_BYTES)
			*(uint64_t *)value = number;
		else if (!err)
			*(uint32_t *)value = number;
		break;
	case CONFIG_BOOL:
		err = parse_bool(text, value);
		break;
	case CONFIG_STRING:
		if (key->check)
			err = key->check(text);
		if (err)
			break;
		copy = strdup(text);
		if (!copy)
			return -ENOMEM;
		free(*(char **)value);
		*(char **)value = copy;
		break;
	}
	if (err)
		say_allowed(key, text, error, error_size);
	return err;
}

static bool has_section(const struct config_key *keys, const char *section)
{
	for (; keys->name; keys++) {
		if (!strcmp(keys->section, section))
			return true;
	}
	return false;
}

/* libinih does not tell its callback the line: count them on the way in. */
static char *read_line(char *line, int size, void *stream)
{
	struct reading *reading = stream;

	reading->line++;
	return fgets(line, size, reading->file);
}

/* libinih: 1 = fine, 0 = error in this line. */
static int take(void *user, const char *section, const char *name, const char *text)
{
	struct reading *reading = user;
	const struct config_key *key;
	char *message = reading->message;
	int len;

	if (*message)
		return 0;
	reading->message_line = reading->line;
	if (!has_section(reading->keys, section)) {
		len = snprintf(message, MESSAGE_MAX, "no section [%.60s]; there are", section);
		for (key = reading->keys; key->name; key++) {
			if (key == reading->keys || strcmp(key->section, key[-1].section))
				len += snprintf(
					message + len, MESSAGE_MAX - len, " [%s]", key->section);
		}
		return 0;
	}
	for (key = reading->keys; key->name; key++) {
		if (!strcmp(key->section, section) && !strcmp(key->name, name))
			return !config_set(key, text, reading->values, message, MESSAGE_MAX);
	}
	len = snprintf(message, MESSAGE_MAX, "no key %.60s in [%s]; there are", name, section);
	for (key = reading->keys; key->name && len < MESSAGE_MAX; key++) {
		if (!strcmp(key->section, section))
			len += snprintf(message + len, MESSAGE_MAX - len, " %s", key->name);
	}
	return 0;
}

int config_read(const char *path, const struct config_key *keys, void *ret_values, char *error,
	size_t error_size)
{
	struct reading reading = {.keys = keys, .values = ret_values};
	FILE *file = fopen(path, "re");
	int line, err = errno;

	if (!file) {
		snprintf(error, error_size, "%s: %s", path, strerror(err));
		return -err;
	}
	reading.file = file;
	line = ini_parse_stream(read_line, &reading, take, &reading);
	fclose(file);
	if (!line)
		return 0;
	if (line < 0)
		snprintf(error, error_size, "%s: cannot be read", path);
	else
		snprintf(error, error_size, "%s:%d: %s", path, line,
			*reading.message && reading.message_line == line
				? reading.message
				: "not a [section], a key = value, or a # comment");
	return -EINVAL;
}
