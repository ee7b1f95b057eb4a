/* SPDX-License-Identifier: MIT */
/* Text that grows at its end. */
#ifndef SUBFLOW_TEXT_H
#define SUBFLOW_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *bytes; /* with a zero at the end; NULL while nothing was added */
	size_t length, room;
	bool is_cut; /* memory was short: something is missing */
};

void text_done(struct text *text);

/* Forgets what is in it and keeps the room. */
void text_clear(struct text *text);

/* As printf(3). */
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What is in it, never NULL. */
const char *text_of(const struct text *text);

#endif
