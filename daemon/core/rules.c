/* SPDX-License-Identifier: MIT */
/* Judgement: which of the operator's rules is a connection's. */
#include "rules.h"

#include "core/plan.h"

#include <stdlib.h>

static bool has_address(const struct prefixes *prefixes, const struct endpoint *endpoint)
{
	struct in6_addr address = endpoint->v6;

	if (endpoint->family == AF_INET)
		address =
			(struct in6_addr){.s6_addr32 = {0, 0, htonl(0xffff), endpoint->v4.s_addr}};
	return prefixes_has(prefixes, &address);
}

static bool is_match(const struct rule *rule, const struct conn *conn)
{
	if (rule->has_uid && (!conn->has_uid || rule->uid != conn->uid))
		return false;
	if (rule->has_local && !has_address(&rule->local, &conn->local))
		return false;
	if (rule->has_remote && !has_address(&rule->remote, &conn->remote))
		return false;
	return !rule->port || rule->port == conn->remote.port;
}

/* -1: none matches. */
static int find_match(const struct rules *rules, const struct conn *conn)
{
	for (uint32_t i = 0; i < rules->count; i++) {
		if (!(conn->excluded >> i & 1) && is_match(&rules->list[i], conn))
			return i;
	}
	return -1;
}

static const struct rule *find(const struct plan *plan, const struct conn *conn)
{
	return conn->rule && conn->rule <= plan->rules.count ? &plan->rules.list[conn->rule - 1]
							     : NULL;
}

const struct elephant_rule *rules_of(const struct plan *plan, const struct conn *conn)
{
	static const struct elephant_rule never = {
		.start_bytes = START_NEVER, .step_bytes = 1, .stop_bytes = 0, .max_subflows = 1};
	const struct rule *rule = find(plan, conn);

	if (!rule)
		return &plan->rule;
	return rule->is_never ? &never : &rule->elephant;
}

const struct elephant_rule *rules_earliest(const struct plan *plan)
{
	const struct elephant_rule *earliest = &plan->rule;
	const struct rule *rule;

	for (uint32_t i = 0; i < plan->rules.count; i++) {
		rule = &plan->rules.list[i];
		if (!rule->is_never && rule->elephant.start_bytes < earliest->start_bytes)
			earliest = &rule->elephant;
	}
	return earliest;
}

bool rules_is_never(const struct plan *plan, const struct conn *conn)
{
	const struct rule *rule = find(plan, conn);

	return rule && rule->is_never;
}

const char *rules_name(const struct plan *plan, const struct conn *conn)
{
	const struct rule *rule = find(plan, conn);

	return rule ? rule->name : NULL;
}

void rules_apply(struct plan *plan, struct conn *conn)
{
	const struct elephant_rule *elephant;
	struct action *action;

	conn->rule = find_match(&plan->rules, conn) + 1;
	if (!plan->rules.count || conn->is_server)
		return;
	elephant = rules_of(plan, conn);
	if (rules_is_never(plan, conn)) {
		conn_drop_elephant(conn);
		conn->wanted_policy = 0;
		conn_say(conn, "not split: rule %s says never", rules_name(plan, conn));
	}
	action = actions_add(&plan->actions, ACTION_RULE, conn);
	if (!action)
		return;
	conn->has_rule = true;
	action->rule = (struct conn_rule){.start = elephant->start_bytes,
		.step = elephant->step_bytes,
		.stop = elephant->stop_bytes,
		.backlog = elephant->backlog_bytes};
}

void rules_set(struct plan *plan, struct rule *list, uint32_t count)
{
	struct conn *conn, *next;

	free(plan->rules.list);
	plan->rules = (struct rules){.list = list, .count = count};
	tape_rules(plan);
	HASH_ITER (hh, plan->table.conns, conn, next)
		conn->rule = 0;
}
