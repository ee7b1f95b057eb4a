/* SPDX-License-Identifier: MIT */
/*
 * Judgement: a connection whose last subflow has died is given another one, while there is time.
 *
 * The kernel keeps it without any for a while (net.mptcp.close_timeout). What is opened in place of
 * the last one may be refused: as where nobody listens for its peer's path manager just then.
 */
#ifndef SUBFLOW_REVIVAL_H
#define SUBFLOW_REVIVAL_H

#include "core/agenda.h"

#include <stdbool.h>
#include <stdint.h>

/* As long as the kernel keeps it, unless its sysctl says otherwise. */
#define REVIVAL_NS 60000000000ull

struct conn;
struct plan;

/* Of one connection. */
struct revival {
	struct agenda_entry due; /* when the next one is tried */
	uint64_t died_ns;        /* the last subflow, CLOCK_MONOTONIC; 0 = it has not */
	uint32_t tries;          /* since then, after the first one */
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

/* Whether none is up since the last one died, and there is time to try others. */
bool revival_is_on(const struct conn *conn, uint64_t now_ns);

/* Does what is due. */
void revival_tick(struct plan *plan, uint64_t now_ns);

/* The connection is about to be forgotten. */
void revival_forget(struct plan *plan, struct conn *conn);

#endif
