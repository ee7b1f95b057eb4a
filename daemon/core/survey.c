/* SPDX-License-Identifier: MIT */
/* Judgement: which probes to send to fill a path map, and when it is full. */
#include "survey.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>

#define MS           1000000ull
#define LIFE_NS      (10000 * MS)
#define RTT_FIRST_NS (12 * MS) /* before the first answer */
#define WAIT_MIN_NS  (10 * MS) /* a full queue of a slow link */
#define WAIT_MAX_NS  (250 * MS)
#define PAUSE_MIN_NS (5 * MS)
#define PAUSE_MAX_NS (1000 * MS)
#define FRESH_NS     (10000 * MS) /* a map that was confirmed since needs no confirmation */

#define TTL_MAX      8
#define TRIES_HOP    2 /* of the first silent hop; one less of the hop after it */
#define TRIES        4
#define FAILURES_MAX 16
#define VERIFIED     2 /* flows sent again */
#define FLOWS_FIRST  8

static uint64_t wait_ns(const struct survey *survey)
{
	uint64_t rtt_ns = survey->prefix->rtt_ns ? survey->prefix->rtt_ns : RTT_FIRST_NS;

	return MIN(MAX(4 * rtt_ns, WAIT_MIN_NS), WAIT_MAX_NS);
}

static void queue(struct survey *survey, enum survey_purpose purpose, uint16_t port, uint8_t ttl)
{
	struct survey_slot *slot;

	for (slot = survey->slots; slot < survey->slots + SURVEY_WINDOW; slot++) {
		if (slot->is_used)
			continue;
		*slot = (struct survey_slot){.is_used = true,
			.purpose = purpose,
			.probe = {.port = port,
				.ttl = ttl,
				.cookie = ports_random(&survey->random) >> 16}};
		return;
	}
}

static unsigned int count_slots(const struct survey *survey, int purpose)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < SURVEY_WINDOW; i++)
		count += survey->slots[i].is_used &&
			 (purpose < 0 || survey->slots[i].purpose == (enum survey_purpose)purpose);
	return count;
}

static bool is_under_way(const struct survey *survey, uint16_t port)
{
	for (unsigned int i = 0; i < SURVEY_WINDOW; i++) {
		if (survey->slots[i].is_used && survey->slots[i].probe.port == port)
			return true;
	}
	return false;
}

static void begin(struct survey *survey, enum survey_phase phase)
{
	memset(survey->slots, 0, sizeof(survey->slots));
	survey->phase = phase;
	survey->failures = 0;
	survey->n_same = VERIFIED;
}

static void finish(struct survey *survey, uint64_t now_ns)
{
	struct path_map *map = survey->map;

	/* What was not answered is of no use to anybody. */
	for (unsigned int i = map->n_ports; i-- > 0;) {
		if (!path_is_known(map, &map->ports[i]))
			path_port_drop(map, &map->ports[i]);
	}
	map->state = PATH_KNOWN;
	if (survey->phase != SURVEY_CONFIRM)
		map->learned_ns = now_ns;
	map->confirmed_ns = now_ns;
	survey->phase = SURVEY_DONE;
	survey->has_news = true;
}

void survey_refuse(struct survey *survey, const char *why, uint64_t now_ns)
{
	path_map_reset(survey->map);
	path_map_silence(survey->map, why, now_ns);
	survey->phase = SURVEY_DONE;
	survey->has_news = true;
}

/* What was learned is not true any more, or never was. */
static void begin_anew(struct survey *survey)
{
	uint64_t rtt_ns = survey->prefix->rtt_ns;

	path_map_reset(survey->map);
	survey->map->state = PATH_ASKING;
	survey->prefix->hops = survey->prefix->depth = survey->prefix->paths = 0;
	survey->prefix->is_verified = false;
	survey->prefix->rtt_ns = rtt_ns;
	for (unsigned int i = 0; i < survey->n_askers; i++)
		survey->askers[i].is_asked = false;
	begin(survey, SURVEY_HOPS);
}

