/* SPDX-License-Identifier: MIT */
/*
 * Judgement: a subflow that has died is not forgotten where what was to take its place came to
 * nothing: it was refused, or withheld, or its connection had too many repairs. Others are tried,
 * one at a time and ever more seldom.
 *
 * The kernel keeps a connection without any for a while (net.mptcp.close_timeout). What is opened
 * in place of the last one may be refused: as where nobody listens for its peer's path manager just
 * then.
 */
#ifndef SUBFLOW_REVIVAL_H
#define SUBFLOW_REVIVAL_H

#include "core/agenda.h"

#include <stdbool.h>
#include <stdint.h>

/* As long as the kernel keeps it by default. From then on others are tried more seldom. */
#define REVIVAL_NS 60000000000ull

struct conn;
struct plan;

/* Of one connection. */
struct revival {
	struct agenda_entry due; /* when the next one is tried */
	uint64_t died_ns;        /* the last subflow, CLOCK_MONOTONIC; 0 = it has not */
	uint32_t tries;          /* since then, or since one was missed, after the first one */
	/* Subflows that have died, and nothing was opened in their place, but for what a list or a
	 * full mesh owes. */
	uint32_t missing;
	uint64_t up_ns; /* when one came up, with none refused since; 0 = none did */
};

struct revivals {
	struct agenda agenda;
};

void revival_init(struct revivals *revivals);

/* The last subflow of @conn has died, and is about to be taken out. */
void revival_begin(struct plan *plan, struct conn *conn);

/* One that has come up since then was closed in good order, or its peer wants none. */
void revival_end(struct conn *conn);

/* A subflow of @conn was taken out: if none is left another is tried after a rest. */
void revival_expect(struct plan *plan, struct conn *conn);

/*
 * What was to take the place of one that has died came to nothing: it is missing. Another is tried
 * after a rest, not before @from_ns, nor before the budget of repairs allows it.
 */
void revival_miss(struct plan *plan, struct conn *conn, uint64_t from_ns);

/* Who takes subflows of @conn away means those that are there, and wants none that are missing. */
void revival_waive(struct conn *conn);

/* A subflow of @conn has come up: what is missing may come up as well. */
void revival_hear_established(struct plan *plan, struct conn *conn);

/* The addresses of its namespace have changed: the same. */
void revival_hear_addresses(struct plan *plan, struct conn *conn);

/* Whether none is up since the last one died, and that was within REVIVAL_NS. */
bool revival_is_on(const struct conn *conn, uint64_t now_ns);

/* Does what is due. */
void revival_tick(struct plan *plan, uint64_t now_ns);

/* The connection is about to be forgotten. */
void revival_forget(struct plan *plan, struct conn *conn);

#endif
