/* SPDX-License-Identifier: MIT */
/* Judgement: whether one more subflow of a connection may be given up and replaced. */
#ifndef SUBFLOW_REPAIR_H
#define SUBFLOW_REPAIR_H

#include <stdbool.h>
#include <stdint.h>

/* A connection on flapping links is left to the kernel after this many repairs in the time. */
#define REPAIR_MOST      8
#define REPAIR_WINDOW_NS 10000000000ull

struct repair_budget {
	uint64_t since_ns; /* when the window began, CLOCK_MONOTONIC */
	uint32_t spent;    /* in it */
};

/* Takes one repair from the budget; false when there is none left. */
bool repair_allow(struct repair_budget *budget, uint64_t now_ns);

#endif
