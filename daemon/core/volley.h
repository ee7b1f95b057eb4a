/* SPDX-License-Identifier: MIT */
/* Judgement: the probes of a survey that are under way. */
#ifndef SUBFLOW_VOLLEY_H
#define SUBFLOW_VOLLEY_H

#include "core/survey.h"

#include <stdbool.h>
#include <stdint.h>

#define VOLLEY_TRY_BITS    3u           /* of the cookie: which try it was */
#define VOLLEY_WAIT_MAX_NS 250000000ull /* for the first try's answer */

/*
 * When it is not answered in time. Each try waits twice as long as the one before: a machine that
 * is busy answers late.
 */
uint64_t volley_deadline_ns(const struct survey *survey, const struct survey_slot *slot);

/* One more to be sent, if there is a slot. */
void volley_add(struct survey *survey, enum survey_purpose purpose, uint16_t port, uint8_t ttl);

/* @purpose -1: of any. */
unsigned int volley_count(const struct survey *survey, int purpose);
bool volley_has(const struct survey *survey, uint16_t port);

/* That asks how far it is; NULL: none does so at @ttl. */
struct survey_slot *volley_find_hop(struct survey *survey, uint8_t ttl);

/* Whether the answer is to the probe in @slot, to whichever try. */
bool volley_is_answered(const struct survey_slot *slot, uint16_t port, uint32_t cookie);

#endif
