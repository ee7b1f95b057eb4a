/* SPDX-License-Identifier: MIT */
/* A source of the loop that is ready when its time has come. */
#ifndef SUBFLOW_TIMER_H
#define SUBFLOW_TIMER_H

#include "base/loop.h"

#include <stdbool.h>
#include <stdint.h>

/* @timer->ready is set by the caller, and timer_close() is to be called on errors, too. -errno. */
int timer_open(struct source *timer, struct loop *loop);
void timer_close(struct source *timer);

/* Once, at that time of CLOCK_MONOTONIC; 0 = never. -errno. */
int timer_arm(struct source *timer, uint64_t at_ns);

/* Again and again. -errno. */
int timer_repeat(struct source *timer, uint64_t period_ns);

/* Whether it is what @timer->ready was called for: not if it was armed anew meanwhile. */
bool timer_has_expired(struct source *timer);

#endif
