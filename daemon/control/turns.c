/* SPDX-License-Identifier: MIT */
/* How much of the daemon's time the questions of one user take. */
#include "turns.h"

#include <sys/param.h>

#define REST_TIMES 9 /* of its cost: a tenth of the time at most */

static const struct turn *find(const struct turns *turns, uint32_t uid)
{
	for (size_t i = 0; i < turns->count; i++) {
		if (turns->list[i].uid == uid)
			return &turns->list[i];
	}
	return NULL;
}

uint64_t turns_due_ns(const struct turns *turns, uint32_t uid, uint64_t now_ns)
{
	const struct turn *turn = find(turns, uid);

	return turn && turn->until_ns > now_ns ? turn->until_ns : 0;
}

static struct turn *find_place(struct turns *turns, uint32_t uid, uint64_t now_ns)
{
	struct turn *turn = (struct turn *)find(turns, uid);

	if (turn)
		return turn;
	if (turns->count < TURNS_MAX)
		return &turns->list[turns->count++];
	turn = &turns->list[0];
	for (size_t i = 1; i < turns->count; i++) {
		if (turns->list[i].until_ns < turn->until_ns)
			turn = &turns->list[i];
	}
	turns->displaced += turn->until_ns > now_ns;
	return turn;
}

uint64_t turns_after_ns(uint64_t until_ns, uint64_t cost_ns, uint64_t now_ns)
{
	return MAX(until_ns, now_ns) + REST_TIMES * cost_ns;
}

void turns_spend(struct turns *turns, uint32_t uid, uint64_t cost_ns, uint64_t now_ns)
{
	struct turn *turn = find_place(turns, uid, now_ns);

	if (turn->uid != uid)
		*turn = (struct turn){.uid = uid};
	turn->until_ns = turns_after_ns(turn->until_ns, cost_ns, now_ns);
}
