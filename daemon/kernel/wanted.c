/* SPDX-License-Identifier: MIT */
/* The namespaces that the configuration asks for. */
#include "wanted.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define OWN    "own"
#define ALL    "all"
#define BLANKS " \t"

/* Every other word is a pattern of names. */
static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && !strncmp(text, word, len);
}

static bool has_word(const char *text, const char *word)
{
	size_t len;

	for (text += strspn(text, BLANKS); *text; text += len + strspn(text + len, BLANKS)) {
		len = strcspn(text, BLANKS);
		if (is_word(text, len, word))
			return true;
	}
	return false;
}

bool wanted_has_own(const char *text)
{
	return has_word(text, OWN) || has_word(text, ALL);
}

bool wanted_has_unnamed(const char *text)
{
	return has_word(text, ALL);
}

bool wanted_has_name(const char *text, const char *name)
{
	char pattern[NAME_MAX + 1];
	size_t len;

	for (text += strspn(text, BLANKS); *text; text += len + strspn(text + len, BLANKS)) {
		len = strcspn(text, BLANKS);
		if (is_word(text, len, ALL))
			return true;
		if (is_word(text, len, OWN))
			continue;
		snprintf(pattern, sizeof(pattern), "%.*s", (int)len, text);
		if (len < sizeof(pattern) && fnmatch(pattern, name, FNM_NOESCAPE) == 0)
			return true;
	}
	return false;
}
