/* SPDX-License-Identifier: MIT */
/* What the tests of subflows on trial share. */
#ifndef TRIAL_H
#define TRIAL_H

#include "play.h"

#define MS        1000000ull
#define TRIES     2
#define HOLD_MS   60000
#define WINDOW_MS 200

/* As play_begin(), with subflows to be judged, and enough that waits to be sent. */
int trial_begin(void **state);

const struct benefit_counters *trial_counters(const struct play *play);

/* The time passes, at this rate, with enough to send. */
void trial_pass(struct play *play, uint64_t ms, uint64_t mbit);

/* An elephant at 100 Mbit/s, whose second subflow was judged worth a try and has come up. */
void trial_second(struct play *play);

/* What it was replaced by comes up, after the old one has gone, and brings @mbit in all. */
void trial_replaced(struct play *play, uint16_t port, uint64_t mbit);

/* All that is tried fails, and the last one has gone. */
void trial_in_vain(struct play *play);

#endif
