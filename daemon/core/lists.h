/* SPDX-License-Identifier: MIT */
/* Judgement: what an application's lists of local addresses mean for its connection. */
#ifndef SUBFLOW_LISTS_H
#define SUBFLOW_LISTS_H

#include "core/plan.h"

#include <stdbool.h>

/*
 * The lists as they stand now. What was taken away is closed, what was asked for is wanted; the
 * opening is the caller's. False: that is no news.
 */
bool lists_hear(struct plan *plan, struct conn *conn, const struct event *event);

/* The addresses of the first subflow are known. */
void lists_hear_created(struct conn *conn);

/* A REMOVE by number takes one back that was not opened yet; false: there is none. */
bool lists_take_back(struct plan *plan, struct conn *conn);

/* A subflow has come up: what waited for one may go. */
void lists_hear_joined(struct plan *plan, struct conn *conn);

/*
 * The end of each opening_run(): all that can be opened now is on its way. If what waits for a
 * subflow in its place waits for none of these, an alternative is opened, or it stays. So it never
 * waits for what was dropped elsewhere.
 */
void lists_review(struct plan *plan, struct conn *conn);

/*
 * Whether subflows from there are on their way out, of which the peer is told by the address's id:
 * what came meanwhile would go with them.
 */
bool lists_is_clearing(const struct conn *conn, const struct endpoint *local);

/* So many of what @subflow was asked for by are carried out or given up, or are wanted again. */
void lists_settle(struct plan *plan, struct conn *conn, const struct subflow *subflow);
void lists_want_again(struct conn *conn, const struct subflow *subflow);

/*
 * The subflow of one of its requests, which counted as carried out, came to nothing, and is to be
 * opened again.
 */
void lists_reopen(struct plan *plan, struct conn *conn, const struct subflow *subflow);

/* The same, later; lists_pay() has one that does opened, and lists_waive() none. */
void lists_owe(struct conn *conn, const struct subflow *subflow);
bool lists_pay(struct plan *plan, struct conn *conn);
void lists_waive(struct conn *conn);

/* It is there still: what was to be opened in its place is not. */
void lists_keep(struct plan *plan, struct conn *conn, const struct subflow *subflow);

/* What is wanted from the address in @slot and was not opened will not be. */
void lists_give_up(struct plan *plan, struct conn *conn, int slot);

/* An accepted connection: tells the peer of the addresses that it was not told of. */
void lists_announce(struct plan *plan, struct conn *conn);

#endif
