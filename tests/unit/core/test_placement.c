/* SPDX-License-Identifier: MIT */
/* Placement, one subflow after the other, against the best of all ways to place them at once. */
#include "core/placement.h"

#include "core/ports.h"

#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "../unit.h"

#define FABRICS      500
#define WAYS_MAX     16
#define SUBFLOWS_MAX 8
#define ROUTERS_MAX  64

/* The ways up a fabric are those from the root of a tree to its leaves. */
struct fabric {
	uint64_t random;
	struct router routers[ROUTERS_MAX];
	size_t n_routers, n_ways;
	struct path ways[WAYS_MAX];
	unsigned int ports[WAYS_MAX]; /* that are left on each */
};

/* The less the better, in this order. */
struct score {
	unsigned int same;                  /* pairs of subflows on one way */
	unsigned int tiers[PATH_TIERS_MAX]; /* pairs that pass one router */
};

static unsigned int draw(struct fabric *fabric, unsigned int below)
{
	return (ports_random(&fabric->random) >> 32) % below;
}

/* Uneven on purpose: a router that has died, a tier that is smaller on one side. */
static void grow(struct fabric *fabric, struct path way, unsigned int tier, unsigned int tiers)
{
	unsigned int children = 1 + draw(fabric, 3);

	if (tier == tiers) {
		if (fabric->n_ways < WAYS_MAX / 2)
			fabric->ways[fabric->n_ways++] = way;
		return;
	}
	for (unsigned int i = 0; i < children; i++) {
		way.tiers[tier] = &fabric->routers[fabric->n_routers++];
		grow(fabric, way, tier + 1, tiers);
	}
}

/* @fans[t] routers above each one of tier t - 1. */
static void build(struct fabric *fabric, const unsigned int *fans, struct path way,
	unsigned int tier, unsigned int tiers)
{
	if (tier == tiers) {
		fabric->ports[fabric->n_ways] = SUBFLOWS_MAX;
		fabric->ways[fabric->n_ways++] = way;
		return;
	}
	for (unsigned int i = 0; i < fans[tier]; i++) {
		way.tiers[tier] = &fabric->routers[fabric->n_routers++];
		build(fabric, fans, way, tier + 1, tiers);
	}
}

static unsigned int pairs(unsigned int count)
{
	return count * (count - 1) / 2;
}

static unsigned int count_passing(const struct fabric *fabric, const struct router *router,
	unsigned int tier, const unsigned int counts[WAYS_MAX])
{
	unsigned int passing = 0;

	for (size_t way = 0; way < fabric->n_ways; way++) {
		if (fabric->ways[way].tiers[tier] == router)
			passing += counts[way];
	}
	return passing;
}

static struct score judge(const struct fabric *fabric, const unsigned int counts[WAYS_MAX])
{
	struct score score = {};

	for (size_t way = 0; way < fabric->n_ways; way++)
		score.same += pairs(counts[way]);
	for (unsigned int tier = 0; tier < PATH_TIERS_MAX; tier++) {
		for (size_t i = 0; i < fabric->n_routers; i++)
			score.tiers[tier] +=
				pairs(count_passing(fabric, &fabric->routers[i], tier, counts));
	}
	return score;
}

static int compare(const struct score *a, const struct score *b)
{
	if (a->same != b->same)
		return a->same < b->same ? -1 : 1;
	for (unsigned int tier = 0; tier < PATH_TIERS_MAX; tier++) {
		if (a->tiers[tier] != b->tiers[tier])
			return a->tiers[tier] < b->tiers[tier] ? -1 : 1;
	}
	return 0;
}

/* Every way to place @left more on the ways from @way on. */
static void search(struct fabric *fabric, unsigned int counts[WAYS_MAX], size_t way,
	unsigned int left, struct score *best)
{
	unsigned int before = counts[way];
	struct score score;

	if (!left) {
		score = judge(fabric, counts);
		if (compare(&score, best) < 0)
			*best = score;
		return;
	}
	if (way == fabric->n_ways)
		return;
	for (unsigned int more = 0; more <= MIN(left, fabric->ports[way] - before); more++) {
		counts[way] = before + more;
		search(fabric, counts, way + 1, left - more, best);
	}
	counts[way] = before;
}

/* Places one more, with each free port a candidate; the way that it takes. */
static size_t place(
	struct fabric *fabric, unsigned int counts[WAYS_MAX], struct path *own, size_t n_own)
{
	struct path candidates[WAYS_MAX * SUBFLOWS_MAX];
	placement_rank rank;
	size_t n = 0, chosen;

	for (size_t way = 0; way < fabric->n_ways; way++) {
		for (unsigned int i = counts[way]; i < fabric->ports[way]; i++)
			candidates[n++] = fabric->ways[way];
	}
	chosen = placement_choose(candidates, n, own, n_own, &rank);
	own[n_own] = candidates[chosen];
	path_load(&own[n_own], false);
	for (size_t way = 0; way < fabric->n_ways; way++) {
		if (!memcmp(&fabric->ways[way], &candidates[chosen], sizeof(*candidates))) {
			counts[way]++;
			assert_int_equal(rank >= PLACEMENT_SAME, counts[way] > 1);
			return way;
		}
	}
	fail();
	return 0;
}

