/* SPDX-License-Identifier: MIT */
/* Judgement: the ways that the known ports of a map lead, for one subflow. */
#ifndef SUBFLOW_CANDIDATES_H
#define SUBFLOW_CANDIDATES_H

#include "core/path.h"

#include <stddef.h>
#include <stdint.h>

/* In the order in which they are taken. */
enum way_state {
	WAY_GOOD,
	WAY_DOUBTED, /* it has just failed, but another subflow of the connection lives there */
	WAY_FAILED,
	WAY_STATES,
};

/* A way, and of its ports in each state the one that was left longest ago; 0 = none is so. */
struct candidate {
	struct path path;
	enum way_state state;
	uint16_t ports[PORT_STATES], rest_s[PORT_STATES]; /* path_port_rest_s() */
};

struct candidates {
	size_t n;
	struct candidate all[PATH_PORTS_MAX];
};

/* Some of them, as placement has them: ways, and a port on each. */
struct shortlist {
	size_t n;
	struct path paths[PATH_PORTS_MAX];
	uint16_t ports[PATH_PORTS_MAX];
};

/* @live: ways that subflows of the connection take, and live there. */
void candidates_collect(const struct path_map *map, const struct path *live, size_t n_live,
	uint64_t now_ns, struct candidates *ret_candidates);

/* Ways in that state, with a port in state @worst or better, the best of which is taken. */
void candidates_shortlist(const struct candidates *candidates, enum way_state state,
	enum port_state worst, struct shortlist *ret_list);

/*
 * Those on ways that nobody takes, as far as this host can tell; by a port that a subflow has left
 * a moment ago only if there are no others.
 */
void candidates_shortlist_free(
	const struct candidates *candidates, unsigned int depth, struct shortlist *ret_list);

#endif
