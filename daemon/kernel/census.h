/* SPDX-License-Identifier: MIT */
/*
 * Detection without hooks: asks the kernel now and then how far each connection has come; beside
 * the hooks each one of which they do not tell.
 */
#ifndef SUBFLOW_CENSUS_H
#define SUBFLOW_CENSUS_H

#include "base/loop.h"
#include "core/plan.h"
#include "core/progress.h"
#include "kernel/served.h"

#include <stdbool.h>
#include <stdint.h>

struct census {
	struct loop *loop;
	struct served *served;
	struct plan *plan;
	struct progress_care care;
	bool is_for_all; /* clients; else those that are unwatched */
	bool downloads;  /* bytes received count */
	struct source timer;
	uint64_t armed_ns; /* CLOCK_MONOTONIC; 0 = the timer is off */
	uint64_t looks;    /* times that the kernel was asked */
	bool has_no_bytes; /* this kernel counts them for subflows only: before 6.5 */
	bool has_complained;

	void *owner;
	/* A threshold was passed: EVENT_THRESHOLD. */
	void (*heard)(void *owner, const struct event *event);
	/* After some of these, when what follows from them can be carried out. */
	void (*looked)(void *owner);
};

/* @loop, @served, @plan, @care, @is_for_all, @downloads, @owner and the callbacks are set by the
 * caller. */
int census_init(struct census *census);
void census_done(struct census *census);

/* Something says that this connection may have passed a threshold. Needs no census_init(). */
void census_look(struct census *census, struct conn *conn, uint64_t now_ns);

/* There are connections that the plan did not have before. Without any nothing is done. */
void census_expect(struct census *census);

/* The hooks do not tell of this one. */
void census_take(struct census *census, struct conn *conn);

/* The rules, or how closely to look, have changed. */
void census_renew(struct census *census);

/* Whether this one is asked about, as long as there is a threshold before it. */
bool census_has(const struct census *census, const struct conn *conn);

#endif