/* From the first subflow's way on, which nobody has chosen. */
static void place_all(
	struct fabric *fabric, size_t first, unsigned int subflows, unsigned int counts[WAYS_MAX])
{
	struct path own[SUBFLOWS_MAX] = {fabric->ways[first]};

	memset(counts, 0, WAYS_MAX * sizeof(*counts));
	counts[first] = 1;
	path_load(&own[0], false);
	for (unsigned int i = 1; i < subflows; i++)
		place(fabric, counts, own, i);
	for (unsigned int i = 0; i < subflows; i++)
		path_unload(&own[i], false);
}

static unsigned int count_ports(const struct fabric *fabric)
{
	unsigned int ports = 0;

	for (size_t way = 0; way < fabric->n_ways; way++)
		ports += fabric->ports[way];
	return ports;
}

static void no_other_choice_is_better(void **state)
{
	unsigned int counts[WAYS_MAX], others[WAYS_MAX];
	struct score score, best;
	struct fabric fabric;
	size_t first;

	(void)state;
	for (uint64_t seed = 1; seed <= FABRICS; seed++) {
		fabric = (struct fabric){.random = seed * 0x9e3779b97f4a7c15ull | 1};
		grow(&fabric, (struct path){}, draw(&fabric, 2), 3);
		for (size_t way = 0; way < fabric.n_ways; way++)
			fabric.ports[way] = 1 + draw(&fabric, 4);
		first = draw(&fabric, fabric.n_ways);
		for (unsigned int k = 2; k <= MIN(count_ports(&fabric), 6u); k++) {
			place_all(&fabric, first, k, counts);
			score = judge(&fabric, counts);
			memset(others, 0, sizeof(others));
			others[first] = 1;
			best = (struct score){.same = UINT32_MAX};
			search(&fabric, others, 0, k - 1, &best);
			assert_int_equal(compare(&score, &best), 0);
		}
	}
}

static void assert_balanced(const struct fabric *fabric, const unsigned int counts[WAYS_MAX])
{
	unsigned int least, most, passing;
	const struct router *router;

	for (unsigned int tier = 0; tier < PATH_TIERS_MAX; tier++) {
		least = UINT32_MAX;
		most = 0;
		for (size_t way = 0; way < fabric->n_ways; way++) {
			router = fabric->ways[way].tiers[tier];
			passing = router ? count_passing(fabric, router, tier, counts) : 0;
			least = MIN(least, passing);
			most = MAX(most, passing);
		}
		assert_in_range(most - least, 0, 1);
	}
}

/* Leaf-spines, fat-trees of k = 4 and 8, and hosts with two uplinks to these. */
static void every_tier_of_a_whole_fabric_is_balanced(void **state)
{
	static const struct {
		unsigned int first, tiers, fans[PATH_TIERS_MAX];
	} shapes[] = {{1, 3, {0, 1, 2}}, {1, 3, {0, 1, 4}}, {1, 3, {0, 1, 8}}, {1, 4, {0, 1, 2, 2}},
		{1, 4, {0, 1, 4, 4}}, {0, 3, {2, 1, 2}}, {0, 4, {2, 1, 2, 2}}};
	unsigned int counts[WAYS_MAX];
	struct fabric fabric;

	(void)state;
	for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++) {
		fabric = (struct fabric){};
		build(&fabric, shapes[s].fans, (struct path){}, shapes[s].first, shapes[s].tiers);
		for (unsigned int k = 1; k <= SUBFLOWS_MAX; k++) {
			place_all(&fabric, k % fabric.n_ways, k, counts);
			assert_balanced(&fabric, counts);
		}
	}
}

static void what_others_load_is_avoided_where_it_costs_nothing(void **state)
{
	static const unsigned int fans[] = {0, 1, 2, 2};
	unsigned int counts[WAYS_MAX] = {1};
	struct path own[SUBFLOWS_MAX], others[2];
	struct fabric fabric = {};

	(void)state;
	build(&fabric, fans, (struct path){}, 1, 4);
	own[0] = fabric.ways[0];
	path_load(&own[0], false);
	others[0] = fabric.ways[2];
	others[1] = fabric.ways[1];
	path_load(&others[0], false);
	path_load(&others[1], false);
	/* The other router first, and there the core that is free; then those that are not. */
	assert_int_equal(place(&fabric, counts, own, 1), 3);
	assert_int_equal(place(&fabric, counts, own, 2), 1);
	assert_int_equal(place(&fabric, counts, own, 3), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_other_choice_is_better),
		cmocka_unit_test(every_tier_of_a_whole_fabric_is_balanced),
		cmocka_unit_test(what_others_load_is_avoided_where_it_costs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
