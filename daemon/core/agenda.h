/* SPDX-License-Identifier: MIT */
/* Memory: what is due when, the first first. Pure. */
#ifndef SUBFLOW_AGENDA_H
#define SUBFLOW_AGENDA_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Part of what is due; all zero before it is first put on an agenda. */
struct agenda_entry {
	TAILQ_ENTRY(agenda_entry) link;
	uint64_t at_ns; /* CLOCK_MONOTONIC; 0 = it is on no agenda */
};

struct agenda {
	TAILQ_HEAD(agenda_list, agenda_entry) entries;
};

/* What @entry is the @member of. */
#define AGENDA_OWNER(entry, type, member) ((type *)(void *)((char *)(entry)-offsetof(type, member)))

void agenda_init(struct agenda *agenda);

/* From now on it is due then, after others of the same time; @at_ns 0: not any more. */
void agenda_set(struct agenda *agenda, struct agenda_entry *entry, uint64_t at_ns);

/* The first one that is due by @now_ns; NULL: none is. It stays on the agenda. */
struct agenda_entry *agenda_find_due(const struct agenda *agenda, uint64_t now_ns);

/* When the first one is due; 0 = nothing is. */
uint64_t agenda_next_ns(const struct agenda *agenda);

#endif
