/* SPDX-License-Identifier: MIT */
/* A structure as words of a line, and back. */
#include "fields.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENDPOINT_WORD_MAX 64
#define ENDS_MAX          4096 /* of one word */

int field_read_number(const char *word, unsigned int base, uint64_t most, uint64_t *ret_number)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t number = 0, value;
	const char *digit;

	if (!*word)
		return -EINVAL;
	for (; *word; word++) {
		digit = memchr(digits, *word, base);
		if (!digit)
			return -EINVAL;
		value = digit - digits;
		if (value > most || number > (most - value) / base)
			return -EINVAL;
		number = number * base + value;
	}
	*ret_number = number;
	return 0;
}

static void write_bool(struct text *text, const void *value)
{
	text_add(text, "%d", *(const bool *)value);
}

static int read_bool(const char *word, void *value)
{
	uint64_t number;
	int err = field_read_number(word, 10, 1, &number);

	if (!err)
		*(bool *)value = number;
	return err;
}

static void write_u8(struct text *text, const void *value)
{
	text_add(text, "%u", *(const uint8_t *)value);
}

static int read_u8(const char *word, void *value)
{
	uint64_t number;
	int err = field_read_number(word, 10, UINT8_MAX, &number);

	if (!err)
		*(uint8_t *)value = number;
	return err;
}

static void write_u16(struct text *text, const void *value)
{
	text_add(text, "%u", *(const uint16_t *)value);
}

static int read_u16(const char *word, void *value)
{
	uint64_t number;
	int err = field_read_number(word, 10, UINT16_MAX, &number);

	if (!err)
		*(uint16_t *)value = number;
	return err;
}

static void write_u32(struct text *text, const void *value)
{
	text_add(text, "%" PRIu32, *(const uint32_t *)value);
}

static int read_u32(const char *word, void *value)
{
	uint64_t number;
	int err = field_read_number(word, 10, UINT32_MAX, &number);

	if (!err)
		*(uint32_t *)value = number;
	return err;
}

static void write_hex(struct text *text, const void *value)
{
	text_add(text, "%08" PRIx32, *(const uint32_t *)value);
}

static int read_hex(const char *word, void *value)
{
	uint64_t number;
	int err = field_read_number(word, 16, UINT32_MAX, &number);

	if (!err)
		*(uint32_t *)value = number;
	return err;
}

static void write_u64(struct text *text, const void *value)
{
	text_add(text, "%" PRIu64, *(const uint64_t *)value);
}

static int read_u64(const char *word, void *value)
{
	return field_read_number(word, 10, UINT64_MAX, value);
}

static void write_int(struct text *text, const void *value)
{
	text_add(text, "%d", *(const int *)value);
}

static int read_int(const char *word, void *value)
{
	bool is_negative = *word == '-';
	uint64_t number;
	int err = field_read_number(word + is_negative, 10, INT32_MAX, &number);

	if (!err)
		*(int *)value = is_negative ? -(int)number : (int)number;
	return err;
}

/* A v4-mapped address stays one: endpoint_text() would make it IPv4. */
void field_write_endpoint(struct text *text, const struct endpoint *endpoint)
{
	char address[INET6_ADDRSTRLEN] = "?";
	bool is_v6 = endpoint->family == AF_INET6;

	if (is_v6)
		inet_ntop(AF_INET6, &endpoint->v6, address, sizeof(address));
	else if (endpoint->family == AF_INET)
		inet_ntop(AF_INET, &endpoint->v4, address, sizeof(address));
	text_add(text, is_v6 ? "[%s]:%u" : "%s:%u", address, endpoint->port);
}

int field_read_endpoint(const char *word, struct endpoint *ret_endpoint)
{
	char copy[ENDPOINT_WORD_MAX], *address = copy, *colon;
	struct endpoint endpoint = {};
	uint64_t port;

	if (strlen(word) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, word);
	colon = strrchr(copy, ':');
	if (!colon || field_read_number(colon + 1, 10, UINT16_MAX, &port))
		return -EINVAL;
	*colon = '\0';
	endpoint.port = port;
	if (*address == '[' && colon > address + 1 && colon[-1] == ']') {
		address++;
		colon[-1] = '\0';
		endpoint.family = AF_INET6;
	} else if (strcmp(address, "?")) {
		endpoint.family = AF_INET;
	}
	if (endpoint.family && inet_pton(endpoint.family, address, &endpoint.v6) != 1)
		return -EINVAL;
	*ret_endpoint = endpoint;
	return 0;
}

static void write_endpoint(struct text *text, const void *value)
{
	field_write_endpoint(text, value);
}

static int read_endpoint(const char *word, void *value)
{
	return field_read_endpoint(word, value);
}

static bool has_no_ends(const void *value)
{
	return !((const struct field_ends *)value)->count;
}

static void write_ends(struct text *text, const void *value)
{
	const struct field_ends *ends = value;

	for (uint32_t i = 0; i < ends->count; i++) {
		if (i)
			text_add(text, ",");
		field_write_endpoint(text, &ends->list[i]);
	}
}

static int read_end(const char *word, size_t length, struct endpoint *ret_endpoint)
{
	char copy[ENDPOINT_WORD_MAX];

	if (length >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, word, length);
	copy[length] = '\0';
	return field_read_endpoint(copy, ret_endpoint);
}

