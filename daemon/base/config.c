/* SPDX-License-Identifier: MIT */
/* INI files read into a structure by a table of keys; the grammar is libinih's. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <unistd.h>

#define MESSAGE_MAX 400
#define FILE_MAX    (1 << 20) /* bytes */

union value {
	uint64_t number;
	bool is_on;
	char *string;
};

/* A value that was read and is stored once the whole file is known to be good. */
struct pending {
	const struct config_key *key;
	size_t item; /* 0: of no list; else the index of its name, plus 1 */
	union value value;
	int line;
};

/* A section of the list. */
struct item {
	char *name;
	int line; /* of its first key */
	void *values;
};

struct reading {
	const struct config_key *keys;
	const struct config_list *list; /* or NULL */
	struct item *items;             /* of it, as they come */
	size_t n_items;
	struct pending *pending;
	size_t n_pending;
	char *text; /* of the whole file */
	const char *next, *end;
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
	const char *start = reading->next, *end;
	size_t len;

	reading->line++;
	if (start == reading->end)
		return NULL;
	end = memchr(start, '\n', reading->end - start);
	len = (end ? end : reading->end) - start;
	reading->next = end ? end + 1 : reading->end;
	reading->longest = size - 1;
	reading->is_cut = len > (size_t)reading->longest;
	len = MIN(len, (size_t)reading->longest);
	memcpy(line, start, len);
	line[len] = '\0';
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

/* The name in a section of the list; NULL: another section. */
static const char *name_of_item(const struct reading *reading, const char *section)
{
	size_t len = reading->list ? strlen(reading->list->kind) : 0;

	if (!len || strncmp(section, reading->list->kind, len) || section[len] != ' ')
		return NULL;
	return section + len + strspn(section + len, " ");
}

static bool is_name(const struct config_list *list, const char *name)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t len = strlen(name);

	return len && len < list->name_max && !name[strspn(name, allowed)];
}

