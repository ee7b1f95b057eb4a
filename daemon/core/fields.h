/* SPDX-License-Identifier: MIT */
/*
 * A structure as words of a line, "name=value", and back: one table says both. What is zero is left
 * out, so that a new field changes no line that does without it.
 */
#ifndef SUBFLOW_FIELDS_H
#define SUBFLOW_FIELDS_H

#include "core/endpoint.h"
#include "core/text.h"

#include <stddef.h>
#include <stdint.h>

#define FIELDS_MAX 64 /* of one table */

struct field_type {
	size_t size; /* of the value; 0: @is_zero says whether it is left out */
	bool (*is_zero)(const void *value);
	void (*write)(struct text *text, const void *value);
	int (*read)(const char *word, void *value); /* -EINVAL, -ENOMEM */
	void (*free)(void *value);                  /* what read() got; NULL: nothing */
};

struct field {
	const char *name;
	const struct field_type *type;
	size_t offset;
};

struct fields {
	const struct field *list;
	size_t count;
};

/* Endpoints: an array and its length, as they stand one after the other in several structures. */
struct field_ends {
	const struct endpoint *list;
	uint32_t count;
};

extern const struct field_type field_bool, field_u8, field_u16, field_u32, field_u64, field_int,
	field_hex, /* uint32_t */
	field_endpoint, field_ends;

/* A name of up to FIELD_NAME_MAX - 1 bytes, of which blanks and the like are written as %20. */
#define FIELD_NAME_MAX 64
extern const struct field_type field_name;

/* Adds " name=value" for each field of @object that is not zero. */
void fields_write(struct text *text, const struct fields *fields, const void *object);

/*
 * Sets the fields that @words names; @words is written over. -EINVAL, -ENOMEM, with @error filled
 * and nothing left to be freed.
 */
int fields_read(
	const struct fields *fields, char *words, void *object, char *error, size_t error_size);

/* Frees what fields_read() got. */
void fields_free(const struct fields *fields, void *object);

/* A number of @base 10 or 16, and nothing else. -EINVAL; also for more than @most. */
int field_read_number(const char *word, unsigned int base, uint64_t most, uint64_t *ret_number);

/* "10.0.0.1:80", "[fd00::1]:80", "?:0": what family it is can be told. */
void field_write_endpoint(struct text *text, const struct endpoint *endpoint);
int field_read_endpoint(const char *word, struct endpoint *ret_endpoint);

#endif
