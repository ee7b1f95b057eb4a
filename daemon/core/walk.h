/* SPDX-License-Identifier: MIT */
/* Judgement: how far it is, hop by hop, and where the ways part. */
#ifndef SUBFLOW_WALK_H
#define SUBFLOW_WALK_H

#include "core/survey.h"

#include <stdint.h>

/* Why nothing is known. */
#define WALK_NO_MIDDLE "the routers in the middle do not answer"

/* The tier at which ways over so many routers differ, if they do. */
uint8_t walk_find_middle(uint8_t hops);

/* Routers that a packet has passed that comes with this time to live; 0: none, or not known. */
uint8_t walk_count_passed(uint8_t ttl);

/* Whether the peer's own packets say that no router is so far away. */
bool walk_is_beyond(const struct survey *survey, uint8_t ttl);

/* Asks the first hops, or ends the walk when nothing is under way any more. */
void walk_advance(struct survey *survey, uint64_t now_ns);

void walk_hear(struct survey *survey, const struct survey_probe *probe,
	const struct in6_addr *address, uint64_t now_ns);

#endif
