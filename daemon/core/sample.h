/* SPDX-License-Identifier: MIT */
/* Judgement: flows are sampled until a further way would have been seen. */
#ifndef SUBFLOW_SAMPLE_H
#define SUBFLOW_SAMPLE_H

#include "core/survey.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The subflows that are there already: their ways count too, and those that are in doubt are asked
 * again.
 */
void sample_subflows(struct survey *survey);

/* A port that nobody has, and that was not asked for yet; 0: there is none. */
uint16_t sample_draw_port(struct survey *survey);

/* How many flows must have been seen before nothing more is expected. */
unsigned int sample_count_needed(const struct survey *survey);

/* Whether as many were seen as the rule asks for: there may be too few ports for that. */
bool sample_is_sure(const struct survey *survey);

/* As many as are missing to what is needed. */
void sample_flows(struct survey *survey);

/*
 * How many of them are to be asked again, so that a fabric that does not look at ports would have
 * sent each where it was before with a probability of 1 % at most.
 */
unsigned int sample_count_again(const struct survey *survey);

/*
 * Why the one way that is seen may be many; NULL: several are seen, or it is one. Up and down a
 * fabric there is an odd number of routers; with an even number, those between a tunnel's ends are
 * not among them. The peer's own packets may have passed more than have answered. And beside the
 * middle ways may have met again, or not have parted yet.
 */
const char *sample_find_doubt(const struct survey *survey);

/* Whether a way of the map is avoided, since it has failed. */
bool sample_has_failed(const struct path_map *map, uint64_t now_ns);

/* Whether one has failed since the map was confirmed, and may be taken again. */
bool sample_is_doubtful(const struct path_map *map, uint64_t now_ns);

/* Some of those that are known: whether they still take the same way. */
void sample_again(struct survey *survey, uint64_t now_ns);

/* One device leads to one first router. */
void sample_spread_first(struct survey *survey, struct path_port *port);

void sample_hear_again(struct survey *survey, const struct survey_probe *probe,
	const struct in6_addr *address, uint64_t now_ns);
void sample_hear(
	struct survey *survey, const struct survey_slot *slot, const struct in6_addr *address);

#endif
