/* SPDX-License-Identifier: MIT */
/*
 * Judgement: how many subflows of a connection its peer takes. Linux without a path manager of ours
 * takes two beyond the first: it answers the SYN of a third, and resets it once it is up.
 */
#ifndef SUBFLOW_ROOM_H
#define SUBFLOW_ROOM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A peer that takes no more subflows answers the SYN and resets after the third packet of the
 * handshake, often without a reason: a join that ends this soon was refused.
 */
#define REFUSAL_NS 1000000000ull

struct conn;
struct endpoint;
struct plan;
struct refusal;
struct refusals_entry;
struct subflow;

struct room {
	uint32_t subflows; /* beside so many it has reset one more; 0 = it has not */
	uint64_t until_ns; /* CLOCK_MONOTONIC: no more than that before */
	uint64_t left_ns;  /* when the last one ended that was up; 0 = none has */
};

/* @subflow has come up: if it is one more than there is room for, there is more room. */
void room_hear_established(struct conn *conn, const struct subflow *subflow);

/* One that was up has ended, and was not refused. */
void room_hear_left(struct plan *plan, struct conn *conn);

/* The peer has reset @subflow, which was up. */
void room_hear_refused(struct plan *plan, struct conn *conn, const struct subflow *subflow,
	const struct refusal *refusal, bool is_transient);

/* Whether the peer would reset one more, as it did with this connection. */
bool room_is_full(const struct plan *plan, const struct conn *conn);

/* The same, as @remote did with so many in a row; NULL = no. */
const struct refusals_entry *room_find_held(
	struct plan *plan, const struct conn *conn, const struct endpoint *remote);

#endif
