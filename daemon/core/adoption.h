/* SPDX-License-Identifier: MIT */
/*
 * Judgement: connections whose beginning was not seen are taken up from what the kernel lists,
 * and what it does not list any more is forgotten. After a start, after lost events, and for a
 * request of a connection that nobody knows.
 */
#ifndef SUBFLOW_ADOPTION_H
#define SUBFLOW_ADOPTION_H

#include "core/plan.h"

#include <stdint.h>

/* A list of all connections of @netns follows: EVENT_FOUND and EVENT_FOUND_SUBFLOW. */
void adoption_begin(struct plan *plan, uint64_t netns);

/* The list was complete. Without it nothing is forgotten and nothing taken up. */
void adoption_end(struct plan *plan, uint64_t netns);

void adoption_hear_found(struct conn *conn, const struct event *event);
void adoption_hear_found_subflow(struct conn *conn, const struct event *event);
void adoption_hear_claimed(struct plan *plan, struct conn *conn, const struct event *event);

#endif
