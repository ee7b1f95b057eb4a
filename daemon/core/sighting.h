/* SPDX-License-Identifier: MIT */
/* Judgement: what an elephant on the wire is: a connection of this host, or none to be treated. */
#ifndef SUBFLOW_SIGHTING_H
#define SUBFLOW_SIGHTING_H

#include "core/flows.h"
#include "core/plan.h"
#include "core/wire.h"

#include <stdbool.h>
#include <stdint.h>

enum sighting_kind {
	SIGHTING_NOTHING,
	SIGHTING_STRANGER, /* an elephant that is none of the plan's, the first time */
	SIGHTING_OURS,     /* @conn seems to have passed a threshold: the kernel is to be asked */
};

struct sighting {
	enum sighting_kind kind;
	struct conn *conn;
	struct wire_flow *flow;
	int end; /* of the flow: the client's */
};

/*
 * To be called with what wire_hear() tells; sets the next alarm, but of SIGHTING_OURS. Anybody can
 * put packets on a wire, so they say when to look, and the kernel's counters what is to be seen.
 */
struct sighting sighting_hear(struct plan *plan, struct wire *wire, struct wire_flow *flow);

/*
 * The kernel was asked, and the connection's progress says what is known by now: sets the next
 * alarm. @downloads: what its client receives counts.
 */
void sighting_looked(const struct plan *plan, const struct sighting *sighting, bool downloads);

/* The rules are there, or have changed: each flow is looked at anew. */
void sighting_renew(const struct plan *plan, struct wire *wire);

/*
 * To be called every second or so: flows that have ended are forgotten, and those that cannot
 * be treated and have carried the rule's start are noted in @flows with what they have carried by
 * now, as of the namespace 0.
 */
void sighting_tick(struct plan *plan, struct wire *wire, struct flows *flows, uint64_t now_ns);

#endif
