/* SPDX-License-Identifier: MIT */
/* A peer that answers no join, unless the test says so. */
#ifndef TEST_MUTE_H
#define TEST_MUTE_H

#include "play.h"

#define MS     1000000ull
#define S      (1000 * MS)
#define PLACED 50000 /* ports that lead to the ways 1, 2, 3, 1, ... */

/* cmocka fixture: what is not answered is repaired. */
int mute_begin(void **state);

/* Four ways are known, of which the first subflow takes the first. */
void mute_know(struct play *play);

/* The time passes. */
void mute_pass(struct play *play, uint64_t ns);

/* The application asks for one, from a port that is known: which it is. */
uint16_t mute_open(struct play *play);

struct subflow *mute_find(struct play *play, uint16_t port);

/* The peer resets one, with the reason that it wants none; or one that was up, without saying why.
 */
void mute_is_reset(struct play *play, uint16_t port);
void mute_dies(struct play *play, uint16_t port);

#endif
