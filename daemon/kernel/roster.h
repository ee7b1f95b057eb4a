/* SPDX-License-Identifier: MIT */
/* Lists the TCP sockets of the served namespaces now and then: elephants that are plain TCP. */
#ifndef SUBFLOW_ROSTER_H
#define SUBFLOW_ROSTER_H

#include "base/loop.h"
#include "core/elephant.h"
#include "core/flows.h"
#include "kernel/served.h"

#include <stdbool.h>
#include <stdint.h>

struct roster {
	struct loop *loop;
	struct served *served;
	struct flows *flows; /* where they are noted */
	const struct elephant_rule *rule;
	/* A namespace only after roster_ask(), and as long as there are such elephants there. */
	bool is_on_call;
	struct source timer;
	uint64_t armed_ns; /* CLOCK_MONOTONIC; 0 = the timer is off */
};

/* @loop, @served, @flows, @rule and @is_on_call are set by the caller. */
int roster_init(struct roster *roster);
void roster_done(struct roster *roster);

/* Something else has seen such an elephant in this namespace. */
void roster_ask(struct roster *roster, uint64_t netns);

/* There is a namespace that was not served before. */
void roster_expect(struct roster *roster);

#endif
