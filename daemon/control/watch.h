/* SPDX-License-Identifier: MIT */
/* What those who watch are told, one line of JSON each; docs/control.md lists the keys. */
#ifndef SUBFLOW_WATCH_H
#define SUBFLOW_WATCH_H

#include "core/news.h"

#include <stdint.h>

/* The first line. All are on the heap, end with a newline, and are NULL when memory is short. */
char *watch_write_begin(uint64_t time_us);

/* @time_us: since 1970. @netns: the name of its namespace. */
char *watch_write_news(const struct news *news, const char *netns, uint64_t time_us);

/* @event: what became of the namespace; @why may be empty. */
char *watch_write_netns(const char *event, const char *netns, const char *why, uint64_t time_us);

/* So many events could not be told. */
char *watch_write_lost(uint64_t count, uint64_t time_us);

#endif
