/* SPDX-License-Identifier: MIT */
/* Judgement: subflows whose path is dead are given up and replaced. */
#ifndef SUBFLOW_REPAIR_H
#define SUBFLOW_REPAIR_H

#include <stdbool.h>
#include <stdint.h>

/* A connection on flapping links is left to the kernel after this many repairs within the time. */
#define REPAIR_MOST      8
#define REPAIR_WINDOW_NS 10000000000ull

struct conn;
struct event;
struct plan;
struct subflow;

/* Of one connection: when it was repaired, in a ring. */
struct repair_budget {
	uint64_t spent_ns[REPAIR_MOST]; /* CLOCK_MONOTONIC; 0 = not yet */
	uint32_t next;                  /* the longest ago */
};

/* Whether a subflow may be replaced now, by the connection's budget; counts it. */
bool repair_allow(struct plan *plan, struct conn *conn, uint64_t now_ns);

/* From when on one more may be, CLOCK_MONOTONIC. */
uint64_t repair_free_ns(const struct repair_budget *budget);

/* A subflow is silent while its siblings progress: it is listened for once more. */
void repair_hear_timeout(struct plan *plan, struct conn *conn, const struct event *event);

/* A subflow is silent, and of its siblings no fewer than progress: it is left to the kernel. */
void repair_hear_outage(struct plan *plan, struct conn *conn, const struct event *event);

/* @subflow of a download brings nothing any more, while its siblings do: it is replaced. */
void repair_hear_silence(struct plan *plan, struct conn *conn, struct subflow *subflow);

/* Whether a subflow has died: not closed in good order, nor because its peer wants none. */
bool repair_is_death(const struct event *event);

/*
 * The network or the peer has reset @subflow, which is about to be taken out: another is wanted in
 * its place, even if it was the last. Not if it ended in good order, or the peer wants none.
 */
void repair_hear_closed(
	struct plan *plan, struct conn *conn, struct subflow *subflow, const struct event *event);

/*
 * The address of @subflow has gone, and it is being closed. Of what was asked for by number another
 * is wanted, from an address that lives; what is of a full mesh or a list belongs to its address.
 */
void repair_hear_lost(struct plan *plan, struct conn *conn, const struct subflow *subflow);

/*
 * Another is wanted in place of @subflow, by who asked for it: of a full mesh or a list from the
 * same address. An application's account of what it asked for by number is settled: for that, and
 * for what was up and for nobody's address, it is a repair.
 */
void repair_want_again(struct plan *plan, struct conn *conn, const struct subflow *subflow);

/* The kernel would not close @subflow: what was to replace it, and is not opened yet, is not. */
void repair_hear_kept(struct plan *plan, struct conn *conn, const struct subflow *subflow);

/*
 * Where the host stood still for a while, the timer fires before what came in meanwhile is read.
 * By now it has been: one that still is silent is closed, and another opened in its place.
 */
void repair_hear_listened(struct plan *plan, struct conn *conn, const struct event *event);

#endif
