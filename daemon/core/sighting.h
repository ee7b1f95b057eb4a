/* SPDX-License-Identifier: MIT */
/* Judgement: what an elephant on the wire is: a connection of this host, or none to be treated. */
#ifndef SUBFLOW_SIGHTING_H
#define SUBFLOW_SIGHTING_H

#include "core/flows.h"
#include "core/plan.h"
#include "core/wire.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * To be called with what wire_hear() tells; sets the next alarm. A connection of the plan's hears
 * of the thresholds that it has passed. @downloads: what its client receives counts. Returns true
 * if it is none of the plan's, the first time.
 */
bool sighting_hear(struct plan *plan, struct wire *wire, struct wire_flow *flow, bool downloads,
	uint64_t now_ns);

/* The rules are there, or have changed: each flow is looked at anew. */
void sighting_renew(const struct plan *plan, struct wire *wire);

/*
 * To be called every second or so: flows that have ended are forgotten, and those that cannot
 * be treated and have carried the rule's start are noted in @flows with what they have carried by
 * now, as of the namespace 0.
 */
void sighting_tick(struct plan *plan, struct wire *wire, struct flows *flows, uint64_t now_ns);

#endif
