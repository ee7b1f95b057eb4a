/* SPDX-License-Identifier: MIT */
/*
 * The namespaces that the configuration asks for: words separated by blanks. "own" is the daemon's,
 * "all" is every one, and any other word is a pattern of names, glob(7).
 */
#ifndef SUBFLOW_WANTED_H
#define SUBFLOW_WANTED_H

#include <stdbool.h>

bool wanted_has_own(const char *text);

/* Whether those that have no name are meant too. */
bool wanted_has_unnamed(const char *text);

bool wanted_has_name(const char *text, const char *name);

#endif
