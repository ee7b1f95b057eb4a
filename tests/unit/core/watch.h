/* SPDX-License-Identifier: MIT */
/* What is noticed while a recording is played: whatever is decided, nothing oscillates. */
#ifndef TEST_WATCH_H
#define TEST_WATCH_H

#include "core/repair.h"
#include "core/replay.h"

#include "../unit.h"

#include <stdio.h>

#define CREATES_MAX 16384
#define CONNS_MAX   1024
#define HELD_MAX    16
#define SECOND_NS   1000000000ull

/* What the defaults promise of one connection: the manual, [apart], [benefit], [fairness]. */
#define MOVES_MOST 2
#define TRIES_MOST 2
#define HOLD_NS    (60 * SECOND_NS)
#define REFUSED    8
#define REFUSED_NS (600 * SECOND_NS)
#define CREATES_NS (10 * SECOND_NS)

struct create {
	struct conn_key key;
	uint64_t now_ns;
	enum subflow_asker asker;
};

/* Of one connection. */
struct one {
	struct conn_key key;
	unsigned int replaced;  /* subflows on trial, in a row */
	uint64_t less_until_ns; /* it has fewer, for its last link */
	unsigned int back;      /* of these, opened again all the same */
};

/* A destination to which one more subflow did not help. */
struct held {
	uint64_t netns, until_ns;
	struct endpoint remote;
};

/* What the plan had counted when it was looked at last. */
struct seen {
	uint64_t replaced, judged, taken_back, taken, refused, established, retries;
};

struct watch {
	struct replay replay;
	struct create creates[CREATES_MAX]; /* all, in their order */
	unsigned int n_creates;
	struct one ones[CONNS_MAX];
	unsigned int n_ones;
	struct held held[HELD_MAX];
	unsigned int n_held;
	unsigned int refused; /* joins, in a row */
	uint64_t refused_until_ns;
	unsigned int kinds[ACTION_FORGET + 1];
	struct seen seen;
	char wrong[200]; /* the first thing */
};

/* Another plan hears what @file has recorded; 0 or -errno. */
int watch_play(struct watch *watch, FILE *file);

/* For struct replay: a decision. */
void watch_hear(void *owner, const struct replay_decision *decision);

struct watch *watch_new(void);
void watch_free(struct watch *watch);

#endif
