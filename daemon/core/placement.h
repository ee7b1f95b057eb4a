/* SPDX-License-Identifier: MIT */
/* Judgement: which of several ways the next subflow of a connection takes. Pure. */
#ifndef SUBFLOW_PLACEMENT_H
#define SUBFLOW_PLACEMENT_H

#include "core/path.h"

#include <stddef.h>

/*
 * How little a candidate fits; the smaller is the better. In this order: how many of
 * the connection's subflows take the same way; at each tier, nearest first, how many
 * of them pass the same router; how many other subflows of this host do; how many
 * of connections that are not split. What is
 * below PLACEMENT_OTHERS is of the others, what is from PLACEMENT_SAME on of the same way.
 */
typedef uint64_t placement_rank;

#define PLACEMENT_OTHERS (1ull << 16)
#define PLACEMENT_SAME   (1ull << 56)

/*
 * The best of the @n candidates, the first one of equals, for a connection whose
 * subflows take the ways @own. @n must not be 0.
 */
size_t placement_choose(const struct path *candidates, size_t n, const struct path *own,
	size_t n_own, placement_rank *ret_rank);

#endif
