/* SPDX-License-Identifier: MIT */
/* A line of a recording, told to a plan. */
#include "feed.h"

#include "core/adoption.h"
#include "core/multihome.h"
#include "core/opening.h"
#include "core/order.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void feed_done(struct feed *feed)
{
	free(feed->rules);
	if (feed->has_begun)
		plan_done(&feed->plan);
}

static int complain(struct feed *feed, const char *what)
{
	feed->wrong = what;
	return -EINVAL;
}

static int take_settings(struct feed *feed, const struct line_settings *settings)
{
	struct plan *plan = &feed->plan;
	int err = 0;

	if (settings->max_subflows > SUBFLOWS_HARD_MAX ||
		settings->ndiffports > SUBFLOWS_HARD_MAX ||
		settings->elephant.max_subflows > SUBFLOWS_HARD_MAX)
		return complain(feed, "no connection can have so many subflows");
	if (!settings->elephant.step_bytes)
		return complain(feed, "the elephant rule has no step");
	if (!feed->has_begun)
		err = plan_init(plan, &settings->elephant, settings->max_subflows,
			settings->max_connections);
	if (err)
		return err;
	feed->has_begun = true;
	plan->rule = settings->elephant;
	plan->policy =
		(struct policy){.ndiffports = settings->ndiffports, .fullmesh = settings->fullmesh};
	plan->does_repair = settings->does_repair;
	plan->wants_owners = settings->wants_owners;
	plan->max_subflows = settings->max_subflows;
	plan->table.limit = settings->max_connections;
	plan->refusals.rule = plan->full.rule = settings->refusals;
	plan->in_vain.rule = settings->in_vain;
	plan->benefits.rule = settings->benefit;
	plan->aparts.rule = settings->apart;
	plan->brakes.rule = settings->brake;
	plan->lags.rule = settings->lag;
	plan->lasthops.rule = settings->lasthop;
	plan->quiets.rule = settings->quiet;
	plan->steer.mode = settings->placement;
	plan->steer.hold_ns = settings->shunned_ns;
	plan->steer.random = settings->random;
	return 0;
}

static void hand_over_rules(struct feed *feed)
{
	rules_set(&feed->plan, feed->rules, feed->n_rules);
	feed->rules = NULL;
	feed->n_rules = feed->rules_wanted = 0;
}

static int begin_rules(struct feed *feed, uint32_t count)
{
	if (count > RULES_MAX)
		return complain(feed, "these are more rules than there can be");
	if (!count) {
		hand_over_rules(feed);
		return 0;
	}
	feed->rules = calloc(count, sizeof(*feed->rules));
	if (!feed->rules)
		return -ENOMEM;
	feed->rules_wanted = count;
	return 0;
}

static int take_rule(struct feed *feed, const struct line_rule *line)
{
	struct rule *rule = &feed->rules[feed->n_rules];

	if (strlen(line->name) >= sizeof(rule->name))
		return complain(feed, "the name is too long");
	if (!line->rule.is_never && !line->rule.elephant.step_bytes)
		return complain(feed, "the rule has no step");
	*rule = line->rule;
	strcpy(rule->name, line->name);
	if (++feed->n_rules == feed->rules_wanted)
		hand_over_rules(feed);
	return 0;
}

static int take_way(struct feed *feed, struct path_map *map, const struct line_map *line,
	const struct path_port *way)
{
	struct path_table *table = &feed->plan.steer.paths;
	struct path_port *port;
	int err = -ENOENT;

	for (unsigned int tier = 0; tier < PATH_TIERS_MAX; tier++) {
		if (way->tiers[tier])
			err = path_learn(table, map, way->port, tier,
				&line->routers.list[way->tiers[tier] - 1].v6);
	}
	if (err == -ENOENT)
		err = path_port_seek(map, way->port);
	if (err)
		return err;
	port = path_port_find(map, way->port);
	port->is_taken = way->is_taken;
	port->is_sought = way->is_sought;
	port->is_refused = way->is_refused;
	port->rested_s = way->rested_s;
	return 0;
}

