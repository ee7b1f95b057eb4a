/* SPDX-License-Identifier: MIT */
/* Judgement: how far it is, hop by hop, and where the ways part. */
#include "walk.h"

#include "core/sample.h"
#include "core/volley.h"

#include <sys/param.h>

/* At once: as many as the smallest fabric has whose ways part. */
#define HOPS_FIRST 3

/* Silence is the destination, or a router that says nothing: the hop after it tells. */
#define HOPS_AHEAD 2

/* So many flows more are followed, where what is silent may be the way of the first one. */
#define TURNS_MAX 1

uint8_t walk_find_middle(uint8_t hops)
{
	return MIN(hops / 2 + 1, PATH_TIERS_MAX - 1);
}

uint8_t walk_count_passed(uint8_t ttl)
{
	/* What systems begin with. */
	static const uint8_t first[] = {64, 128, 255};

	for (unsigned int i = 0; ttl && i < sizeof(first); i++) {
		if (ttl <= first[i])
			return first[i] - ttl;
	}
	return 0;
}

/* The deciding tier, near the middle of the way, where the first flow had an answer. */
static uint8_t choose_depth(const struct survey *survey)
{
	const struct path_port *first = path_port_find(survey->map, survey->hop_port);
	uint8_t hops = survey->map->hops, middle = walk_find_middle(hops);

	if (!first)
		return 0;
	if (first->tiers[middle])
		return middle;
	if (middle + 1 < PATH_TIERS_MAX && middle < hops && first->tiers[middle + 1])
		return middle + 1;
	return first->tiers[middle - 1] ? middle - 1 : 0;
}

/* One that does not answer in the middle may do so the next time: it is walked there again. */
static void note_prefix(struct survey *survey, uint64_t now_ns)
{
	const struct path_map *map = survey->map;

	if (map->depth != walk_find_middle(map->hops) || (map->hops == 1 && survey->back_hops > 1))
		return;
	survey->prefix->hops = map->hops;
	survey->prefix->depth = map->depth;
	survey->prefix->learned_ns = now_ns;
}

/* On a flow that is there already: no new one appears to anything on the way. */
static uint16_t draw_first_port(struct survey *survey)
{
	for (unsigned int i = 0; i < survey->map->n_ports; i++) {
		if (survey->map->ports[i].is_sought)
			return survey->map->ports[i].port;
	}
	return sample_draw_port(survey);
}

static void ask_hop(struct survey *survey, uint8_t ttl)
{
	if (volley_find_hop(survey, ttl))
		return;
	survey->asked_ttl = MAX(survey->asked_ttl, ttl);
	volley_add(survey, PURPOSE_HOP, survey->hop_port, ttl);
}

/*
 * Whether the way there is as long as the one that the peer's packets have come. That may be
 * another one, of another port, or made to look shorter: so one more router is asked, and if it
 * answers this is not believed. Neither is one that is shorter than the smallest fabric.
 */
static bool is_as_far_as_back(const struct survey *survey)
{
	return survey->back_hops >= HOPS_FIRST && survey->heard_ttl <= survey->back_hops;
}

bool walk_is_beyond(const struct survey *survey, uint8_t ttl)
{
	return is_as_far_as_back(survey) && ttl > survey->back_hops;
}

/* The farthest to be asked. */
static uint8_t find_last(const struct survey *survey)
{
	uint8_t heard = survey->heard_ttl;
	uint8_t last = MIN(MAX(heard + HOPS_AHEAD, HOPS_FIRST), SURVEY_HOPS_MAX);

	return is_as_far_as_back(survey) ? MIN(last, survey->back_hops + 1) : last;
}

/* The next one again, if it was given up before the one that has answered now. */
static void ask_ahead(struct survey *survey)
{
	uint8_t last = find_last(survey);

	for (uint8_t ttl = survey->heard_ttl + 1; ttl <= last; ttl++) {
		if (ttl == survey->heard_ttl + 1 || ttl > survey->asked_ttl)
			ask_hop(survey, ttl);
	}
}

