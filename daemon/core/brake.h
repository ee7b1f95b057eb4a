/* SPDX-License-Identifier: MIT */
/*
 * Judgement: what holds a fast connection back. Where that is no path, but the CPU of its sender or
 * its reader, more subflows carry no more and cost CPU: those of the elephant rule wait until a
 * path does.
 */
#ifndef SUBFLOW_BRAKE_H
#define SUBFLOW_BRAKE_H

#include "core/agenda.h"
#include "core/rate.h"

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct event;
struct plan;

struct brake_rule {
	uint64_t fast_bytes_per_s; /* who carries less is split at once; 0 = everybody is */
};

enum brake_phase {
	BRAKE_IDLE,
	BRAKE_ASKED, /* for a sample */
	BRAKE_AGAIN, /* it will be for one more: a path seems to hold it back */
	BRAKE_FREE,  /* a subflow may be opened, for a moment */
	BRAKE_HELD,  /* none is: no path holds the connection back */
};

/* Of one connection. */
struct brake {
	struct agenda_entry due; /* when it is looked at again, or an answer is given up */
	enum brake_phase phase;
	uint64_t wait_ns;        /* while none is opened: until it is looked at again */
	uint64_t cause_ns;       /* of what is to be opened */
	uint32_t asked;          /* for samples: which one an answer is to */
	uint32_t paths;          /* samples in a row by which a path holds it back */
	uint32_t measured;       /* the subflow whose samples are taken: its serial */
	struct rate_sample seen; /* the last one of it */
	/* While none is opened: why, and what it carried when it was looked at last. */
	enum rate_limit limit;
	uint64_t bytes_per_s;
};

struct brakes {
	struct brake_rule rule; /* brake_init() leaves it off */
	struct agenda agenda;
	uint64_t held; /* times that a connection was found to need no more */
};

void brake_init(struct brakes *brakes);

/*
 * Whether a subflow of the elephant rule may be opened now: 0. -EBUSY: later, when it will be tried
 * again. @cause_ns: when the kernel noticed what led to it; 0 = not known.
 */
int brake_admit(struct plan *plan, struct conn *conn, uint64_t cause_ns);

/* The answer to ACTION_MEASURE. */
void brake_hear_measured(struct plan *plan, struct conn *conn, const struct event *event);

/* What keeps it from getting subflows: a constant text, for status; NULL = nothing does. */
const char *brake_text(const struct conn *conn);

/* Does what is due. */
void brake_tick(struct plan *plan, uint64_t now_ns);

/* The connection is about to be forgotten. */
void brake_forget(struct plan *plan, struct conn *conn);

#endif
