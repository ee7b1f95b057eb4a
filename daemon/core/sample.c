/* SPDX-License-Identifier: MIT */
/* Judgement: flows are sampled until a further way would have been seen. */
#include "sample.h"

#include "core/volley.h"
#include "core/walk.h"

#include <errno.h>
#include <sys/param.h>

#define FLOWS_FIRST 8
/* Where packets are spread over two ways, or a router has two addresses, one agrees in two. */
#define AGAIN 7

/* How many may be under way: each hop that is asked finds a slot. */
static unsigned int find_room(const struct survey *survey)
{
	return survey->phase == SURVEY_HOPS ? SURVEY_WINDOW - SURVEY_HOPS_MAX : SURVEY_WINDOW;
}

/* What this survey has found out itself is in no doubt. */
static bool is_doubted(const struct survey *survey, const struct path_port *port)
{
	return survey->is_further && survey->phase != SURVEY_VERIFY && port->is_sought &&
	       path_is_known(survey->map, port);
}

void sample_subflows(struct survey *survey)
{
	struct path_map *map = survey->map;
	struct path_port *port;

	for (port = map->ports; port < map->ports + map->n_ports; port++) {
		if (volley_count(survey, -1) >= find_room(survey))
			return;
		if (volley_has(survey, port->port))
			continue;
		if (path_is_sought(map, port)) {
			volley_add(survey, PURPOSE_OWN, port->port, map->depth);
		} else if (is_doubted(survey, port)) {
			port->is_sought = false;
			volley_add(survey, PURPOSE_SAME, port->port, map->depth);
		}
	}
}

uint16_t sample_draw_port(struct survey *survey)
{
	uint16_t port;

	for (unsigned int i = 0; i < 4 * PATH_PORTS_MAX; i++) {
		port = ports_draw(survey->ports, ports_random(&survey->random) >> 16);
		if (!port)
			break;
		if (!path_port_find(survey->map, port) && !volley_has(survey, port))
			return port;
	}
	return 0;
}

/* By the rule alone. */
static unsigned int count_sure(const struct survey *survey)
{
	const struct path_map *map = survey->map;
	unsigned int needed = FLOWS_FIRST, seen, paths = 0;

	for (unsigned int tier = 0; tier <= map->depth; tier++) {
		paths = path_count(map, tier, &seen);
		needed = MAX(needed,
			survey->is_thorough ? path_flows_sure(paths) : path_flows_enough(paths));
	}
	if (!survey->is_thorough && survey->prefix->is_verified && survey->prefix->paths &&
		paths >= survey->prefix->paths)
		needed = MIN(needed, 2 * paths);
	return MIN(needed, PATH_PORTS_MAX);
}

unsigned int sample_count_needed(const struct survey *survey)
{
	return MIN(MAX(count_sure(survey), survey->least_flows), PATH_PORTS_MAX);
}

bool sample_is_sure(const struct survey *survey)
{
	unsigned int seen;

	path_count(survey->map, survey->map->depth, &seen);
	return seen >= count_sure(survey);
}

/* What was asked at a nearer tier, when less was known, comes first. */
static uint16_t choose_port(struct survey *survey)
{
	const struct path_map *map = survey->map;
	const struct path_port *port;

	for (unsigned int i = 0; i < map->n_ports; i++) {
		port = &map->ports[i];
		if (!port->is_taken && !path_is_known(map, port) && !volley_has(survey, port->port))
			return port->port;
	}
	return sample_draw_port(survey);
}

void sample_flows(struct survey *survey)
{
	unsigned int seen, needed = sample_count_needed(survey), under_way;
	uint16_t port;

	if (survey->is_full)
		return;
	path_count(survey->map, survey->map->depth, &seen);
	under_way = volley_count(survey, PURPOSE_FLOW) + volley_count(survey, PURPOSE_OWN);
	for (; seen + under_way < needed && volley_count(survey, -1) < find_room(survey);
		under_way++) {
		port = choose_port(survey);
		if (!port)
			return;
		volley_add(survey, PURPOSE_FLOW, port, survey->map->depth);
	}
}

/* Routers nearer than the deciding one: asked for the first two ports that meet there. */
static void queue_fill(struct survey *survey, const struct path_port *port)
{
	const struct path_map *map = survey->map;
	unsigned int alike = 0;

	for (unsigned int i = 0; i < map->n_ports; i++)
		alike += map->ports[i].tiers[map->depth] == port->tiers[map->depth];
	if (alike > 2 && !map->is_tangled)
		return;
	for (unsigned int tier = 2; tier < map->depth; tier++) {
		if (!port->tiers[tier])
			volley_add(survey, PURPOSE_FILL, port->port, tier);
	}
}

