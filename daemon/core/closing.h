/* SPDX-License-Identifier: MIT */
/* Judgement: how a subflow is closed. */
#ifndef SUBFLOW_CLOSING_H
#define SUBFLOW_CLOSING_H

#include "core/plan.h"

/* Has the kernel close an established subflow. */
void closing_begin(struct plan *plan, struct conn *conn, struct subflow *subflow);

#endif
