/* SPDX-License-Identifier: MIT */
/* Judgement: what it means that a subflow has come up, or is closed. */
#ifndef SUBFLOW_SUBFLOWS_H
#define SUBFLOW_SUBFLOWS_H

#include "core/plan.h"

/* Takes it out, and its port back. */
void subflows_remove(struct plan *plan, struct conn *conn, struct subflow *subflow);

void subflows_hear_established(struct plan *plan, struct conn *conn, const struct event *event);

/* It has joined, and may send. */
void subflows_hear_usable(struct plan *plan, struct conn *conn, struct subflow *subflow);

void subflows_hear_closed(struct plan *plan, struct conn *conn, const struct event *event);

#endif
