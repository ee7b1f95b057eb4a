/* SPDX-License-Identifier: MIT */
/* Judgement: how far it is, hop by hop, and where the ways part. */
#ifndef SUBFLOW_WALK_H
#define SUBFLOW_WALK_H

#include "core/survey.h"

#include <stdint.h>

/* Asks the first hops, or ends the walk when nothing is under way any more. */
void walk_advance(struct survey *survey, uint64_t now_ns);

void walk_hear(struct survey *survey, const struct survey_probe *probe,
	const struct in6_addr *address, uint64_t now_ns);

#endif
