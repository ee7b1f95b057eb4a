/* SPDX-License-Identifier: MIT */
/* What finds elephants beside the hooks, or in their place. */
#ifndef SUBFLOW_DETECTOR_H
#define SUBFLOW_DETECTOR_H

#include "core/flows.h"
#include "core/plan.h"
#include "core/wire.h"
#include "hands.h"
#include "kernel/capture.h"
#include "kernel/census.h"
#include "kernel/roster.h"
#include "kernel/served.h"
#include "settings.h"

/* The pointers are set by the caller. */
struct detector {
	struct loop *loop;
	struct served *served;
	struct plan *plan;
	struct hands *hands;
	const struct settings *settings;
	struct census census;
	struct roster roster;
	struct capture capture;
	struct wire wire;   /* what the capture sees */
	uint64_t rest_ns;   /* CLOCK_MONOTONIC; until then no flow on it is looked into */
	uint32_t strangers; /* elephants of others that it showed in this second */
	struct flows flows; /* elephants that cannot be treated */
};

/* Begins what [detect] source names. */
int detector_init(struct detector *detector);

/* The settings have changed, or count for the first time. */
void detector_tune(struct detector *detector);

/* The thresholds have changed: what is known of connections is held against the new ones. */
void detector_renew(struct detector *detector);

void detector_done(struct detector *detector);

#endif
