/* SPDX-License-Identifier: MIT */
/* Judgement: what an application has asked for by number. */
#ifndef SUBFLOW_INTENT_H
#define SUBFLOW_INTENT_H

#include "core/plan.h"

#include <stdbool.h>

/*
 * What was heard has a receipt. After what it led to: by then a subflow that was taken away is seen
 * to go, or stays because it is the last one.
 */
void intent_note_heard(struct plan *plan, struct conn *conn);

/* Takes the youngest away; false when no other would be left. */
bool intent_remove_youngest(struct plan *plan, struct conn *conn);

/* Its totals, and its lists with them. */
void intent_hear(struct plan *plan, struct conn *conn, const struct event *event);

#endif
