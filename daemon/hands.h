/* SPDX-License-Identifier: MIT */
/* Carries out what the judgement wants; results go back to it as events. */
#ifndef SUBFLOW_HANDS_H
#define SUBFLOW_HANDS_H

#include "base/histogram.h"
#include "base/loop.h"
#include "control/server.h"
#include "core/plan.h"
#include "inquiry.h"
#include "kernel/hooks.h"
#include "kernel/pm.h"
#include "kernel/reach.h"
#include "kernel/scout.h"
#include "kernel/served.h"
#include "recorder.h"

#include <stdbool.h>
#include <stdint.h>

/* The pointers, @rto_min_ms and @is_ending are set by the caller. */
struct hands {
	struct plan *plan;
	struct served *served;
	struct hooks *hooks;
	struct scout *scout;
	struct reach *reach;
	struct inquiry *inquiry;
	struct server *server; /* whose watchers are told */
	struct recorder *recorder;
	const struct genl_family *family;
	uint32_t rto_min_ms; /* a subflow that is listened for is silent for so long */
	bool is_ending;
	struct source timer; /* when the plan is to try again */
	uint64_t acted_ns;   /* when something was done last; 0 = never */
	struct histogram create_us;
	uint64_t rules_refused;    /* connections whose thresholds found the hooks' map full */
	uint64_t receipts_refused; /* receipts that did */
	bool has_created_backup;   /* @heeds_backup is known */
	bool heeds_backup;         /* the kernel: when it is told so with the command to join */

	/* The command socket of the namespace that was last acted in, for one batch. */
	struct mnl_socket *socket;
	uint64_t netns;
};

int hands_init(struct hands *hands, struct loop *loop);

/* Everything that the plan wants now. */
void hands_act(struct hands *hands);

/* The same, from the loop: for who is called in the midst of something, maybe by the hands. */
void hands_act_soon(struct hands *hands);

void hands_done(struct hands *hands);

#endif
