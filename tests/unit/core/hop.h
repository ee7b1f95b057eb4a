/* SPDX-License-Identifier: MIT */
/* What the tests of the last hop share. */
#ifndef HOP_H
#define HOP_H

#include "play.h"

#define MS      1000000ull
#define HOLD_MS 60000

/* Where packets wait, microseconds: before the last link, and for it. */
extern struct hop {
	uint32_t before_us, last_us;
	uint32_t base_us; /* the way itself, behind the last router */
	uint32_t stray;   /* every so many answers are late; 0 = none */
	uint64_t slow;    /* the serial of one that moves a fifth; 0 = none */
	uint64_t young;   /* from this serial on none has seen its way empty; 0 = all have */
	uint32_t percent; /* of its rate; 0 = all of it */
	bool is_shared;   /* all of them together move no more than one */
	bool is_idle;     /* the application has too little to send */
	bool is_received; /* it is a download */
	bool is_unanswered;
	uint32_t answers;
	/* The last link holds back from so many subflows on, whatever last_us; 0 = never. */
	uint32_t from;
} hop;

/* Until when rates were told of, CLOCK_MONOTONIC. */
extern uint64_t hop_counted_ns;

/* As play_begin(), with a fabric whose paths are known, and nobody waiting. */
int hop_begin(void **state);

const struct lasthop_counters *hop_counters(const struct play *play);

/* The elephant gets its four subflows. */
void hop_spread(struct play *play);

/* The time passes; what is opened comes up, and what is closed is gone. */
void hop_pass(struct play *play, uint64_t ms);

/* In all the time of a hold none is taken. */
void hop_keep_all(struct play *play);

void hop_lose_all_but_one(struct play *play);

/* Two on paths of half its rate fill the last link, one does not. */
void hop_come_to_rest_at_two(struct play *play);

#endif