unsigned int sample_count_again(const struct survey *survey)
{
	unsigned int seen;

	return path_count(survey->map, survey->map->depth, &seen) > 1 ? AGAIN : 0;
}

const char *sample_find_doubt(const struct survey *survey)
{
	const struct path_map *map = survey->map;
	uint8_t hops = MAX(map->hops, survey->back_hops);
	unsigned int seen;

	for (unsigned int tier = 0; tier <= map->depth; tier++) {
		if (path_count(map, tier, &seen) > 1)
			return NULL;
	}
	if (map->depth != walk_find_middle(hops) && !survey->is_nearer)
		return WALK_NO_MIDDLE;
	return hops % 2 ? NULL : "a tunnel may hide the ways there";
}

/* Until when the way of a port is avoided, since it has failed; 0: its way is not known. */
static uint64_t held_until_ns(const struct path_map *map, const struct path_port *port)
{
	struct path path = path_of(map, port);

	return path_is_known(map, port) ? path_shunned_until_ns(&path) : 0;
}

bool sample_has_failed(const struct path_map *map, uint64_t now_ns)
{
	for (unsigned int i = 0; i < map->n_ports; i++) {
		if (held_until_ns(map, &map->ports[i]) > now_ns)
			return true;
	}
	return false;
}

/*
 * On a way that has failed since it was confirmed, and may be taken again. Until then nobody needs
 * to know, and its silence says nothing of the others.
 */
static const struct path_port *find_doubtful(const struct path_map *map, uint64_t now_ns)
{
	const struct path_port *port;
	uint64_t until_ns;

	for (unsigned int i = 0; i < map->n_ports; i++) {
		port = &map->ports[i];
		until_ns = held_until_ns(map, port);
		if (until_ns > map->confirmed_ns && until_ns <= now_ns)
			return port;
	}
	return NULL;
}

bool sample_is_doubtful(const struct path_map *map, uint64_t now_ns)
{
	return find_doubtful(map, now_ns);
}

/* NULL: no port's way is known, but for those that are avoided. */
static const struct path_port *draw_known(struct survey *survey, uint64_t now_ns)
{
	const struct path_map *map = survey->map;
	unsigned int first = ports_random(&survey->random) % MAX(map->n_ports, 1);
	const struct path_port *port;

	for (unsigned int i = 0; i < map->n_ports; i++) {
		port = &map->ports[(first + i) % map->n_ports];
		if (path_is_known(map, port) && held_until_ns(map, port) <= now_ns)
			return port;
	}
	return NULL;
}

void sample_again(struct survey *survey, uint64_t now_ns)
{
	struct path_map *map = survey->map;
	const struct path_port *port;

	for (; survey->n_same; survey->n_same--) {
		port = survey->phase == SURVEY_CONFIRM ? find_doubtful(map, now_ns) : NULL;
		if (!port)
			port = draw_known(survey, now_ns);
		if (!port)
			break;
		volley_add(survey, PURPOSE_SAME, port->port, map->depth);
	}
	survey->n_same = 0;
}

void sample_spread_first(struct survey *survey, struct path_port *port)
{
	const struct path_map *map = survey->map;

	for (unsigned int i = 0; !port->tiers[1] && i < map->n_ports; i++)
		port->tiers[1] = map->ports[i].tiers[1];
}

void sample_hear_again(struct survey *survey, const struct survey_probe *probe,
	const struct in6_addr *address, uint64_t now_ns)
{
	struct path_map *map = survey->map;
	const struct path_port *port = path_port_find(map, probe->port);
	const struct router *router;

	if (!port || !path_is_known(map, port))
		return;
	router = map->routers[port->tiers[map->depth] - 1];
	if (IN6_ARE_ADDR_EQUAL(&router->key.address, address))
		return;
	if (survey->phase != SURVEY_VERIFY)
		survey_begin_anew(survey);
	else
		survey_refuse(survey, "ports do not decide the way there", now_ns);
}

void sample_hear(
	struct survey *survey, const struct survey_slot *slot, const struct in6_addr *address)
{
	const struct survey_probe *probe = &slot->probe;
	struct path_map *map = survey->map;
	struct path_port *port;
	int err = path_learn(survey->table, map, probe->port, probe->ttl, address);

	survey->is_full |= err == -ENOSPC;
	if (err)
		return;
	port = path_port_find(map, probe->port);
	if (!survey->has_uplinks)
		sample_spread_first(survey, port);
	survey->has_news = true;
	if (slot->purpose == PURPOSE_OWN)
		port->is_sought = false;
	if (probe->ttl == map->depth)
		queue_fill(survey, port);
}
