/* SPDX-License-Identifier: MIT */
/* The configuration reader: what it takes, and what it says about what it does not take. */
#include "base/config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit.h"
#include "file.h"

#define ERROR_MAX 512

struct values {
	uint64_t size;
	uint32_t number;
	bool is_on;
	char *name;
};

static int check_name(const char *value)
{
	return *value ? 0 : -EINVAL;
}

static const struct config_key keys[] = {
	{"one", "size", CONFIG_BYTES, offsetof(struct values, size), 1, 1000000000000, NULL, NULL},
	{"one", "number", CONFIG_NUMBER, offsetof(struct values, number), 1, 64, NULL, NULL},
	{"two", "is_on", CONFIG_BOOL, offsetof(struct values, is_on), 0, 0, NULL, NULL},
	{"two", "name", CONFIG_STRING, offsetof(struct values, name), 0, 0, "a name", check_name},
	{NULL, NULL, CONFIG_NUMBER, 0, 0, 0, NULL, NULL},
};

enum { SIZE, NUMBER, IS_ON, NAME };

struct fixture {
	struct values values;
	char error[ERROR_MAX];
	char path[FILE_PATH_MAX];
};

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->values = (struct values){.size = 7, .number = 8, .is_on = true, .name = strdup("old")};
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;

	free(f->values.name);
	free(f);
	return 0;
}

static int read_bytes(struct fixture *f, const void *content, size_t size)
{
	int fd = file_make(content, size, f->path), err;

	*f->error = '\0';
	err = config_read(f->path, keys, NULL, &f->values, NULL, f->error, sizeof(f->error));
	file_remove(fd);
	return err;
}

static int read_text(struct fixture *f, const char *text)
{
	return read_bytes(f, text, strlen(text));
}

static void assert_unchanged(const struct fixture *f)
{
	assert_int_equal(f->values.size, 7);
	assert_int_equal(f->values.number, 8);
	assert_true(f->values.is_on);
	assert_string_equal(f->values.name, "old");
}

/* Refused in @line with exactly this message, and nothing is changed. */
static void assert_refused(struct fixture *f, const char *text, int line, const char *message)
{
	char expected[ERROR_MAX];

	assert_int_equal(read_text(f, text), -EINVAL);
	snprintf(expected, sizeof(expected), "%s:%d: %s", f->path, line, message);
	assert_string_equal(f->error, expected);
	assert_unchanged(f);
}

static void takes_quantities(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{"1", 1},
		{"4096", 4096},
		{"4096B", 4096},
		{"0010", 10},
		{"1kB", 1000},
		{"1 kB", 1000},
		{"100MB", 100000000},
		{"1   GB", 1000000000},
		{"1000GB", 1000000000000},
		{"1000000000000", 1000000000000},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(config_set(&keys[SIZE], cases[i].text, &f->values, f->error,
					 sizeof(f->error)),
			0);
		assert_int_equal(f->values.size, cases[i].bytes);
	}
	assert_string_equal(f->error, "");
}

static void refuses_what_is_no_quantity(void **state)
{
	static const char *const texts[] = {"", " ", "0", "0MB", "-1", "+1", " 1", "1e9", "1.5GB",
		"0x10", "MB", "1KB", "1K", "1M", "1MiB", "1mb", "1 MB ", "1MB2", "1,000", "ten",
		"1000000000001", "1001GB", "18446744073709551615", "18446744073709551616",
		"18446744073709551617", "99999999999999999999999", "18446744074GB"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		char expected[ERROR_MAX];

		snprintf(expected, sizeof(expected),
			"size = %s: allowed is a number of bytes from 1 to 1000000000000, with kB, "
			"MB or GB (10^3, 10^6, 10^9)",
			texts[i]);
		assert_int_equal(
			config_set(&keys[SIZE], texts[i], &f->values, f->error, sizeof(f->error)),
			-EINVAL);
		assert_string_equal(f->error, expected);
	}
	assert_unchanged(f);
}