static int read_ends(const char *word, void *value)
{
	struct endpoint *list;
	uint32_t count = 1;
	size_t length;
	int err = 0;

	for (const char *comma = word; (comma = strchr(comma, ',')); comma++)
		count++;
	if (count > ENDS_MAX)
		return -EINVAL;
	list = calloc(count, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (uint32_t i = 0; i < count && !err; i++) {
		length = strcspn(word, ",");
		err = read_end(word, length, &list[i]);
		word += length + 1;
	}
	if (err)
		free(list);
	else
		*(struct field_ends *)value = (struct field_ends){.list = list, .count = count};
	return err;
}

static void free_ends(void *value)
{
	struct field_ends *ends = value;

	free((void *)ends->list);
	*ends = (struct field_ends){};
}

static bool is_no_name(const void *value)
{
	return !*(const char *)value;
}

static bool is_plain(unsigned char byte)
{
	return byte > ' ' && byte < 0x7f && byte != '%';
}

static void write_name(struct text *text, const void *value)
{
	for (const unsigned char *byte = value; *byte; byte++)
		text_add(text, is_plain(*byte) ? "%c" : "%%%02x", *byte);
}

static int read_name(const char *word, void *value)
{
	char name[FIELD_NAME_MAX] = "", digits[3] = "";
	uint64_t number;
	size_t n = 0;

	for (; *word && n < sizeof(name) - 1; n++) {
		name[n] = *word++;
		if (name[n] != '%')
			continue;
		memcpy(digits, word, strnlen(word, 2));
		if (strlen(word) < 2 || field_read_number(digits, 16, UINT8_MAX, &number) ||
			!number)
			return -EINVAL;
		name[n] = number;
		word += 2;
	}
	if (*word)
		return -EINVAL;
	memcpy(value, name, n + 1);
	return 0;
}

const struct field_type field_bool = {sizeof(bool), NULL, write_bool, read_bool, NULL},
			field_u8 = {sizeof(uint8_t), NULL, write_u8, read_u8, NULL},
			field_u16 = {sizeof(uint16_t), NULL, write_u16, read_u16, NULL},
			field_u32 = {sizeof(uint32_t), NULL, write_u32, read_u32, NULL},
			field_u64 = {sizeof(uint64_t), NULL, write_u64, read_u64, NULL},
			field_int = {sizeof(int), NULL, write_int, read_int, NULL},
			field_hex = {sizeof(uint32_t), NULL, write_hex, read_hex, NULL},
			field_endpoint = {sizeof(struct endpoint), NULL, write_endpoint,
				read_endpoint, NULL},
			field_ends = {0, has_no_ends, write_ends, read_ends, free_ends},
			field_name = {0, is_no_name, write_name, read_name, NULL};

static bool is_zero(const struct field_type *type, const unsigned char *value)
{
	if (type->is_zero)
		return type->is_zero(value);
	for (size_t i = 0; i < type->size; i++) {
		if (value[i])
			return false;
	}
	return true;
}

void fields_write(struct text *text, const struct fields *fields, const void *object)
{
	const struct field *field;
	const char *value;

	for (size_t i = 0; i < fields->count; i++) {
		field = &fields->list[i];
		value = (const char *)object + field->offset;
		if (is_zero(field->type, (const unsigned char *)value))
			continue;
		text_add(text, " %s=", field->name);
		field->type->write(text, value);
	}
}

static const struct field *find(const struct fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->count; i++) {
		if (!strcmp(fields->list[i].name, name))
			return &fields->list[i];
	}
	return NULL;
}

/* @word: "name=value". @seen: a bit a field that was there already. */
static int read_word(const struct fields *fields, char *word, void *object, uint64_t *seen,
	char *error, size_t size)
{
	char *value = strchr(word, '=');
	const struct field *field;
	uint64_t bit;
	int err;

	if (!value) {
		snprintf(error, size, "\"%.40s\" is not of the form name=value", word);
		return -EINVAL;
	}
	*value++ = '\0';
	field = find(fields, word);
	if (!field) {
		snprintf(error, size, "there is no \"%.40s\" in such a line", word);
		return -EINVAL;
	}
	bit = 1ull << (field - fields->list);
	if (*seen & bit) {
		snprintf(error, size, "\"%s\" is there twice", field->name);
		return -EINVAL;
	}
	*seen |= bit;
	err = field->type->read(value, (char *)object + field->offset);
	if (err)
		snprintf(error, size, "%s cannot be \"%.40s\"%s", field->name, value,
			err == -ENOMEM ? ": out of memory" : "");
	return err;
}

int fields_read(
	const struct fields *fields, char *words, void *object, char *error, size_t error_size)
{
	char *rest = NULL, *word;
	uint64_t seen = 0;
	int err = 0;

	for (word = strtok_r(words, " ", &rest); word && !err; word = strtok_r(NULL, " ", &rest))
		err = read_word(fields, word, object, &seen, error, error_size);
	if (err)
		fields_free(fields, object);
	return err;
}

void fields_free(const struct fields *fields, void *object)
{
	const struct field *field;

	for (size_t i = 0; i < fields->count; i++) {
		field = &fields->list[i];
		if (field->type->free)
			field->type->free((char *)object + field->offset);
	}
}