int survey_init(struct survey *survey, struct path_table *table, uint64_t netns,
	const struct endpoint *local, const struct endpoint *remote, const struct ports *ports,
	bool has_uplinks, uint64_t random, uint64_t now_ns)
{
	struct path_key key = path_key_of(netns, local, remote);

	*survey = (struct survey){.table = table,
		.local = *local,
		.remote = *remote,
		.ports = *ports,
		.has_uplinks = has_uplinks,
		.random = random,
		.deadline_ns = now_ns + LIFE_NS};
	survey->local.port = 0;
	survey->prefix = path_prefix_get(table, &key);
	survey->map = path_map_get(table, &key);
	if (!survey->prefix || !survey->map)
		return -ENOMEM;
	if (survey->map->state == PATH_KNOWN) {
		begin(survey, SURVEY_CONFIRM);
		survey->n_same = now_ns - survey->map->confirmed_ns > FRESH_NS;
	} else {
		path_map_reset(survey->map);
		begin(survey, survey->prefix->hops ? SURVEY_FLOWS : SURVEY_HOPS);
		survey->map->hops = survey->prefix->hops;
		survey->map->depth = survey->prefix->depth;
	}
	survey->map->state = PATH_ASKING;
	return 0;
}

int survey_ask(struct survey *survey, const struct conn_key *key, uint16_t port, bool wants_more)
{
	struct path_port *known = path_port_find(survey->map, port);
	unsigned int seen;

	if (survey->n_askers == SURVEY_ASKERS_MAX)
		return -ENOSPC;
	survey->askers[survey->n_askers++] =
		(struct survey_asker){.key = *key, .port = port, .is_asked = known};
	if (known)
		known->is_taken = true;
	if (wants_more) {
		survey->least_flows = path_count(survey->map, survey->map->depth, &seen);
		survey->least_flows = MIN(4 * survey->least_flows + seen, PATH_PORTS_MAX);
	}
	return 0;
}

/* The first subflows of those who wait: their ways count too. */
static void queue_own(struct survey *survey)
{
	struct survey_asker *asker;

	for (unsigned int i = 0; i < survey->n_askers; i++) {
		asker = &survey->askers[i];
		if (asker->is_asked || count_slots(survey, -1) == SURVEY_WINDOW)
			continue;
		asker->is_asked = true;
		if (!asker->port || path_port_find(survey->map, asker->port))
			continue;
		queue(survey, PURPOSE_OWN, asker->port, survey->map->depth);
	}
}

static uint16_t draw_port(struct survey *survey)
{
	uint16_t port;

	for (unsigned int i = 0; i < 4 * PATH_PORTS_MAX; i++) {
		port = ports_draw(&survey->ports, ports_random(&survey->random) >> 16);
		if (port && !path_port_find(survey->map, port) && !is_under_way(survey, port))
			return port;
	}
	return 0;
}

/* How many flows must have been seen before nothing more is expected. */
static unsigned int count_needed(const struct survey *survey)
{
	const struct path_map *map = survey->map;
	unsigned int needed = FLOWS_FIRST, seen, paths = 0;

	for (unsigned int tier = 0; tier <= map->depth; tier++) {
		paths = path_count(map, tier, &seen);
		needed = MAX(needed, path_flows_enough(paths));
	}
	if (survey->prefix->is_verified && paths >= survey->prefix->paths)
		needed = MIN(needed, 2 * paths);
	return MIN(MAX(needed, survey->least_flows), PATH_PORTS_MAX);
}

static void queue_flows(struct survey *survey)
{
	unsigned int seen, needed = count_needed(survey), under_way;
	uint16_t port;

	path_count(survey->map, survey->map->depth, &seen);
	under_way = count_slots(survey, PURPOSE_FLOW) + count_slots(survey, PURPOSE_OWN);
	for (; seen + under_way < needed && count_slots(survey, -1) < SURVEY_WINDOW; under_way++) {
		port = draw_port(survey);
		if (!port)
			return;
		queue(survey, PURPOSE_FLOW, port, survey->map->depth);
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
			queue(survey, PURPOSE_FILL, port->port, tier);
	}
}