static void numbers_have_no_unit(void **state)
{
	static const char *const texts[] = {
		"", "0", "65", "-1", "1kB", "1B", "1 ", "4294967297", "18446744073709551617"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(
			config_set(&keys[NUMBER], texts[i], &f->values, f->error, sizeof(f->error)),
			-EINVAL);
	assert_string_equal(
		f->error, "number = 18446744073709551617: allowed is a number from 1 to 64");
	assert_unchanged(f);
	assert_int_equal(
		config_set(&keys[NUMBER], "64", &f->values, f->error, sizeof(f->error)), 0);
	assert_int_equal(f->values.number, 64);
}

static void switches_are_yes_or_no(void **state)
{
	static const char *const texts[] = {"", "Yes", "true", "1", "on", "yes ", "noo"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(
			config_set(&keys[IS_ON], texts[i], &f->values, f->error, sizeof(f->error)),
			-EINVAL);
	assert_string_equal(f->error, "is_on = noo: allowed is yes or no");
	assert_unchanged(f);
	assert_int_equal(config_set(&keys[IS_ON], "no", &f->values, f->error, sizeof(f->error)), 0);
	assert_false(f->values.is_on);
	assert_int_equal(
		config_set(&keys[IS_ON], "yes", &f->values, f->error, sizeof(f->error)), 0);
	assert_true(f->values.is_on);
}

static void strings_are_checked(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
		config_set(&keys[NAME], "", &f->values, f->error, sizeof(f->error)), -EINVAL);
	assert_string_equal(f->error, "name = : allowed is a name");
	assert_unchanged(f);
	assert_int_equal(config_set(&keys[NAME], "new", &f->values, f->error, sizeof(f->error)), 0);
	assert_string_equal(f->values.name, "new");
}

/* A message that does not fit is cut, wherever that is. */
static void short_error_buffers_are_respected(void **state)
{
	struct fixture *f = *state;

	for (size_t size = 1; size < 64; size++) {
		char *error = malloc(size);

		assert_int_equal(config_set(&keys[SIZE], "x", &f->values, error, size), -EINVAL);
		assert_true(strlen(error) < size);
		free(error);
	}
}

static void reads_a_whole_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_text(f, "# a comment\n"
				      "; another\n"
				      "[one]\n"
				      "size = 5 MB\n"
				      "number=9 ; not a step more\n"
				      "\n"
				      "[two]\n"
				      "  is_on : no\n"
				      "[one]\n"
				      "[two]\n"
				      "name = two words"),
		0);
	assert_int_equal(f->values.size, 5000000);
	assert_int_equal(f->values.number, 9);
	assert_false(f->values.is_on);
	assert_string_equal(f->values.name, "two words");
	assert_string_equal(f->error, "");
}

static void what_is_not_named_stays(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_text(f, "#"), 0);
	assert_unchanged(f);
	assert_int_equal(read_text(f, "[two]\nname = new\n"), 0);
	assert_int_equal(f->values.size, 7);
	assert_string_equal(f->values.name, "new");
}

static void takes_crlf(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_text(f, "[one]\r\nsize = 1kB\r\n[two]\r\nname = new\r\n"), 0);
	assert_int_equal(f->values.size, 1000);
	assert_string_equal(f->values.name, "new");
	f->values.size = 7;
	assert_int_equal(read_text(f, "[one]\r\n\r\nsize = x\r\n"), -EINVAL);
	assert_non_null(strstr(f->error, ":3: size = x: allowed is"));
}

static void names_what_there_is(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, "[one]\nsize = 1\n[three]\nsize = 1\n", 4,
		"no section [three]; there are [one] [two]");
	assert_refused(f, "size = 1\n", 1, "no section []; there are [one] [two]");
	assert_refused(f, "[two]\n\nsize = 1\n", 3, "no key size in [two]; there are is_on name");
	assert_refused(f, "[two]\nName = x\n", 2, "no key Name in [two]; there are is_on name");
}

static void says_what_is_allowed(void **state)
{
	struct fixture *f = *state;

	assert_refused(
		f, "[one]\nnumber = 65\n", 2, "number = 65: allowed is a number from 1 to 64");
	assert_refused(f, "[two]\nis_on = maybe\n", 2, "is_on = maybe: allowed is yes or no");
	assert_refused(f, "[two]\nname =\n", 2, "name = : allowed is a name");
}

static void first_error_counts(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, "[one]\nnumber = 65\nnumber = 66\nnonsense\n", 2,
		"number = 65: allowed is a number from 1 to 64");
	assert_refused(f, "[one]\nnonsense\nnumber = 66\n", 2,
		"not a [section], a key = value, or a # comment");
	assert_refused(
		f, "[one\nnumber = 6\n", 1, "not a [section], a key = value, or a # comment");
}

