/* SPDX-License-Identifier: MIT */
/* A line of a recording, told to a plan that the recording's settings have made. */
#ifndef SUBFLOW_FEED_H
#define SUBFLOW_FEED_H

#include "core/line.h"
#include "core/plan.h"

#include <stdbool.h>
#include <stdint.h>

/* All zero to begin with. */
struct feed {
	struct plan plan;
	bool has_begun;     /* the plan is made */
	bool is_full;       /* the daemon went on, and what it did was not recorded */
	struct rule *rules; /* until all of them are there */
	uint32_t n_rules, rules_wanted;
	const char *wrong; /* after -EINVAL */
};

void feed_done(struct feed *feed);

/* What the plan wants done is not asked for. -EINVAL: it does not fit; -ENOMEM. */
int feed_line(struct feed *feed, const struct line *line);

/* Whether something is missing: -EINVAL. */
int feed_end(struct feed *feed);

#endif
