/* SPDX-License-Identifier: MIT */
/* Judgement: which subflows are opened now, and between which ends. */
#ifndef SUBFLOW_OPENING_H
#define SUBFLOW_OPENING_H

#include "core/plan.h"

#include <stdint.h>

/*
 * Sends what is wanted on its way, as far as the kernel takes it now. @cause_ns: when the kernel
 * noticed what led to it; 0 = not known.
 */
void opening_run(struct plan *plan, struct conn *conn, uint64_t cause_ns);

#endif