static void queue_same(struct survey *survey)
{
	struct path_map *map = survey->map;
	const struct path_port *port;

	for (; survey->n_same && map->n_ports; survey->n_same--) {
		port = &map->ports[ports_random(&survey->random) % map->n_ports];
		if (!path_is_known(map, port))
			continue;
		queue(survey, PURPOSE_SAME, port->port, map->depth);
	}
	survey->n_same = 0;
}

/* The deciding tier, near the middle of the way, where the first flow had an answer. */
static uint8_t choose_depth(const struct survey *survey)
{
	const struct path_map *map = survey->map;
	const struct path_port *first = map->n_ports ? &map->ports[0] : NULL;
	uint8_t middle = MIN(survey->prefix->hops / 2 + 1, PATH_TIERS_MAX - 1);

	if (!first)
		return 0;
	if (first->tiers[middle])
		return middle;
	if (middle + 1 < PATH_TIERS_MAX && middle < survey->prefix->hops &&
		first->tiers[middle + 1])
		return middle + 1;
	return first->tiers[middle - 1] ? middle - 1 : 0;
}

static void end_hops(struct survey *survey, uint8_t hops, uint64_t now_ns)
{
	struct path_map *map = survey->map;

	if (!hops) {
		survey_refuse(survey, "no router on the way answers", now_ns);
		return;
	}
	survey->prefix->hops = map->hops = hops;
	map->depth = choose_depth(survey);
	survey->prefix->depth = map->depth;
	survey->prefix->learned_ns = now_ns;
	if (!map->depth) {
		survey_refuse(survey, "the routers in the middle do not answer", now_ns);
		return;
	}
	begin(survey, SURVEY_FLOWS);
	if (hops == 1 && !survey->has_uplinks)
		finish(survey, now_ns);
}

/* On a flow that is there already: no new one appears to anything on the way. */
static uint16_t draw_first_port(struct survey *survey)
{
	for (unsigned int i = 0; i < survey->n_askers; i++) {
		if (survey->askers[i].port)
			return survey->askers[i].port;
	}
	return draw_port(survey);
}

static void begin_hops(struct survey *survey, uint64_t now_ns)
{
	uint16_t port = draw_first_port(survey);

	if (port)
		queue(survey, PURPOSE_HOP, port, 1);
	else
		survey_refuse(survey, "no port is free to probe from", now_ns);
}

static void advance(struct survey *survey, uint64_t now_ns)
{
	unsigned int seen;

	if (survey->phase == SURVEY_HOPS && !count_slots(survey, -1) && !survey->silent_ttl)
		begin_hops(survey, now_ns);
	if (survey->phase == SURVEY_FLOWS || survey->phase == SURVEY_CONFIRM)
		queue_own(survey);
	if (survey->phase == SURVEY_FLOWS) {
		queue_flows(survey);
		/* Without a slot there are no more ports to try. */
		if (!count_slots(survey, -1)) {
			survey->prefix->paths = path_count(survey->map, survey->map->depth, &seen);
			if (survey->prefix->is_verified || survey->prefix->paths == 1)
				finish(survey, now_ns);
			else
				begin(survey, SURVEY_VERIFY);
		}
	}
	if (survey->phase == SURVEY_VERIFY || survey->phase == SURVEY_CONFIRM) {
		queue_same(survey);
		if (count_slots(survey, -1))
			return;
		survey->prefix->is_verified = true;
		path_count(survey->map, survey->map->depth, &seen);
		if (seen < survey->least_flows && survey->phase == SURVEY_CONFIRM)
			begin(survey, SURVEY_FLOWS);
		else
			finish(survey, now_ns);
	}
}

