/* SPDX-License-Identifier: MIT */
/*
 * Memory: the TCP flows that a capture sees, and how much each has carried. The flows of one
 * MPTCP connection are added up in the first of them that was seen, its leader.
 */
#ifndef SUBFLOW_WIRE_H
#define SUBFLOW_WIRE_H

#include "core/packet.h"

#include <stdbool.h>
#include <stdint.h>

#define WIRE_MAX 65536 /* flows, for the daemon */

struct wire_flow {
	struct endpoint ends[2]; /* in an order of their own */
	uint32_t tokens[2];      /* that the connection has at each end; 0 = not known */
	uint64_t bytes[2];       /* that each end has sent; of a leader, by all its flows */
	uint64_t alarm_bytes[2]; /* from when on wire_hear() tells */
	uint64_t seen_ns;        /* CLOCK_MONOTONIC */
	uint32_t end_sequence[2];
	bool has_sequence[2];
	bool is_multipath;
	/* Of a leader, for whoever is told: a connection of this host; that it is none was said. */
	bool is_ours, is_told;
	bool is_over;
	bool is_used, is_gone; /* gone: only kept for those that it leads */
	bool is_turned;        /* its ends are the leader's the other way round */
	uint32_t leader, members;
	uint32_t next, next_of_token[2]; /* in the chains of the table */
};

struct wire {
	struct wire_flow *flows; /* all there will ever be: no packet allocates */
	uint32_t *tuples, *tokens;
	uint32_t limit, top, mask, free, count; /* none beyond @top was ever used */
	uint32_t hand;                          /* where the next to give way is looked for */
	uint64_t seed;
	/* Of a new flow; may be changed. Of a connection whose handshake was not seen it is 0. */
	uint64_t first_alarm_bytes;
	uint64_t refused; /* flows that found the table full: another gave way, or none */
};

/* @seed: of the hash, from where nobody can guess it. -ENOMEM. */
int wire_init(struct wire *wire, uint32_t limit, uint64_t seed, uint64_t first_alarm_bytes);
void wire_done(struct wire *wire);

/*
 * Takes a packet in. A new flow that finds the table full displaces one that has carried little.
 * Returns the leader of its flow if that has sent an alarm's worth from one
 * end, NULL else. Data is counted by sequence number: what is sent again, or seen on two
 * interfaces, counts once.
 */
struct wire_flow *wire_hear(struct wire *wire, const struct packet *packet, uint64_t now_ns);

/*
 * It has turned out that a leader's end is that of the connection with this token. Returns its
 * leader now: another, if flows of that connection are known.
 */
struct wire_flow *wire_tie(struct wire *wire, struct wire_flow *flow, int end, uint32_t token);

/* Drops flows that have ended, or have been still for long. */
void wire_expire(struct wire *wire, uint64_t now_ns);

/* The leaders one after the other; @flow NULL: the first; returns NULL after the last. */
struct wire_flow *wire_next(const struct wire *wire, const struct wire_flow *flow);

#endif