/* All that is right before and after the error is dropped too. */
static void an_error_changes_nothing(void **state)
{
	struct fixture *f = *state;

	assert_refused(f,
		"[one]\nsize = 1\nnumber = 1\n[two]\nname = new\nis_on = 2\n[one]\nsize = 3\n", 6,
		"is_on = 2: allowed is yes or no");
}

static void a_key_is_named_once(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, "[one]\nsize = 1\n[one]\nsize = 2\n", 4,
		"size: allowed is one line, and there is line 2");
	/* libinih calls a line that begins with a blank a continuation. */
	assert_refused(
		f, "[two]\nname = a\n  b\n", 3, "name: allowed is one line, and there is line 2");
}

static char *long_line(const char *start, size_t length, const char *rest)
{
	char *text = malloc(length + strlen(rest) + 8);
	size_t len = sprintf(text, "[two]\n");

	memset(text + len, 'x', length);
	memcpy(text + len, start, strlen(start));
	strcpy(text + len + length, rest);
	return text;
}

static void long_lines_are_refused(void **state)
{
	struct fixture *f = *state;

	for (size_t length = 190; length < 410; length++) {
		char *text = long_line("name = ", length, "\nis_on = no\n");
		char *last = long_line("name = ", length, "");

		if (length <= 199) {
			assert_int_equal(read_text(f, text), 0);
			assert_int_equal(strlen(f->values.name), length - strlen("name = "));
			assert_false(f->values.is_on);
			assert_int_equal(read_text(f, last), 0);
			assert_int_equal(strlen(f->values.name), length - strlen("name = "));
			assert_int_equal(read_text(f, "[two]\nname = old\nis_on = yes\n"), 0);
		} else {
			assert_refused(f, text, 2, "name: allowed are lines of at most 199 bytes");
			assert_refused(f, last, 2, "name: allowed are lines of at most 199 bytes");
		}
		free(text);
		free(last);
	}
}

/* The line after one that is too long keeps its number and its meaning. */
static void long_comments_are_comments(void **state)
{
	struct fixture *f = *state;

	for (size_t length = 190; length < 410; length++) {
		char *text = long_line("# name = ", length, "\nis_on = maybe\n");

		assert_refused(f, text, 3, "is_on = maybe: allowed is yes or no");
		free(text);
	}
}

static void long_values_are_cut_in_messages(void **state)
{
	struct fixture *f = *state;
	char *text = long_line("is_on = ", 190, "\n");

	assert_int_equal(read_text(f, text), -EINVAL);
	assert_non_null(strstr(f->error, "xxx: allowed is yes or no"));
	assert_true(strlen(f->error) < 160);
	free(text);
}

/* More names than a message has room for. */
static void long_lists_are_cut(void **state)
{
	static char names[60][20];
	struct config_key many[61] = {};
	struct fixture *f = *state;

	for (int i = 0; i < 60; i++) {
		sprintf(names[i], "long-name-%d", i);
		many[i] = keys[SIZE];
		many[i].section = names[i];
	}
	for (int sections = 0; sections < 2; sections++) {
		const char *text = sections ? "[none]\na = 1\n" : "[long-name-0]\nnone = 1\n";
		int fd = file_make(text, strlen(text), f->path);

		for (int i = 0; i < 60 && !sections; i++) {
			many[i].section = names[0];
			many[i].name = names[i];
		}
		for (int i = 0; i < 60 && sections; i++)
			many[i].section = names[i];
		assert_int_equal(config_read(f->path, many, NULL, &f->values, NULL, f->error,
					 sizeof(f->error)),
			-EINVAL);
		assert_non_null(strstr(f->error, "there are"));
		assert_true(strlen(f->error) > 390);
		file_remove(fd);
	}
	assert_unchanged(f);
}

/* A full disk or a crash leaves them: libinih would stop at the first, and take the rest for one.
 */
