/* SPDX-License-Identifier: MIT */
/* INI files read into a structure by a table of keys. */
#ifndef SUBFLOW_CONFIG_H
#define SUBFLOW_CONFIG_H

#include <stddef.h>
#include <stdint.h>

enum config_type {
	CONFIG_BYTES,  /* uint64_t; "100MB", "4096", decimal units kB MB GB */
	CONFIG_NUMBER, /* uint32_t */
	CONFIG_BOOL,   /* bool; yes or no */
	CONFIG_STRING, /* char *, on the heap */
};

struct config_key {
	const char *section;
	const char *name;
	enum config_type type;
	size_t offset;                   /* of the value in the structure */
	uint64_t min, max;               /* of a number or of bytes, inclusive */
	const char *allowed;             /* of a string, in words for the error message */
	int (*check)(const char *value); /* of a string, or NULL: 0, or -EINVAL if not allowed */
};

/* Sections [KIND NAME], of which there may be several. */
struct config_list {
	const char *kind;
	const struct config_key *keys; /* their section is @kind; offsets are in an item */
	size_t name_max;               /* bytes of a name, its end included; at most 40 */
	size_t most;
	/*
	 * The item @name of @values, whose first key is in @line; made if it is not there. NULL:
	 * memory is short.
	 */
	void *(*item)(void *values, const char *name, int line);
};

/*
 * Reads @path into @ret_values by the table @keys, which ends with an entry
 * without a name. Values of keys that the file does not name stay. On error
 * nothing of @ret_values is changed, and @error names file, line, key and what
 * is allowed. @path is a regular file of text, of 1 MiB at most; -ENODATA: it is empty, see
 * settings_read(). A key is named once (in each section of @list, which may be NULL; items that
 * were made stay after -ENOMEM); a line is at most 199 bytes (libinih).
 * @ret_lines, with room for one a key, in the order of @keys, or NULL: the line that names it, or
 * 0.
 */
int config_read(const char *path, const struct config_key *keys, const struct config_list *list,
	void *ret_values, int *ret_lines, char *error, size_t error_size);

/* One value from text; @key says how. -EINVAL with @error filled as above, without a place. */
int config_set(const struct config_key *key, const char *text, void *ret_values, char *error,
	size_t error_size);

#endif