/* *@ret_item is its index plus 1. The error is said, but for a shortage of memory. */
static int find_item(struct reading *reading, const char *name, size_t *ret_item)
{
	const struct config_list *list = reading->list;

	if (!is_name(list, name)) {
		say(reading,
			"[%s %.60s]: allowed is a name of letters, digits, - _ and ., at most %zu "
			"bytes",
			list->kind, name, list->name_max - 1);
		return -EINVAL;
	}
	for (size_t i = 0; i < reading->n_items; i++) {
		if (!strcmp(reading->items[i].name, name)) {
			*ret_item = i + 1;
			return 0;
		}
	}
	if (reading->n_items == list->most) {
		say(reading, "[%s %s]: allowed are at most %zu of these sections", list->kind, name,
			list->most);
		return -EINVAL;
	}
	reading->items[reading->n_items].line = reading->line;
	reading->items[reading->n_items].name = strdup(name);
	if (!reading->items[reading->n_items].name) {
		say(reading, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	*ret_item = ++reading->n_items;
	return 0;
}

static void say_sections(struct reading *reading, const char *section)
{
	const struct config_key *key;

	say(reading, "no section [%.60s]; there are", section);
	for (key = reading->keys; key->name; key++) {
		if (key == reading->keys || strcmp(key->section, key[-1].section))
			say(reading, " [%s]", key->section);
	}
	if (reading->list)
		say(reading, " [%s NAME]", reading->list->kind);
}

static void say_keys(struct reading *reading, const struct config_key *keys, const char *section,
	const char *name)
{
	const struct config_key *key;

	say(reading, "no key %.60s in [%s]; there are", name, section);
	for (key = keys; key->name; key++) {
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
	const struct reading *reading, const struct config_key *key, size_t item)
{
	for (size_t i = 0; i < reading->n_pending; i++) {
		if (reading->pending[i].key == key && reading->pending[i].item == item)
			return &reading->pending[i];
	}
	return NULL;
}

/* libinih: 1 = fine, 0 = error in this line. */
static int take(void *user, const char *section, const char *name, const char *text)
{
	struct reading *reading = user;
	const char *item_name = name_of_item(reading, section);
	const struct config_key *keys = item_name ? reading->list->keys : reading->keys, *key;
	struct pending *pending;
	size_t item = 0;

	if (*reading->message)
		return 0;
	reading->message_line = reading->line;
	if (item_name) {
		section = reading->list->kind;
		if (find_item(reading, item_name, &item))
			return 0;
	}
	key = find_key(keys, section, name);
	if (!key && !has_section(keys, section)) {
		say_sections(reading, section);
		return 0;
	}
	if (!key) {
		say_keys(reading, keys, section, name);
		return 0;
	}
	if (reading->is_cut) {
		say(reading, "%s: allowed are lines of at most %d bytes", name, reading->longest);
		return 0;
	}
	/* Also what libinih calls a continuation: it would replace the line before. */
	if (find_pending(reading, key, item)) {
		say(reading, "%s: allowed is one line, and there is line %d", name,
			find_pending(reading, key, item)->line);
		return 0;
	}
	pending = &reading->pending[reading->n_pending];
	if (parse_or_say(key, text, &pending->value, reading->message, MESSAGE_MAX))
		return 0;
	pending->key = key;
	pending->item = item;
	pending->line = reading->line;
	reading->n_pending++;
	return 1;
}

/* Never waits: a FIFO that nobody writes to is opened, and found to be no file. */
static int open_file(const char *path, int *ret_fd, char *error, size_t error_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), err;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err = -errno;
		snprintf(error, error_size, "%s: %s", path, strerror(-err));
		if (fd >= 0)
			close(fd);
		return err;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(error, error_size, "%s: not a regular file; name one, or a link to one",
			path);
		close(fd);
		return -EINVAL;
	}
	*ret_fd = fd;
	return 0;
}

/* All of @fd, for as long as it is no longer than a configuration may be. */
static int read_text(int fd, struct reading *reading)
{
	size_t len = 0;
	ssize_t n;

	reading->text = malloc(FILE_MAX + 1);
	if (!reading->text)
		return -ENOMEM;
	do {
		n = read(fd, reading->text + len, FILE_MAX + 1 - len);
		if (n < 0)
			return -errno;
		len += n;
	} while (n && len <= FILE_MAX);
	reading->next = reading->text;
	reading->end = reading->text + len;
	return len ? len > FILE_MAX ? -EFBIG : 0 : -ENODATA;
}

/* A tab, and a carriage return before the end of a line, are text. */
static bool is_text(const char *at, const char *end)
{
	unsigned char c = *at;

	if (c == '\r')
		return at + 1 == end || at[1] == '\n';
	return c == '\t' || c == '\n' || (c >= ' ' && c != 0x7f);
}

/* What a full disk or a crash leaves has bytes that nobody has written: libinih stops at a NUL. */
static int check_text(const struct reading *reading, const char *path, char *error, size_t size)
{
	const char *at;
	int line = 1;

	for (at = reading->next; at < reading->end; at++) {
		if (!is_text(at, reading->end)) {
			snprintf(error, size,
				"%s:%d: not text, but a byte 0x%02x: the file is damaged; put it "
				"back, or write it anew",
				path, line, (unsigned char)*at);
			return -EINVAL;
		}
		line += *at == '\n';
	}
	return 0;
}

static int read_file(struct reading *reading, const char *path, char *error, size_t error_size)
{
	int fd = -1, err = open_file(path, &fd, error, error_size);

	if (err)
		return err;
	err = read_text(fd, reading);
	close(fd);
	if (err == -ENODATA)
		snprintf(error, error_size,
			"%s: empty, as a full disk leaves it; put it back, or write a remark (#) "
			"into it if every key is to have its default",
			path);
	else if (err == -EFBIG)
		snprintf(error, error_size,
			"%s: longer than 1 MiB, so it is no configuration; name another", path);
	else if (err)
		snprintf(error, error_size, "%s: %s", path, strerror(-err));
	return err ? err : check_text(reading, path, error, error_size);
}

/* As config_read(), of a file that has been read. */
static int parse_file(struct reading *reading, const char *path, char *error, size_t error_size)
{
	int line = ini_parse_stream(read_line, reading, take, reading);

	if (line < 0)
		return -ENOMEM;
	if (!line)
		return 0;
	snprintf(error, error_size, "%s:%d: %s", path, line,
		*reading->message && reading->message_line == line
			? reading->message
			: "not a [section], a key = value, or a # comment");
	return -EINVAL;
}

static int make_items(struct reading *reading, void *values)
{
	const struct config_list *list = reading->list;
	struct item *item;

	for (item = reading->items; item < reading->items + reading->n_items; item++) {
		item->values = list->item(values, item->name, item->line);
		if (!item->values)
			return -ENOMEM;
	}
	/* Making one may have moved the others. */
	for (item = reading->items; item < reading->items + reading->n_items; item++)
		item->values = list->item(values, item->name, item->line);
	return 0;
}

static size_t count_keys(const struct config_key *keys)
{
	size_t n = 0;

	while (keys[n].name)
		n++;
	return n;
}

int config_read(const char *path, const struct config_key *keys, const struct config_list *list,
	void *ret_values, int *ret_lines, char *error, size_t error_size)
{
	size_t most = list ? list->most : 0, n_keys = count_keys(keys);
	struct reading reading = {.keys = keys, .list = list};
	int err = read_file(&reading, path, error, error_size);

	if (err) {
		free(reading.text);
		return err;
	}
	if (list)
		n_keys += most * count_keys(list->keys);
	reading.pending = calloc(n_keys, sizeof(*reading.pending));
	reading.items = calloc(most + 1, sizeof(*reading.items));
	if (reading.pending && reading.items)
		err = parse_file(&reading, path, error, error_size);
	else
		err = -ENOMEM;
	if (!err)
		err = make_items(&reading, ret_values);
	if (err == -ENOMEM)
		snprintf(error, error_size, "%s: %s", path, strerror(ENOMEM));
	for (size_t i = 0; i < reading.n_pending; i++) {
		const struct pending *pending = &reading.pending[i];

		if (!err)
			store(pending->key, pending->value,
				pending->item ? reading.items[pending->item - 1].values
					      : ret_values);
		else if (pending->key->type == CONFIG_STRING)
			free(pending->value.string);
	}
	for (size_t i = 0; ret_lines && !err && keys[i].name; i++) {
		const struct pending *pending = find_pending(&reading, &keys[i], 0);

		ret_lines[i] = pending ? pending->line : 0;
	}
	for (size_t i = 0; i < reading.n_items; i++)
		free(reading.items[i].name);
	free(reading.items);
	free(reading.pending);
	free(reading.text);
	return err;
}