static void bytes_that_are_no_text_are_refused(void **state)
{
	static const char message[] = "not text, but a byte 0x%02x: the file is damaged; put it "
				      "back, or write it anew";
	struct fixture *f = *state;
	char zeros[4096] = {}, ones[1000], text[64], expected[ERROR_MAX];

	assert_int_equal(read_bytes(f, zeros, sizeof(zeros)), -EINVAL);
	assert_unchanged(f);
	for (int byte = 0; byte <= 0x7f; byte++) {
		int len = sprintf(text, "[one]\nsize = 1 ;") + 1;

		text[len - 1] = byte;
		len += sprintf(text + len, "x\nnumber = 2\n");
		if (byte == '\t' || byte == '\n' || (byte >= ' ' && byte != 0x7f))
			continue;
		assert_int_equal(read_bytes(f, text, len), -EINVAL);
		len = sprintf(expected, "%s:2: ", f->path);
		sprintf(expected + len, message, byte);
		assert_string_equal(f->error, expected);
		assert_unchanged(f);
	}
	assert_int_equal(read_bytes(f, "[one]\nsize = 1\0 kB\n", 20), -EINVAL);
	assert_int_equal(read_bytes(f, "# a remark\0\n", 12), -EINVAL);
	assert_int_equal(read_bytes(f, "[one]\nsize = 1\n\0", 17), -EINVAL);
	memset(ones, 0xff, sizeof(ones));
	assert_int_equal(read_bytes(f, ones, sizeof(ones)), -EINVAL);
	assert_unchanged(f);
	assert_int_equal(read_text(f, "[one]\n\tsize\t=\t1 ; of \xc3\xa4\n"), 0);
	assert_int_equal(f->values.size, 1);
}

static void an_empty_file_is_told_apart(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_text(f, ""), -ENODATA);
	assert_non_null(strstr(f->error, "empty, as a full disk leaves it; put it back, or"));
	assert_unchanged(f);
}

static void a_file_has_a_size(void **state)
{
	const size_t most = 1 << 20;
	struct fixture *f = *state;
	char *text = malloc(most + 1);

	memset(text, '\n', most + 1);
	memcpy(text, "[one]\nsize = 1", 14);
	assert_int_equal(read_bytes(f, text, most + 1), -EFBIG);
	assert_non_null(strstr(f->error, ": longer than 1 MiB, so it is no configuration"));
	assert_unchanged(f);
	assert_int_equal(read_bytes(f, text, most), 0);
	assert_int_equal(f->values.size, 1);
	free(text);
}

static void assert_no_file(struct fixture *f, const char *path)
{
	char expected[ERROR_MAX];

	snprintf(expected, sizeof(expected), "%s: not a regular file; name one, or a link to one",
		path);
	assert_int_equal(
		config_read(path, keys, NULL, &f->values, NULL, f->error, sizeof(f->error)),
		-EINVAL);
	assert_string_equal(f->error, expected);
	assert_unchanged(f);
}

/* Nobody writes to the FIFO, and the device has no end: neither is waited for. */
static void what_is_no_file_is_not_read(void **state)
{
	char folder[] = "/tmp/subflow-config-XXXXXX", path[64], link[64];
	struct fixture *f = *state;
	FILE *file;

	assert_no_file(f, "/");
	assert_no_file(f, "/dev/zero");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/path", folder);
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(symlink(path, link), 0);
	assert_no_file(f, path);
	assert_no_file(f, link);
	assert_int_equal(unlink(path), 0);
	file = fopen(path, "we");
	fputs("[one]\nsize = 1\n", file);
	fclose(file);
	assert_int_equal(
		config_read(link, keys, NULL, &f->values, NULL, f->error, sizeof(f->error)), 0);
	assert_int_equal(f->values.size, 1);
	unlink(path);
	unlink(link);
	assert_int_equal(rmdir(folder), 0);
}

static void says_when_there_is_no_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(config_read("/nonexistent/file", keys, NULL, &f->values, NULL, f->error,
				 sizeof(f->error)),
		-ENOENT);
	assert_string_equal(f->error, "/nonexistent/file: No such file or directory");
	assert_unchanged(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_quantities),
		TEST(refuses_what_is_no_quantity),
		TEST(numbers_have_no_unit),
		TEST(switches_are_yes_or_no),
		TEST(strings_are_checked),
		TEST(short_error_buffers_are_respected),
		TEST(reads_a_whole_file),
		TEST(what_is_not_named_stays),
		TEST(takes_crlf),
		TEST(names_what_there_is),
		TEST(says_what_is_allowed),
		TEST(first_error_counts),
		TEST(an_error_changes_nothing),
		TEST(a_key_is_named_once),
		TEST(long_lines_are_refused),
		TEST(long_comments_are_comments),
		TEST(long_values_are_cut_in_messages),
		TEST(long_lists_are_cut),
		TEST(bytes_that_are_no_text_are_refused),
		TEST(an_empty_file_is_told_apart),
		TEST(a_file_has_a_size),
		TEST(what_is_no_file_is_not_read),
		TEST(says_when_there_is_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
