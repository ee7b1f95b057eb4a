/* SPDX-License-Identifier: MIT */
/* Judgement: the subflows that every connection gets from its start. */
#include "policy.h"

uint32_t policy_decide(const struct policy *policy, uint32_t subflows)
{
	return policy->ndiffports > subflows ? policy->ndiffports - subflows : 0;
}
