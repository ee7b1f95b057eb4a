/* SPDX-License-Identifier: MIT */
/* Judgement: whether one more subflow of a connection may be given up and replaced. */
#include "repair.h"

bool repair_allow(struct repair_budget *budget, uint64_t now_ns)
{
	if (!budget->spent || now_ns - budget->since_ns >= REPAIR_WINDOW_NS)
		*budget = (struct repair_budget){.since_ns = now_ns};
	if (budget->spent >= REPAIR_MOST)
		return false;
	budget->spent++;
	return true;
}
