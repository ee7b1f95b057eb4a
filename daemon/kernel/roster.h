/* SPDX-License-Identifier: MIT */
/* Lists the TCP sockets of the served namespaces now and then: elephants that are plain TCP. */
#ifndef SUBFLOW_ROSTER_H
#define SUBFLOW_ROSTER_H

#include "base/loop.h"
#include "core/elephant.h"
#include "core/flows.h"
#include "kernel/served.h"

#include <stdint.h>

struct roster {
	struct loop *loop;
	struct served *served;
	struct flows *flows; /* where they are noted */
	const struct elephant_rule *rule;
	struct source timer;
	uint64_t armed_ns; /* CLOCK_MONOTONIC; 0 = the timer is off */
};

/* @loop, @served, @flows and @rule are set by the caller. */
int roster_init(struct roster *roster);
void roster_done(struct roster *roster);

/* There is a namespace that was not served before. */
void roster_expect(struct roster *roster);

#endif
