/* SPDX-License-Identifier: MIT */
/* How much of the daemon's time the questions of one user take. */
#ifndef SUBFLOW_TURNS_H
#define SUBFLOW_TURNS_H

#include <stddef.h>
#include <stdint.h>

#define TURNS_MAX 64 /* users */

struct turns {
	struct turn {
		uint32_t uid;
		uint64_t until_ns; /* CLOCK_MONOTONIC; the user has to wait for so long */
	} list[TURNS_MAX];
	size_t count;
	uint64_t displaced; /* users who had to wait still */
};

/* From when on a question of this user may be answered; 0 = at once. */
uint64_t turns_due_ns(const struct turns *turns, uint32_t uid, uint64_t now_ns);

/* Until when whoever took @cost_ns has to wait, who had to wait until @until_ns already. */
uint64_t turns_after_ns(uint64_t until_ns, uint64_t cost_ns, uint64_t now_ns);

/* This user has taken @cost_ns. A table that is full forgets who has to wait the least. */
void turns_spend(struct turns *turns, uint32_t uid, uint64_t cost_ns, uint64_t now_ns);

#endif
