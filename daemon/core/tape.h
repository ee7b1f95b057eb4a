/* SPDX-License-Identifier: MIT */
/*
 * What the plan is told and what it wants done, line by line, beside everything else: whoever
 * attaches a tape takes the text from it. See core/line.h for the lines, core/replay.h for the way
 * back.
 */
#ifndef SUBFLOW_TAPE_H
#define SUBFLOW_TAPE_H

#include "core/line.h"
#include "core/text.h"

#include <stdbool.h>

struct plan;

struct tape {
	struct text text;            /* to be taken; is_cut: the recording is broken */
	struct text settings, rules; /* as last noted */
	struct text scratch;
	bool is_resting; /* nothing was told since the plan wanted nothing more */
};

/* From now on @plan, which knows of nothing yet, has all that it hears noted. */
void tape_begin(struct tape *tape, struct plan *plan, const char *program);
void tape_done(struct tape *tape);

/* For the plan's own functions; without a tape they do nothing. */
void tape_hear(struct plan *plan, const struct event *event);
void tape_call(struct plan *plan, enum line_kind kind, struct line_call call);
void tape_rules(struct plan *plan); /* set anew, be they the same */

/* NULL: it wants nothing more. */
void tape_act(struct plan *plan, const struct action *action);

#endif