bool survey_next(struct survey *survey, uint64_t now_ns, struct survey_probe *ret_probe)
{
	struct survey_slot *slot;

	if (survey->phase == SURVEY_DONE || now_ns < survey->next_send_ns)
		return false;
	advance(survey, now_ns);
	for (slot = survey->slots; slot < survey->slots + SURVEY_WINDOW; slot++) {
		if (!slot->is_used || slot->is_sent)
			continue;
		slot->is_sent = true;
		slot->sent_ns = now_ns;
		slot->tries++;
		/* Real flows carry labels of their own: a fabric that looks at them shows here. */
		if (slot->purpose == PURPOSE_SAME)
			slot->probe.label = ports_random(&survey->random) >> 44;
		survey->map->probes++;
		if (survey->pause_ns)
			survey->next_send_ns = now_ns + survey->pause_ns;
		*ret_probe = slot->probe;
		return true;
	}
	return false;
}

static void hear_hop(struct survey *survey, const struct survey_probe *probe,
	const struct in6_addr *address, uint64_t now_ns)
{
	const struct path_map *map = survey->map;

	for (unsigned int i = 0; i < map->n_routers; i++) {
		if (!IN6_ARE_ADDR_EQUAL(&map->routers[i]->key.address, address))
			continue;
		survey_refuse(survey, "the way there runs in a circle", now_ns);
		return;
	}
	if (probe->ttl < PATH_TIERS_MAX)
		path_learn(survey->table, survey->map, probe->port, probe->ttl, address);
	if (map->n_ports)
		survey->map->ports[0].is_taken = true;
	survey->silent_ttl = 0;
	if (probe->ttl == TTL_MAX)
		end_hops(survey, TTL_MAX, now_ns);
	else if (!count_slots(survey, PURPOSE_HOP))
		queue(survey, PURPOSE_HOP, probe->port, probe->ttl + 1);
}

static void hear_same(struct survey *survey, const struct survey_probe *probe,
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
	if (survey->phase == SURVEY_CONFIRM)
		begin_anew(survey);
	else
		survey_refuse(survey, "ports do not decide the way there", now_ns);
}

static void hear_flow(
	struct survey *survey, const struct survey_slot *slot, const struct in6_addr *address)
{
	const struct survey_probe *probe = &slot->probe;
	struct path_map *map = survey->map;
	struct path_port *port;

	if (path_learn(survey->table, map, probe->port, probe->ttl, address))
		return;
	port = path_port_find(map, probe->port);
	if (slot->purpose == PURPOSE_OWN)
		port->is_taken = true;
	/* One device leads to one first router. */
	if (!survey->has_uplinks && map->n_ports > 1 && !port->tiers[1])
		port->tiers[1] = map->ports[0].tiers[1];
	survey->has_news = true;
	if (probe->ttl == map->depth)
		queue_fill(survey, port);
}

int survey_hear(struct survey *survey, uint16_t port, uint32_t cookie,
	const struct in6_addr *address, uint64_t now_ns)
{
	struct survey_slot *slot, heard;
	struct in6_addr local = path_address(&survey->local);
	struct in6_addr remote = path_address(&survey->remote);
	uint64_t rtt_ns;

	for (slot = survey->slots; slot < survey->slots + SURVEY_WINDOW; slot++) {
		if (slot->is_used && slot->tries && slot->probe.port == port &&
			slot->probe.cookie == cookie)
			break;
	}
	if (slot == survey->slots + SURVEY_WINDOW)
		return -ENOENT;
	if (IN6_ARE_ADDR_EQUAL(address, &local) || IN6_ARE_ADDR_EQUAL(address, &remote))
		return -ENOENT;
	heard = *slot;
	slot->is_used = false;
	survey->answers++;
	rtt_ns = now_ns - slot->sent_ns;
	if (heard.tries == 1 && rtt_ns > survey->prefix->rtt_ns)
		survey->prefix->rtt_ns = MIN(rtt_ns, WAIT_MAX_NS);
	survey->pause_ns = survey->pause_ns > PAUSE_MIN_NS ? survey->pause_ns / 2 : 0;
	switch (heard.purpose) {
	case PURPOSE_HOP:
		hear_hop(survey, &heard.probe, address, now_ns);
		break;
	case PURPOSE_FLOW:
	case PURPOSE_FILL:
	case PURPOSE_OWN:
		hear_flow(survey, &heard, address);
		break;
	case PURPOSE_SAME:
		hear_same(survey, &heard.probe, address, now_ns);
		break;
	}
	advance(survey, now_ns);
	return 0;
}