static bool is_whole(const struct line_map *line)
{
	bool is_whole = line->depth < PATH_TIERS_MAX && line->routers.count <= PATH_ROUTERS_MAX;

	for (unsigned int i = 0; is_whole && i < line->routers.count; i++)
		is_whole = line->routers.list[i].family == AF_INET6;
	for (unsigned int i = 0; is_whole && i < line->way.count; i++) {
		for (unsigned int tier = 0; tier < PATH_TIERS_MAX; tier++)
			is_whole &= line->way.ports[i].tiers[tier] <= line->routers.count;
	}
	return is_whole;
}

static int take_ports(struct feed *feed, const struct line_ports *line)
{
	if (!line->ports.low || line->ports.low > line->ports.high)
		return complain(feed, "there is no port from low to high");
	return steer_set_ports(&feed->plan.steer, line->netns, &line->ports, feed->plan.now_ns);
}

static int take_map(struct feed *feed, const struct line_map *line)
{
	struct path_key key = path_key_of(line->netns, &line->local, &line->remote);
	struct path_map *map;
	int err = 0;

	if (!is_whole(line))
		return complain(feed, "there is no such router, or hop");
	map = path_table_get(&feed->plan.steer.paths, &key);
	if (!map)
		return -ENOMEM;
	path_map_reset(map);
	for (unsigned int i = 0; i < line->way.count && !err; i++)
		err = take_way(feed, map, line, &line->way.ports[i]);
	map->state = line->state;
	snprintf(map->why, sizeof(map->why), "%s", line->why);
	map->learned_ns = line->learned_ns;
	map->confirmed_ns = line->confirmed_ns;
	map->hops = line->hops;
	map->depth = line->depth;
	map->is_tangled = line->is_tangled;
	map->is_thorough = line->is_thorough;
	map->is_partial = line->is_partial;
	return err;
}

static void order(struct feed *feed, enum line_kind kind, const struct line_call *call)
{
	struct conn_key key = {.netns = call->netns, .token = call->token};
	struct conn *conn = conn_find(&feed->plan.table, &key);
	const char *why;

	if (conn && kind == LINE_ADD)
		order_add(&feed->plan, conn, call->count, call->now_ns, &why);
	else if (conn)
		order_remove(&feed->plan, conn, call->count, call->now_ns, &why);
}

int feed_line(struct feed *feed, const struct line *line)
{
	const struct line_call *call = &line->call;
	struct plan *plan = &feed->plan;

	if (line->kind == LINE_SETTINGS)
		return take_settings(feed, &line->settings);
	if (!feed->has_begun)
		return complain(feed, "the settings are missing, which come first");
	if (feed->rules_wanted && line->kind != LINE_RULE)
		return complain(feed, "a rule is missing");
	switch (line->kind) {
	case LINE_RULES:
		return begin_rules(feed, call->count);
	case LINE_RULE:
		if (!feed->rules_wanted)
			return complain(feed, "this rule is one too many");
		return take_rule(feed, &line->rule);
	case LINE_PORTS:
		return take_ports(feed, &line->ports);
	case LINE_MAP:
		return take_map(feed, &line->map);
	case LINE_HEAR:
		plan_hear(plan, &line->event);
		break;
	case LINE_TICK:
		plan_tick(plan, call->now_ns);
		break;
	case LINE_LIST:
		adoption_begin(plan, call->netns);
		break;
	case LINE_LISTED:
		adoption_end(plan, call->netns);
		break;
	case LINE_ADDRESSES:
		multihome_hear(plan, call->netns,
			&(struct multihome_change){.gone = call->gone.list,
				.n_gone = call->gone.count,
				.usable = call->usable.list,
				.n_usable = call->usable.count});
		break;
	case LINE_ADD:
	case LINE_REMOVE:
		order(feed, line->kind, call);
		break;
	case LINE_END:
		plan_forget_netns(plan, call->netns);
		break;
	case LINE_LIMITS:
		opening_run_all(plan, call->now_ns);
		break;
	case LINE_ENDING:
		quiet_end(plan, call->now_ns);
		break;
	case LINE_FULL:
		feed->is_full = true;
		break;
	case LINE_SETTINGS:
	case LINE_DO:
	case LINE_REST:
		break;
	}
	return 0;
}

int feed_end(struct feed *feed)
{
	if (!feed->has_begun)
		return complain(feed, "the settings are missing");
	return feed->rules_wanted ? complain(feed, "a rule is missing") : 0;
}
