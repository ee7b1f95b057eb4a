/* SPDX-License-Identifier: MIT */
/* Judgement: the subflows that every connection gets from its start. */
#ifndef SUBFLOW_POLICY_H
#define SUBFLOW_POLICY_H

#include <stdint.h>

struct policy {
	uint32_t ndiffports; /* in all, between the addresses of the first subflow; 1 = just that */
};

/* How many more subflows a connection gets at its start that has @subflows, asked for included. */
uint32_t policy_decide(const struct policy *policy, uint32_t subflows);

#endif
