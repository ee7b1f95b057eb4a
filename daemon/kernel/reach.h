/* SPDX-License-Identifier: MIT */
/* How long it takes up to a router on a subflow's way: one probe, and its answer. */
#ifndef SUBFLOW_REACH_H
#define SUBFLOW_REACH_H

#include "base/loop.h"
#include "core/event.h"
#include "kernel/scout.h"
#include "kernel/served.h"

#include <stdint.h>
#include <sys/queue.h>

#define REACH_QUESTIONS_MAX 128 /* under way */

/* @loop, @served, @scout, @owner and @heard are set by the caller. */
struct reach {
	struct loop *loop;
	struct served *served;
	struct scout *scout; /* whose limits hold for these probes too */
	struct source timer;
	TAILQ_HEAD(, reach_question) questions; /* oldest first */
	uint32_t n_questions;
	uint64_t refused; /* questions that found too many under way */

	void *owner;
	/* EVENT_REACHED. */
	void (*heard)(void *owner, const struct event *event);
};

int reach_init(struct reach *reach);
void reach_done(struct reach *reach);

/* Carries out an ACTION_REACH; if this is 0, @heard tells. -errno: it could not be asked. */
int reach_ask(struct reach *reach, const struct action *action);

#endif
