/* SPDX-License-Identifier: MIT */
/* Judgement: the elephant rule. */
#include "elephant.h"

uint32_t elephant_decide(
	const struct elephant_rule *rule, uint64_t bytes, uint32_t subflows, const char **ret_why)
{
	if (bytes < rule->start_bytes) {
		*ret_why = "it is not an elephant yet";
		return 0;
	}
	if (bytes >= rule->stop_bytes) {
		*ret_why = "it has passed stop";
		return 0;
	}
	if (subflows >= rule->max_subflows) {
		*ret_why = "it has max_subflows";
		return 0;
	}
	*ret_why = "one more subflow";
	return 1;
}
