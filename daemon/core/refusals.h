/* SPDX-License-Identifier: MIT */
/*
 * Memory: destinations that refuse joins. Behind a load balancer a join may reach another host than
 * its connection, which resets it; the next connection there would fare no better.
 */
#ifndef SUBFLOW_REFUSALS_H
#define SUBFLOW_REFUSALS_H

#include "core/endpoint.h"

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#define REFUSALS_MAX      4096 /* destinations; the one that refused longest ago makes room */
#define REFUSALS_TEXT_MAX 64

struct refusals_rule {
	uint32_t
		most; /* in a row, until the destination is left in peace; 0 = no matter how many */
	uint64_t hold_ns; /* for how long */
};

/* What ended a join. */
struct refusal {
	int error;        /* errno, positive; 0 = none */
	int reset_reason; /* RFC 8684 section 3.6; -1 = none given */
	uint32_t room;    /* it was up, beside so many of its connection; 0 = it was not */
};

struct refusals_key {
	uint64_t netns;
	struct endpoint remote;
};

struct refusals_entry {
	struct refusals_key key;
	UT_hash_handle hh;
	uint32_t in_a_row;
	struct refusal last;
	uint64_t last_ns;  /* CLOCK_MONOTONIC */
	uint64_t until_ns; /* no join before; 0 = not held */
};

struct refusals {
	struct refusals_entry *entries; /* in the order of their last refusal */
	struct refusals_rule rule;
	uint64_t displaced; /* destinations forgotten because the table was full */
};

void refusals_done(struct refusals *refusals);

/* A join to @remote was refused. */
void refusals_note(struct refusals *refusals, uint64_t netns, const struct endpoint *remote,
	const struct refusal *refusal, uint64_t now_ns);

/* A join to @remote came up: the destination is forgotten. */
void refusals_clear(struct refusals *refusals, uint64_t netns, const struct endpoint *remote);

/* What is remembered of @remote, NULL: nothing. Twice the hold after the last one it is old. */
const struct refusals_entry *refusals_find(
	struct refusals *refusals, uint64_t netns, const struct endpoint *remote, uint64_t now_ns);

/* As refusals_find(), but only if no join is to be tried now. */
const struct refusals_entry *refusals_find_held(
	struct refusals *refusals, uint64_t netns, const struct endpoint *remote, uint64_t now_ns);

/* Forgets what is old. */
void refusals_expire(struct refusals *refusals, uint64_t now_ns);

/* Forgets a namespace. */
void refusals_forget(struct refusals *refusals, uint64_t netns);

/* "MPTCP reset reason 3", "Connection refused", "reset". Returns @text. */
const char *refusal_text(const struct refusal *refusal, char text[REFUSALS_TEXT_MAX]);

#endif
