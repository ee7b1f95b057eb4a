/* SPDX-License-Identifier: MIT */
/* Judgement: the subflows that every connection gets from its start. */
#ifndef SUBFLOW_POLICY_H
#define SUBFLOW_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct plan;
struct conn;
struct event;

struct policy {
	uint32_t ndiffports; /* in all, between the addresses of the first subflow; 1 = just that */
	bool fullmesh;       /* from every local address to every one of the peer */
};

/* A client's connection is up. */
void policy_start(struct plan *plan, struct conn *conn);

/* The answer to ACTION_LOCALS. */
void policy_hear_locals(struct plan *plan, struct conn *conn, const struct event *event);

#endif
