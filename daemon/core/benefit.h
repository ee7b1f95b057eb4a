/* SPDX-License-Identifier: MIT */
/*
 * Judgement: whether a subflow of the elephant rule helps. One on a path that is known to be its
 * own is not judged unless the rule says so; any other one has to raise the rate of its connection
 * in time. One that does not is replaced by one from another port, a few times, then taken back,
 * and its destination is left alone.
 */
#ifndef SUBFLOW_BENEFIT_H
#define SUBFLOW_BENEFIT_H

#include "core/agenda.h"
#include "core/rate.h"

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct endpoint;
struct event;
struct path;
struct plan;
struct subflow;

struct benefit_rule {
	uint32_t margin_percent; /* by which the rate has to rise; 0 = nothing is judged */
	uint32_t time_rtts;      /* within so many round trips, */
	uint64_t time_min_ns;    /* and so long at least */
	uint32_t tries;          /* replacements of one whose path is not known */
	bool judges_own;         /* also one on a path that is known to be its own */
};

enum benefit_phase {
	BENEFIT_IDLE,
	BENEFIT_BEFORE, /* the rate without the subflow is measured, or known and it may open */
	BENEFIT_OPENING,
	BENEFIT_SETTLING, /* what the one before it had under way is sent again */
	BENEFIT_WITH,     /* the rate with it is measured */
	BENEFIT_LAST,     /* the last sample is asked for */
};

/* Of one connection. One of its subflows is judged at a time. */
struct benefit {
	struct agenda_entry due; /* when the trial goes on */
	enum benefit_phase phase;
	struct rate_sample begin, joined;
	struct rate before, with; /* of the last verdict, once the trial has ended */
	enum rate_verdict verdict;
	bool has_verdict;
	uint32_t asked;    /* for samples: which one an answer is to */
	uint32_t measured; /* the subflow whose samples are taken: its serial */
	uint32_t serial;   /* of the subflow that is judged; 0 = not opened yet */
	uint32_t replaced; /* so often during this trial */
	bool is_disturbed; /* others of its subflows came or went */
	uint64_t until_ns; /* CLOCK_MONOTONIC: it alone gets no more before; 0 = it may */
};

struct benefit_counters {
	uint64_t helped, replaced, taken_back;
	uint64_t unjudged;   /* for lack of evidence */
	uint64_t left_alone; /* not opened: more did not help lately */
};

struct benefits {
	struct benefit_rule rule; /* benefit_init() leaves it off */
	struct agenda agenda;
	struct benefit_counters counters;
};

void benefit_init(struct benefits *benefits);

/*
 * Whether a subflow of the elephant rule may be opened on this way now: 0, or 1: it is to be
 * judged, by benefit_take(). -EBUSY: later, when it will be tried again; -EHOSTDOWN: not at all,
 * and it is said why.
 */
int benefit_admit(struct plan *plan, struct conn *conn, const struct path *path,
	const struct endpoint *remote);

/* @subflow is opened, and is to be judged. */
void benefit_take(struct plan *plan, struct conn *conn, const struct subflow *subflow);

/* A subflow waits for something else: meanwhile the rate without it can be measured. */
void benefit_prepare(struct plan *plan, struct conn *conn);

void benefit_hear_established(struct plan *plan, struct conn *conn, const struct subflow *subflow);

/* @subflow is about to be taken out. */
void benefit_hear_gone(struct plan *plan, struct conn *conn, const struct subflow *subflow);

/* The answer to ACTION_MEASURE. */
void benefit_hear_measured(struct plan *plan, struct conn *conn, const struct event *event);

/* Does what is due. */
void benefit_tick(struct plan *plan, uint64_t now_ns);

/* The connection is about to be forgotten. */
void benefit_forget(struct plan *plan, struct conn *conn);

#endif