/*
 * Silence is the destination, or a router that says nothing: the hop after it tells. It is asked
 * together with the second try, once.
 */
static void doubt(struct survey *survey, const struct survey_probe *probe)
{
	if (survey->silent_ttl)
		return;
	survey->silent_ttl = probe->ttl;
	if (probe->ttl < TTL_MAX)
		queue(survey, PURPOSE_HOP, probe->port, probe->ttl + 1);
}

static void lose(struct survey *survey, const struct survey_slot *slot, uint64_t now_ns)
{
	switch (slot->purpose) {
	case PURPOSE_HOP:
		if (!count_slots(survey, PURPOSE_HOP))
			end_hops(survey, survey->silent_ttl - 1, now_ns);
		break;
	case PURPOSE_FLOW:
		if (++survey->failures >= FAILURES_MAX)
			survey->deadline_ns = now_ns;
		break;
	case PURPOSE_SAME:
		if (survey->phase == SURVEY_CONFIRM)
			begin_anew(survey);
		break;
	case PURPOSE_FILL:
	case PURPOSE_OWN:
		survey->has_news = true;
		break;
	}
}

static void give_up(struct survey *survey, uint64_t now_ns)
{
	unsigned int seen = 0;

	if (survey->map->depth)
		path_count(survey->map, survey->map->depth, &seen);
	if (seen)
		finish(survey, now_ns);
	else
		survey_refuse(survey, "no router on the way answers", now_ns);
}

static unsigned int most_tries(const struct survey *survey, const struct survey_slot *slot)
{
	if (slot->purpose != PURPOSE_HOP)
		return TRIES;
	return survey->silent_ttl && slot->probe.ttl > survey->silent_ttl ? TRIES_HOP - 1
									  : TRIES_HOP;
}

void survey_tick(struct survey *survey, uint64_t now_ns)
{
	uint64_t wait = wait_ns(survey);
	struct survey_slot *slot, lost;

	for (slot = survey->slots; slot < survey->slots + SURVEY_WINDOW; slot++) {
		if (survey->phase == SURVEY_DONE)
			return;
		if (!slot->is_used || !slot->is_sent || now_ns - slot->sent_ns < wait)
			continue;
		if (slot->tries < most_tries(survey, slot)) {
			slot->is_sent = false;
			if (slot->purpose == PURPOSE_HOP)
				doubt(survey, &slot->probe);
			/* Routers answer so many a second: ask more slowly. */
			if (slot->purpose != PURPOSE_HOP)
				survey->pause_ns =
					MIN(MAX(2 * survey->pause_ns, PAUSE_MIN_NS), PAUSE_MAX_NS);
			continue;
		}
		lost = *slot;
		slot->is_used = false;
		lose(survey, &lost, now_ns);
	}
	if (survey->phase != SURVEY_DONE && now_ns >= survey->deadline_ns)
		give_up(survey, now_ns);
	if (survey->phase != SURVEY_DONE)
		advance(survey, now_ns);
}

uint64_t survey_deadline(const struct survey *survey)
{
	uint64_t next_ns = survey->deadline_ns, wait = wait_ns(survey);
	const struct survey_slot *slot;

	if (!count_slots(survey, -1))
		return survey->next_send_ns + 1;

	for (slot = survey->slots; slot < survey->slots + SURVEY_WINDOW; slot++) {
		if (!slot->is_used)
			continue;
		if (slot->is_sent)
			next_ns = MIN(next_ns, slot->sent_ns + wait);
		else
			next_ns = MIN(next_ns, survey->next_send_ns);
	}
	return next_ns;
}
