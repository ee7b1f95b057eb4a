/* SPDX-License-Identifier: MIT */
/* Judgement: which of several ways the next subflow of a connection takes. */
#include "placement.h"

#include <sys/param.h>

#define LIGHT_BITS 5 /* of the rank of others */

/* How many of the connection's subflows pass each router is noted in the routers, for as long. */
static void count_own(const struct path *own, size_t n_own, uint32_t more)
{
	struct router *router;

	for (size_t i = 0; i < n_own; i++) {
		for (unsigned int tier = 0; tier < PATH_TIERS_MAX; tier++) {
			router = own[i].tiers[tier];
			if (router)
				router->own = more ? router->own + more : 0;
		}
	}
}

/* The deepest router is looked at first: most ways differ there. */
static bool is_same(const struct path *a, const struct path *b)
{
	for (unsigned int tier = PATH_TIERS_MAX; tier-- > 0;) {
		if (a->tiers[tier] != b->tiers[tier])
			return false;
	}
	return true;
}

static placement_rank judge(const struct path *candidate, const struct path *own, size_t n_own)
{
	placement_rank rank = 0;
	uint32_t same = 0, others = 0, light = 0, deepest = 0;
	const struct router *router;

	for (unsigned int tier = 0; tier < PATH_TIERS_MAX; tier++) {
		router = candidate->tiers[tier];
		rank <<= 8;
		if (!router)
			continue;
		deepest = router->own;
		/* As if one more of this host took it. */
		others += router->load - MIN(router->load, router->own) + router->is_contended;
		light += router->light;
		rank |= MIN(deepest, UINT8_MAX);
	}
	for (size_t i = 0; deepest && i < n_own; i++)
		same += is_same(candidate, &own[i]);
	return MIN(same, UINT8_MAX) * PLACEMENT_SAME | rank * PLACEMENT_OTHERS |
	       MIN(others, UINT16_MAX >> LIGHT_BITS) << LIGHT_BITS |
	       MIN(light, (1u << LIGHT_BITS) - 1);
}

size_t placement_choose(const struct path *candidates, size_t n, const struct path *own,
	size_t n_own, placement_rank *ret_rank)
{
	placement_rank rank, best_rank = UINT64_MAX;
	size_t best = 0;

	count_own(own, n_own, 1);
	for (size_t i = 0; i < n; i++) {
		rank = judge(&candidates[i], own, n_own);
		if (rank >= best_rank)
			continue;
		best = i;
		best_rank = rank;
	}
	count_own(own, n_own, 0);
	*ret_rank = best_rank;
	return best;
}