/*
 * The middle of a way that is as long as the one that the peer's packets have come is farther: the
 * flow's own may be dead, and those of others not.
 */
static bool is_cut_short(const struct survey *survey)
{
	uint8_t heard = survey->heard_ttl;

	return heard && is_as_far_as_back(survey) && survey->back_hops <= SURVEY_HOPS_MAX &&
	       walk_find_middle(heard) < walk_find_middle(survey->back_hops);
}

/* Another flow is followed. */
static bool turn(struct survey *survey)
{
	uint16_t port;

	if (!is_cut_short(survey) || survey->n_turns == TURNS_MAX)
		return false;
	port = sample_draw_port(survey);
	if (!port)
		return false;
	survey->n_turns++;
	survey->hop_port = port;
	survey->heard_ttl = survey->asked_ttl = 0;
	survey->n_late = 0;
	ask_ahead(survey);
	return true;
}

static void end_hops(struct survey *survey, uint64_t now_ns)
{
	struct path_map *map = survey->map;
	uint8_t hops = survey->heard_ttl;
	const char *doubt;

	if (turn(survey))
		return;
	if (!hops) {
		survey_refuse(survey, "no router on the way answers", now_ns);
		return;
	}
	survey->has_walked = true;
	map->hops = hops;
	path_map_deepen(map, choose_depth(survey));
	map->is_changed = true;
	if (!map->depth) {
		survey_refuse(survey, WALK_NO_MIDDLE, now_ns);
		return;
	}
	note_prefix(survey, now_ns);
	survey_begin(survey, SURVEY_FLOWS);
	if (hops > 1 || survey->has_uplinks)
		return;
	for (unsigned int i = 0; i < map->n_ports; i++)
		sample_spread_first(survey, &map->ports[i]);
	doubt = sample_find_doubt(survey);
	if (doubt)
		survey_refuse(survey, doubt, now_ns);
	else
		survey_finish(survey, now_ns);
}

/*
 * Silence takes long to be sure of. Ways that are different in the middle of what has answered
 * are different ones, however far it is: they are looked for meanwhile, and may be taken.
 */
static void guess_depth(struct survey *survey)
{
	const struct path_port *first = path_port_find(survey->map, survey->hop_port);
	uint8_t middle = walk_find_middle(survey->heard_ttl);

	survey->map->hops = survey->heard_ttl;
	if (survey->heard_ttl >= HOPS_FIRST && first && first->tiers[middle])
		path_map_deepen(survey->map, middle);
}

void walk_advance(struct survey *survey, uint64_t now_ns)
{
	if (!survey->asked_ttl) {
		survey->hop_port = draw_first_port(survey);
		if (survey->hop_port)
			ask_ahead(survey);
	}
	if (!survey->hop_port)
		survey_refuse(survey, "no port is free to probe from", now_ns);
	else if (!volley_count(survey, PURPOSE_HOP))
		end_hops(survey, now_ns);
}

/* Whether the flow has met the router at another hop. */
static bool is_passed(const struct survey *survey, const struct survey_probe *probe,
	const struct in6_addr *address)
{
	const struct path_map *map = survey->map;
	const struct path_port *port = path_port_find(survey->map, probe->port);
	uint8_t index;

	for (unsigned int tier = 1; port && tier < PATH_TIERS_MAX; tier++) {
		index = port->tiers[tier];
		if (index && tier != probe->ttl &&
			IN6_ARE_ADDR_EQUAL(&map->routers[index - 1]->key.address, address))
			return true;
	}
	return false;
}

void walk_hear(struct survey *survey, const struct survey_probe *probe,
	const struct in6_addr *address, uint64_t now_ns)
{
	if (is_passed(survey, probe, address)) {
		survey_refuse(survey, "the way there runs in a circle", now_ns);
		return;
	}
	if (probe->ttl < PATH_TIERS_MAX)
		path_learn(survey->table, survey->map, probe->port, probe->ttl, address);
	survey->has_news = true;
	if (probe->ttl > survey->heard_ttl) {
		survey->heard_ttl = probe->ttl;
		ask_ahead(survey);
	}
	guess_depth(survey);
}
