/* SPDX-License-Identifier: MIT */
/* Judgement: the ways that the known ports of a map lead, for one subflow. */
#ifndef SUBFLOW_CANDIDATES_H
#define SUBFLOW_CANDIDATES_H

#include "core/path.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct candidates {
	size_t n;
	struct path paths[PATH_PORTS_MAX];
	uint16_t ports[PATH_PORTS_MAX];
	uint16_t rest_s[PATH_PORTS_MAX]; /* path_port_rest_s() */
};

/* Known ports whose state is @worst or better, on ways that have just failed or on the others. */
void candidates_collect(const struct path_map *map, enum port_state worst, bool is_shunned,
	uint64_t now_ns, struct candidates *ret_candidates);

/*
 * Those on ways that nobody takes, as far as this host can tell; those that a subflow has left a
 * moment ago only if there are no others.
 */
void candidates_collect_free(
	const struct path_map *map, uint64_t now_ns, struct candidates *ret_candidates);

#endif
