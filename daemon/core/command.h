/* SPDX-License-Identifier: MIT */
/* Judgement: what became of the commands that the kernel was given. */
#ifndef SUBFLOW_COMMAND_H
#define SUBFLOW_COMMAND_H

#include "core/plan.h"

/* SUBFLOW_CREATE: what may pass is tried again, the rest is given up. */
void command_hear_created(struct plan *plan, struct conn *conn, const struct event *event);

/* SUBFLOW_DESTROY: what failed stays. */
void command_hear_destroyed(struct plan *plan, struct conn *conn, const struct event *event);

/* ANNOUNCE, and REMOVE of an address, that failed: neither is tried again. */
void command_hear_not_announced(struct plan *plan, struct conn *conn, const struct event *event);
void command_hear_not_withdrawn(struct plan *plan, struct conn *conn, const struct event *event);

#endif
