/* SPDX-License-Identifier: MIT */
/*
 * Judgement: which subflow of an elephant is much slower than its siblings, though all have enough
 * to send: somebody else's elephant is on its way. And which one of a download brings nothing any
 * more, while they do: its path is dead. No timer of this end tells of that, the sender's do.
 */
#ifndef SUBFLOW_LAG_H
#define SUBFLOW_LAG_H

#include "core/agenda.h"
#include "core/rate.h"

#include <stdint.h>

struct conn;
struct event;
struct plan;

struct lag_rule {
	uint32_t slow_percent; /* of its siblings' median, below which one lags; 0 = none does */
};

/* Of one connection. Its subflows are measured in rounds. */
struct lag {
	struct agenda_entry due; /* when the next round begins */
	uint32_t awaited;        /* answers of this one */
	uint64_t pause_ns;       /* to the next one, while little moves */
	uint64_t moved_ns;       /* CLOCK_MONOTONIC: until then something did, as far as is known */
	uint64_t rest_ns;        /* CLOCK_MONOTONIC: before, nobody is found slow */
};

/* Of one subflow. */
struct pace {
	struct rate_sample last;
	struct rate rate; /* of the last round */
	uint32_t rounds;  /* in a row that it has lagged */
	/* Of a download: what its siblings brought together when it last brought its share,
	 * bytes/s, 0 = it never has; rounds since then in which it brought less; rounds in a row in
	 * which it brought nothing, and they what they had before. */
	uint64_t beside;
	uint32_t lean, silent;
};

struct lag_counters {
	uint64_t rounds;
};

struct lags {
	struct lag_rule rule; /* lag_init() leaves it off */
	struct agenda agenda;
	uint64_t free_ns; /* CLOCK_MONOTONIC: before, all questions of a second are spent */
	struct lag_counters counters;
};

void lag_init(struct lags *lags);

/* It may have siblings to compare now: rounds begin, also where the next one was far off. */
void lag_expect(struct plan *plan, struct conn *conn);

/* The answer to ACTION_PACE. */
void lag_hear_paced(struct plan *plan, struct conn *conn, const struct event *event);

/* Does what is due. */
void lag_tick(struct plan *plan, uint64_t now_ns);

/* The connection is about to be forgotten. */
void lag_forget(struct plan *plan, struct conn *conn);

#endif
