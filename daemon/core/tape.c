/* SPDX-License-Identifier: MIT */
/* What the plan is told and what it wants done, line by line. */
#include "tape.h"

#include "core/plan.h"

#include <stdio.h>
#include <string.h>

/* Whether what is in @scratch is not what was noted last; then it is, from now on. */
static bool is_news(struct tape *tape, struct text *noted)
{
	if (!strcmp(text_of(&tape->scratch), text_of(noted)))
		return false;
	text_clear(noted);
	text_add(noted, "%s", text_of(&tape->scratch));
	return true;
}

static void note_settings(struct tape *tape, const struct plan *plan)
{
	struct line_settings settings = {.elephant = plan->rule,
		.ndiffports = plan->policy.ndiffports,
		.fullmesh = plan->policy.fullmesh,
		.does_repair = plan->does_repair,
		.wants_owners = plan->wants_owners,
		.max_subflows = plan->max_subflows,
		.max_connections = plan->table.limit,
		.refusals = plan->refusals.rule,
		.in_vain = plan->in_vain.rule,
		.benefit = plan->benefits.rule,
		.apart = plan->aparts.rule,
		.brake = plan->brakes.rule,
		.lag = plan->lags.rule,
		.lasthop = plan->lasthops.rule,
		.quiet = plan->quiets.rule,
		.placement = plan->steer.mode,
		.shunned_ns = plan->steer.hold_ns};

	text_clear(&tape->scratch);
	line_write(&tape->scratch, LINE_SETTINGS, &settings);
	if (!is_news(tape, &tape->settings))
		return;
	/* It moves with each port that is drawn, here as in a replay. */
	settings.random = plan->steer.random;
	line_write(&tape->text, LINE_SETTINGS, &settings);
}

static void note_rules(struct tape *tape, const struct plan *plan)
{
	struct line_call call = {.count = plan->rules.count};
	struct line_rule line;

	text_clear(&tape->scratch);
	line_write(&tape->scratch, LINE_RULES, &call);
	for (uint32_t i = 0; i < plan->rules.count; i++) {
		line.rule = plan->rules.list[i];
		snprintf(line.name, sizeof(line.name), "%s", line.rule.name);
		line_write(&tape->scratch, LINE_RULE, &line);
	}
	if (is_news(tape, &tape->rules))
		text_add(&tape->text, "%s", text_of(&tape->scratch));
}

static void note_ports(struct tape *tape, struct steer_ports *known)
{
	struct line_ports ports = {.netns = known->netns, .ports = known->ports};

	known->is_changed = false;
	line_write(&tape->text, LINE_PORTS, &ports);
}

static void note_map(struct tape *tape, struct path_map *map)
{
	struct endpoint routers[PATH_ROUTERS_MAX] = {};
	struct line_map line = {.netns = map->key.netns,
		.local = path_endpoint(&map->key.local, 0),
		.remote = path_endpoint(&map->key.remote, map->key.remote_port),
		.state = map->state,
		.learned_ns = map->learned_ns,
		.confirmed_ns = map->confirmed_ns,
		.hops = map->hops,
		.depth = map->depth,
		.is_tangled = map->is_tangled,
		.is_thorough = map->is_thorough,
		.is_partial = map->is_partial,
		.routers = {.list = routers, .count = map->n_routers},
		.way.count = map->n_ports};

	map->is_changed = false;
	snprintf(line.why, sizeof(line.why), "%s", map->why);
	memcpy(line.way.ports, map->ports, map->n_ports * sizeof(*map->ports));
	for (unsigned int i = 0; i < map->n_routers; i++)
		routers[i] =
			(struct endpoint){.family = AF_INET6, .v6 = map->routers[i]->key.address};
	line_write(&tape->text, LINE_MAP, &line);
}

/* What others have put where the plan will find it. */
static struct tape *prepare(struct plan *plan)
{
	struct steer_ports *ports, *next_ports;
	struct tape *tape = plan->tape;
	struct path_map *map, *next;

	if (!tape)
		return NULL;
	tape->is_resting = false;
	note_settings(tape, plan);
	note_rules(tape, plan);
	HASH_ITER (hh, plan->steer.ports, ports, next_ports) {
		if (ports->is_changed)
			note_ports(tape, ports);
	}
	HASH_ITER (hh, plan->steer.paths.maps, map, next) {
		if (map->is_changed)
			note_map(tape, map);
	}
	return tape;
}

void tape_begin(struct tape *tape, struct plan *plan, const char *program)
{
	plan->tape = tape;
	line_write_header(&tape->text, program);
	note_settings(tape, plan);
	note_rules(tape, plan);
	tape->is_resting = true;
}

void tape_done(struct tape *tape)
{
	text_done(&tape->text);
	text_done(&tape->settings);
	text_done(&tape->rules);
	text_done(&tape->scratch);
}

void tape_hear(struct plan *plan, const struct event *event)
{
	struct tape *tape = prepare(plan);

	if (tape)
		line_write(&tape->text, LINE_HEAR, event);
}

void tape_call(struct plan *plan, enum line_kind kind, struct line_call call)
{
	struct tape *tape = prepare(plan);

	if (tape)
		line_write(&tape->text, kind, &call);
}

void tape_rules(struct plan *plan)
{
	if (plan->tape)
		text_clear(&plan->tape->rules);
	prepare(plan);
}

void tape_act(struct plan *plan, const struct action *action)
{
	static const struct line_call none;
	struct tape *tape = plan->tape;

	if (!tape || (!action && tape->is_resting))
		return;
	tape->is_resting = !action;
	if (action)
		line_write(&tape->text, LINE_DO, action);
	else
		line_write(&tape->text, LINE_REST, &none);
}
