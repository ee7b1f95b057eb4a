/* SPDX-License-Identifier: MIT */
/*
 * Memory: how far a connection has come, for detectors that look at it now and
 * then: which thresholds it has passed since, and when to look again.
 */
#ifndef SUBFLOW_PROGRESS_H
#define SUBFLOW_PROGRESS_H

#include "core/elephant.h"

#include <stdbool.h>
#include <stdint.h>

struct progress {
	uint64_t next;      /* threshold, bytes; 0 = the first. Those below have had their effect */
	uint64_t bytes;     /* sent or received, whichever is more, when it was looked at */
	uint64_t looked_ns; /* CLOCK_MONOTONIC; 0 = never */
	uint64_t rate;      /* that it may have until the next look, bytes a second */
	bool is_unwatched;  /* the hooks, which are to tell, do not */
	/* Of its subflows, while these are added up. */
	uint64_t sum_sent, sum_received;
};

/* How closely connections are looked at. */
struct progress_care {
	uint64_t late_bytes; /* that a connection may be past a threshold when that is seen */
	uint64_t most_ns;    /* between two looks, however little it moves */
};

/* @bytes were counted. Fewer than before are no step back: a counter may lose what has closed. */
void progress_note(struct progress *progress, uint64_t bytes, uint64_t now_ns);

/*
 * A threshold of @rule was told of, by whom ever. false: that one or a later one was before, so it
 * has no effect.
 */
bool progress_hear(struct progress *progress, uint64_t threshold, const struct elephant_rule *rule);

/*
 * A threshold of @rule that was passed and not told yet, the lowest one; 0 = none. It counts as
 * told; to be called until there is none.
 */
uint64_t progress_pass(struct progress *progress, const struct elephant_rule *rule);

/* The threshold that is to be passed next; UINT64_MAX = none. */
uint64_t progress_next(const struct progress *progress, const struct elephant_rule *rule);

/*
 * After how long to look at a new connection, which may have begun at 10 Gbit/s; 0 = never, the
 * rule has no threshold.
 */
uint64_t progress_first_wait(const struct elephant_rule *rule, const struct progress_care *care);

/*
 * When to look again, CLOCK_MONOTONIC: at once, if it was never looked at; 0 = never, it is past
 * the rule's last threshold. It is taken to go on at up to twice its last rate.
 */
uint64_t progress_due(const struct progress *progress, const struct elephant_rule *rule,
	const struct progress_care *care, uint64_t now_ns);

#endif
