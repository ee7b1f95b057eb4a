/* SPDX-License-Identifier: MIT */
/* An elephant of four subflows, each of which moves what the test says, as the kernel counts it. */
#ifndef TEST_PIPES_H
#define TEST_PIPES_H

#include "play.h"

#define MS      1000000ull
#define HOLD_MS 60000
#define PLACED  50000 /* the ports that lead to the ways 0, 1, ... */
#define WAYS    8
#define FULL    12500 /* bytes a millisecond: 100 Mbit/s */

/* What the subflow from one port moves. */
struct pipe {
	uint16_t port;
	uint64_t rate; /* bytes a millisecond */
	uint64_t busy_percent, limited_percent;
	bool is_received;
};

/* Of a port that was not named before it is a new one, which sends all that a way carries. */
struct pipe *pipe_of(uint16_t port);

/* What the kernel has counted of it. */
struct rate_sample *pipe_sample(uint16_t port);

/* What they moved up to now counts: their rates are about to change. */
void pipes_count(uint64_t now_ns);

/* cmocka fixture: subflows are moved apart, and asked how much they carry. */
int pipes_begin(void **state);

/* So many ways are known; the elephant's four subflows take the first four of them. */
void pipes_spread(struct play *play, uint16_t ways);

/* The time passes; what is opened comes up, and what is closed is gone. */
void pipes_pass(struct play *play, uint64_t ms);

#endif
