/* SPDX-License-Identifier: MIT */
/* Structures as words, and back. */
#include "core/fields.h"

#include "../unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

struct sample {
	bool is_on;
	uint8_t small;
	uint16_t port;
	uint32_t number, token;
	uint64_t bytes;
	int error;
	struct endpoint end;
	struct field_ends ends;
	char name[FIELD_NAME_MAX];
};

static const struct field list[] = {
	{"on", &field_bool, offsetof(struct sample, is_on)},
	{"small", &field_u8, offsetof(struct sample, small)},
	{"port", &field_u16, offsetof(struct sample, port)},
	{"number", &field_u32, offsetof(struct sample, number)},
	{"token", &field_hex, offsetof(struct sample, token)},
	{"bytes", &field_u64, offsetof(struct sample, bytes)},
	{"error", &field_int, offsetof(struct sample, error)},
	{"end", &field_endpoint, offsetof(struct sample, end)},
	{"ends", &field_ends, offsetof(struct sample, ends)},
	{"name", &field_name, offsetof(struct sample, name)},
};
static const struct fields fields = {list, COUNT(list)};

static int read_words(const char *words, struct sample *sample, char error[100])
{
	char *copy = strdup(words);
	int err;

	assert_non_null(copy);
	*sample = (struct sample){};
	*error = '\0';
	err = fields_read(&fields, copy, sample, error, 100);
	free(copy);
	return err;
}

static void comes_back_as_it_was(void **state)
{
	static const char *const lines[] = {
		"",
		(" on=1 small=255 port=65535 number=4294967295 token=ffffffff "
		 "bytes=18446744073709551615 error=-1"),
		" token=0000002a error=111 end=10.0.0.1:80",
		" end=[fd00::1]:0",
		" end=[::ffff:10.0.0.1]:443",
		" end=?:7",
		" ends=10.0.0.1:0,[fe80::1]:0,?:0",
		" name=two%20words%25",
	};
	struct text text = {};
	struct sample sample;
	char error[100];

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		assert_int_equal(read_words(lines[i], &sample, error), 0);
		text_clear(&text);
		fields_write(&text, &fields, &sample);
		assert_string_equal(text_of(&text), lines[i]);
		fields_free(&fields, &sample);
	}
	text_done(&text);
	assert_int_equal(read_words("name=two%20words%25", &sample, error), 0);
	assert_string_equal(sample.name, "two words%");
	assert_int_equal(read_words("end=[::ffff:10.0.0.1]:443", &sample, error), 0);
	assert_int_equal(sample.end.family, AF_INET6);
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *words, *error;
	} wrong[] = {
		{"on", "\"on\" is not of the form name=value"},
		{"of=1", "there is no \"of\" in such a line"},
		{"on=1 on=1", "\"on\" is there twice"},
		{"on=2", "on cannot be \"2\""},
		{"small=256", "small cannot be \"256\""},
		{"small=", "small cannot be \"\""},
		{"small=+1", "small cannot be \"+1\""},
		{"number=4294967296", "number cannot be \"4294967296\""},
		{"bytes=18446744073709551616", "bytes cannot be \"18446744073709551616\""},
		{"token=0x1", "token cannot be \"0x1\""},
		{"error=--1", "error cannot be \"--1\""},
		{"end=10.0.0.1", "end cannot be \"10.0.0.1\""},
		{"end=10.0.0:1", "end cannot be \"10.0.0:1\""},
		{"end=fd00::1:1", "end cannot be \"fd00::1:1\""},
		{"end=10.0.0.1:65536", "end cannot be \"10.0.0.1:65536\""},
		{"ends=10.0.0.1:1,", "ends cannot be \"10.0.0.1:1,\""},
		{"name=%2", "name cannot be \"%2\""},
		{"name=%00", "name cannot be \"%00\""},
		/* What was got before is freed: the sanitizers see it. */
		{"ends=10.0.0.1:1 on=2", "on cannot be \"2\""},
	};
	char error[100], name[2 * FIELD_NAME_MAX];
	struct sample sample;

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_int_equal(read_words(wrong[i].words, &sample, error), -EINVAL);
		assert_string_equal(error, wrong[i].error);
		assert_null(sample.ends.list);
	}
	memset(name, 'x', sizeof(name));
	memcpy(name, "name=", 5);
	name[5 + FIELD_NAME_MAX - 1] = '\0';
	assert_int_equal(read_words(name, &sample, error), 0);
	name[5 + FIELD_NAME_MAX - 1] = 'x';
	name[5 + FIELD_NAME_MAX] = '\0';
	assert_int_equal(read_words(name, &sample, error), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_was),
		cmocka_unit_test(what_is_wrong_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
