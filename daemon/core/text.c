/* SPDX-License-Identifier: MIT */
/* Text that grows at its end. */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/param.h>

#define ROOM_FIRST 256

void text_done(struct text *text)
{
	free(text->bytes);
	*text = (struct text){};
}

void text_clear(struct text *text)
{
	text->length = 0;
	text->is_cut = false;
	if (text->bytes)
		*text->bytes = '\0';
}

static bool make_room(struct text *text, size_t more)
{
	size_t room = MAX(text->room, ROOM_FIRST);
	char *bytes;

	while (room - text->length <= more)
		room *= 2;
	if (room == text->room)
		return true;
	bytes = realloc(text->bytes, room);
	if (!bytes)
		return false;
	text->bytes = bytes;
	text->room = room;
	return true;
}

void text_add(struct text *text, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0 || !make_room(text, length)) {
		text->is_cut = true;
		return;
	}
	va_start(arguments, format);
	vsnprintf(text->bytes + text->length, text->room - text->length, format, arguments);
	va_end(arguments);
	text->length += length;
}

const char *text_of(const struct text *text)
{
	return text->bytes ? text->bytes : "";
}
