/* SPDX-License-Identifier: MIT */
/* Judgement: which subflows are opened now, and between which ends. */
#ifndef SUBFLOW_OPENING_H
#define SUBFLOW_OPENING_H

#include "core/plan.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Sends what is wanted on its way, as far as the kernel takes it now. @cause_ns: when the kernel
 * noticed what led to it; 0 = not known.
 */
void opening_run(struct plan *plan, struct conn *conn, uint64_t cause_ns);

/* The limits have changed: there may be room for what is still wanted. */
void opening_run_all(struct plan *plan, uint64_t now_ns);

/*
 * Opens a subflow from an address that the application has listed and that was not tried for
 * this yet, in place of the last one; false: there is none left.
 */
bool opening_alternative(struct plan *plan, struct conn *conn);

/*
 * Opens a subflow that is to take the place of @subflow, as @choice says. It is one more until it
 * is up, whatever the limits. 0 or -errno.
 */
int opening_move(struct plan *plan, struct conn *conn, const struct subflow *subflow,
	const struct steer_choice *choice);

#endif
