/* SPDX-License-Identifier: MIT */
/* Judgement: how far it is, hop by hop, and where the ways part. */
#ifndef SUBFLOW_WALK_H
#define SUBFLOW_WALK_H

#include "core/survey.h"

#include <stdint.h>

/* Asks the first hop, or ends the walk when nothing is under way any more. */
void walk_advance(struct survey *survey, uint64_t now_ns);

void walk_hear(struct survey *survey, const struct survey_probe *probe,
	const struct in6_addr *address, uint64_t now_ns);

/*
 * Silence is the destination, or a router that says nothing: the hop after it tells. It is asked
 * together with the second try, once.
 */
void walk_doubt(struct survey *survey, const struct survey_probe *probe);

#endif
