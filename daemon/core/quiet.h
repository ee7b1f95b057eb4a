/* SPDX-License-Identifier: MIT */
/*
 * Judgement: a subflow that has joined carries nothing at first.
 *
 * Where the peer's application has its socket in hand when the join comes, Linux finishes the join
 * when that lets go of it: mptcp_subflow_joined() then overwrites the mapping of data that the
 * subflow has brought by then. It is reset for that, or its bytes end up in another place of the
 * stream: docs/kernels.md. So it joins as a backup (RFC 8684 section 3.3.8), and is one no more
 * when the peer has had the time to finish.
 */
#ifndef SUBFLOW_QUIET_H
#define SUBFLOW_QUIET_H

#include "core/agenda.h"

#include <stdbool.h>
#include <stdint.h>

struct action;
struct conn;
struct event;
struct plan;
struct subflow;

struct quiet_rule {
	uint64_t time_ns; /* from the join on; 0 = none is quiet */
};

/* Of one subflow. */
struct quiet {
	struct agenda_entry due; /* when it is over, or that is said once more */
	struct conn *conn; /* whose it is; NULL = it is not quiet, and nothing is left to say */
	bool is_over;      /* it may send; that is to be said once more */
	uint8_t failures;  /* times that the kernel would not be told */
};

struct quiets {
	struct quiet_rule rule; /* quiet_init() leaves it off */
	struct agenda agenda;
};

void quiet_init(struct quiets *quiets);

/* Whether the subflow is kept from sending for now. */
bool quiet_is_on(const struct subflow *subflow);

/* The subflow is opened by @action: as a backup, where the rule is on. */
void quiet_begin(
	struct plan *plan, struct conn *conn, struct subflow *subflow, struct action *action);

/* It has joined; false: it may send at once. */
bool quiet_hear_established(struct plan *plan, struct subflow *subflow);

/* Both ends are to send over it no more, as long as there are others; or are again. */
void quiet_set(
	struct plan *plan, const struct conn *conn, const struct subflow *subflow, bool is_on);

/*
 * The kernel would not be told whether the subflow is a backup: its peer has not answered the last
 * packet of its join yet (__mptcp_subflow_active()), as where the round trip is longer. It is quiet
 * still, and is spoken of again.
 */
void quiet_hear_failed(struct plan *plan, struct conn *conn, const struct event *event);

/* An earlier daemon has died in the midst of it: it is over. */
void quiet_resume(struct plan *plan, struct conn *conn);

/* This daemon is about to end: it is over for all, since nobody will be there to say so. */
void quiet_end(struct plan *plan, uint64_t now_ns);

/* Does what is due. */
void quiet_tick(struct plan *plan, uint64_t now_ns);

/* The subflow is about to be forgotten. */
void quiet_forget(struct plan *plan, struct conn *conn, struct subflow *subflow);

#endif
