/* SPDX-License-Identifier: MIT */
/* INI files read into a structure by a table of keys; the grammar is libinih's. */
#include "config.h"

#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 400

union value {
	uint64_t number;
	bool is_on;
	char *string;
};

/* A value that was read and is stored once the whole file is known to be good. */
struct pending {
	const struct config_key *key;
	union value value;
	int line;
};

struct reading {
	const struct config_key *keys;
	struct pending *pending;
	size_t n_pending;
	FILE *file;
	int line;    /* being read */
	bool is_cut; /* it was longer than libinih takes */
	int longest; /* bytes that libinih takes of a line */
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
			"a number of bytes from %" PRIu64 " to %" PRIu64
			", with kB, MB or GB (10^3, 10^6, 10^9)",
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

/* The value of @text, for @key; a string is the caller's to free. */
static int parse(const struct config_key *key, const char *text, union value *ret_value)
{
	int err = 0;

	switch (key->type) {
	case CONFIG_BYTES:
	case CONFIG_NUMBER:
		if (key->type == CONFIG_NUMBER && text[strspn(text, "0123456789")])
			return -EINVAL;
		err = parse_bytes(text, &ret_value->number);
		if (!err && (ret_value->number < key->min || ret_value->number > key->max))
			err = -EINVAL;
		break;
	case CONFIG_BOOL:
		err = parse_bool(text, &ret_value->is_on);
		break;
	case CONFIG_STRING:
		if (key->check)
			err = key->check(text);
		if (err)
			break;
		ret_value->string = strdup(text);
		if (!ret_value->string)
			err = -ENOMEM;
		break;
	}
	return err;
}

static void store(const struct config_key *key, union value value, void *ret_values)
{
	void *to = (char *)ret_values + key->offset;

	switch (key->type) {
	case CONFIG_BYTES:
		*(uint64_t *)to = value.number;
		break;
	case CONFIG_NUMBER:
		*(uint32_t *)to = value.number;
		break;
	case CONFIG_BOOL:
		*(bool *)to = value.is_on;
		break;
	case CONFIG_STRING:
		free(*(char **)to);
		*(char **)to = value.string;
		break;
	}
}

static int parse_or_say(const struct config_key *key, const char *text, union value *ret_value,
	char *error, size_t error_size)
{
	int err = parse(key, text, ret_value);

	if (err == -ENOMEM)
		snprintf(error, error_size, "%s: %s", key->name, strerror(ENOMEM));
	else if (err)
		say_allowed(key, text, error, error_size);
	return err;
}

int config_set(const struct config_key *key, const char *text, void *ret_values, char *error,
	size_t error_size)
{
	union value value;
	int err = parse_or_say(key, text, &value, error, error_size);

	if (!err)
		store(key, value, ret_values);
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

/*
 * libinih does not tell its callback the line: count them on the way in. What
 * is too long for @line it would take for a line of its own: drop that.
 */
static char *read_line(char *line, int size, void *stream)
{
	struct reading *reading = stream;
	char *last = &line[size - 2];
	int c;

	reading->line++;
	reading->is_cut = false;
	reading->longest = size - 1;
	*last = '\n';
	if (!fgets(line, size, reading->file))
		return NULL;
	if (*last == '\n' || *last == '\0')
		return line;
	while ((c = getc(reading->file)) != EOF && c != '\n')
		reading->is_cut = true;
	return line;
}

/* Appends to the message, as printf(3). */
static __attribute__((format(printf, 2, 3))) void say(
	struct reading *reading, const char *format, ...)
{
	size_t len = strlen(reading->message);
	va_list args;

	va_start(args, format);
	vsnprintf(reading->message + len, MESSAGE_MAX - len, format, args);
	va_end(args);
}

static void say_sections(struct reading *reading, const char *section)
{
	const struct config_key *key;

	say(reading, "no section [%.60s]; there are", section);
	for (key = reading->keys; key->name; key++) {
		if (key == reading->keys || strcmp(key->section, key[-1].section))
			say(reading, " [%s]", key->section);
	}
}

static void say_keys(struct reading *reading, const char *section, const char *name)
{
	const struct config_key *key;

	say(reading, "no key %.60s in [%s]; there are", name, section);
	for (key = reading->keys; key->name; key++) {
		if (!strcmp(key->section, section))
			say(reading, " %s", key->name);
	}
}

static const struct config_key *find_key(
	const struct config_key *keys, const char *section, const char *name)
{
	for (; keys->name; keys++) {
		if (!strcmp(keys->section, section) && !strcmp(keys->name, name))
			return keys;
	}
	return NULL;
}

static const struct pending *find_pending(
	const struct reading *reading, const struct config_key *key)
{
	for (size_t i = 0; i < reading->n_pending; i++) {
		if (reading->pending[i].key == key)
			return &reading->pending[i];
	}
	return NULL;
}

/* libinih: 1 = fine, 0 = error in this line. */
static int take(void *user, const char *section, const char *name, const char *text)
{
	struct reading *reading = user;
	const struct config_key *key = find_key(reading->keys, section, name);
	struct pending *pending;

	if (*reading->message)
		return 0;
	reading->message_line = reading->line;
	if (!key && !has_section(reading->keys, section)) {
		say_sections(reading, section);
		return 0;
	}
	if (!key) {
		say_keys(reading, section, name);
		return 0;
	}
	if (reading->is_cut) {
		say(reading, "%s: allowed are lines of at most %d bytes", name, reading->longest);
		return 0;
	}
	/* Also what libinih calls a continuation: it would replace the line before. */
	if (find_pending(reading, key)) {
		say(reading, "%s: allowed is one line, and there is line %d", name,
			find_pending(reading, key)->line);
		return 0;
	}
	pending = &reading->pending[reading->n_pending];
	if (parse_or_say(key, text, &pending->value, reading->message, MESSAGE_MAX))
		return 0;
	pending->key = key;
	pending->line = reading->line;
	reading->n_pending++;
	return 1;
}

/* As config_read(), of a file that is open. */
static int read_file(struct reading *reading, const char *path, char *error, size_t error_size)
{
	int line = ini_parse_stream(read_line, reading, take, reading);

	if (ferror(reading->file) || line < 0) {
		snprintf(error, error_size, "%s: cannot be read", path);
		return -EIO;
	}
	if (!line)
		return 0;
	snprintf(error, error_size, "%s:%d: %s", path, line,
		*reading->message && reading->message_line == line
			? reading->message
			: "not a [section], a key = value, or a # comment");
	return -EINVAL;
}

int config_read(const char *path, const struct config_key *keys, void *ret_values, int *ret_lines,
	char *error, size_t error_size)
{
	struct reading reading = {.keys = keys};
	size_t n_keys = 0;
	int err;

	while (keys[n_keys].name)
		n_keys++;
	reading.file = fopen(path, "re");
	if (!reading.file) {
		err = -errno;
		snprintf(error, error_size, "%s: %s", path, strerror(-err));
		return err;
	}
	reading.pending = calloc(n_keys, sizeof(*reading.pending));
	if (reading.pending)
		err = read_file(&reading, path, error, error_size);
	else
		err = -ENOMEM;
	if (err == -ENOMEM)
		snprintf(error, error_size, "%s: %s", path, strerror(ENOMEM));
	for (size_t i = 0; i < reading.n_pending; i++) {
		if (!err)
			store(reading.pending[i].key, reading.pending[i].value, ret_values);
		else if (reading.pending[i].key->type == CONFIG_STRING)
			free(reading.pending[i].value.string);
	}
	for (size_t i = 0; i < n_keys && ret_lines && !err; i++) {
		const struct pending *pending = find_pending(&reading, &keys[i]);

		ret_lines[i] = pending ? pending->line : 0;
	}
	free(reading.pending);
	fclose(reading.file);
	return err;
}
