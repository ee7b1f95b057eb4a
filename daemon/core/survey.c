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

#define PREFIX_AGE_NS (600000 * MS)

#define TTL_MAX      8
#define TRIES_HOP    3 /* of the first silent hop; the hop after it is tried once */
#define FAILURES_MAX 16
#define TRY_BITS     3u /* of the cookie */
#define VERIFIED     2  /* flows sent again */
#define FLOWS_FIRST  8

static uint64_t wait_ns(const struct survey *survey)
{
	uint64_t rtt_ns = survey->prefix->rtt_ns ? survey->prefix->rtt_ns : RTT_FIRST_NS;

	return MIN(MAX(4 * rtt_ns, WAIT_MIN_NS), WAIT_MAX_NS);
}

static uint64_t last_sent_ns(const struct survey_slot *slot)
{
	return slot->sent_ns[slot->tries - 1];
}

/* Each try waits twice as long as the one before: a machine that is busy answers late. */
static uint64_t slot_deadline_ns(const struct survey *survey, const struct survey_slot *slot)
{
	return last_sent_ns(slot) + MIN(wait_ns(survey) << (slot->tries - 1), 2 * WAIT_MAX_NS);
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
				.cookie = (ports_random(&survey->random) >> 16) & ~TRY_BITS}};
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

	/* What was not answered is of no use; of a subflow that is there, it is not asked again. */
	for (unsigned int i = map->n_ports; i-- > 0;) {
		map->ports[i].is_sought = false;
		if (!path_is_known(map, &map->ports[i]) && !map->ports[i].is_taken)
			path_port_drop(map, &map->ports[i]);
	}
	map->state = PATH_KNOWN;
	map->is_changed = true;
	map->is_thorough |= survey->is_thorough;
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

	path_map_renew(survey->map);
	survey->map->state = PATH_ASKING;
	survey->map->is_changed = true;
	survey->prefix->hops = survey->prefix->depth = survey->prefix->paths = 0;
	survey->prefix->is_verified = false;
	survey->prefix->rtt_ns = rtt_ns;
	survey->heard_ttl = survey->asked_ttl = 0;
	survey->pause_ns = survey->next_send_ns = 0;
	survey->n_late = 0;
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
		path_map_renew(survey->map);
		if (now_ns > survey->prefix->learned_ns + PREFIX_AGE_NS)
			survey->prefix->hops = 0;
		begin(survey, survey->prefix->hops ? SURVEY_FLOWS : SURVEY_HOPS);
		survey->map->hops = survey->prefix->hops;
		survey->map->depth = survey->prefix->depth;
	}
	survey->map->state = PATH_ASKING;
	survey->map->is_changed = true;
	return 0;
}

int survey_ask(struct survey *survey, const struct conn_key *key, bool wants_more)
{
	unsigned int seen;

	if (wants_more) {
		survey->is_thorough = true;
		survey->least_flows = path_count(survey->map, survey->map->depth, &seen);
		survey->least_flows = MIN(4 * survey->least_flows + seen, PATH_PORTS_MAX);
	}
	for (unsigned int i = 0; i < survey->n_askers; i++) {
		if (!memcmp(&survey->askers[i], key, sizeof(*key)))
			return 0;
	}
	if (survey->n_askers == SURVEY_ASKERS_MAX)
		return -ENOSPC;
	survey->askers[survey->n_askers++] = *key;
	return 0;
}

/* The subflows that are there already: their ways count too. */
static void queue_own(struct survey *survey)
{
	const struct path_map *map = survey->map;

	for (unsigned int i = 0; i < map->n_ports; i++) {
		if (count_slots(survey, -1) == SURVEY_WINDOW)
			return;
		if (path_is_sought(map, &map->ports[i]) &&
			!is_under_way(survey, map->ports[i].port))
			queue(survey, PURPOSE_OWN, map->ports[i].port, map->depth);
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
		needed = MAX(needed,
			survey->is_thorough ? path_flows_sure(paths) : path_flows_enough(paths));
	}
	if (!survey->is_thorough && survey->prefix->is_verified && paths >= survey->prefix->paths)
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
	const struct path_port *first = path_port_find(survey->map, survey->hop_port);
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

/* One device leads to one first router. */
static void spread_first(struct survey *survey, struct path_port *port)
{
	const struct path_map *map = survey->map;

	for (unsigned int i = 0; !port->tiers[1] && i < map->n_ports; i++)
		port->tiers[1] = map->ports[i].tiers[1];
}

static void end_hops(struct survey *survey, uint64_t now_ns)
{
	struct path_map *map = survey->map;
	uint8_t hops = survey->heard_ttl;

	if (!hops) {
		survey_refuse(survey, "no router on the way answers", now_ns);
		return;
	}
	survey->has_walked = true;
	survey->prefix->hops = map->hops = hops;
	map->depth = choose_depth(survey);
	map->is_changed = true;
	survey->prefix->depth = map->depth;
	survey->prefix->learned_ns = now_ns;
	if (!map->depth) {
		survey_refuse(survey, "the routers in the middle do not answer", now_ns);
		return;
	}
	begin(survey, SURVEY_FLOWS);
	if (hops > 1 || survey->has_uplinks)
		return;
	for (unsigned int i = 0; i < map->n_ports; i++)
		spread_first(survey, &map->ports[i]);
	finish(survey, now_ns);
}

/* On a flow that is there already: no new one appears to anything on the way. */
static uint16_t draw_first_port(struct survey *survey)
{
	for (unsigned int i = 0; i < survey->map->n_ports; i++) {
		if (survey->map->ports[i].is_sought)
			return survey->map->ports[i].port;
	}
	return draw_port(survey);
}

static struct survey_slot *find_hop(struct survey *survey, uint8_t ttl)
{
	struct survey_slot *slot;

	for (slot = survey->slots; slot < survey->slots + SURVEY_WINDOW; slot++) {
		if (slot->is_used && slot->purpose == PURPOSE_HOP && slot->probe.ttl == ttl)
			return slot;
	}
	return NULL;
}

static void ask_hop(struct survey *survey, uint8_t ttl)
{
	if (ttl > TTL_MAX || find_hop(survey, ttl))
		return;
	survey->asked_ttl = ttl;
	queue(survey, PURPOSE_HOP, survey->hop_port, ttl);
}

static void advance_hops(struct survey *survey, uint64_t now_ns)
{
	if (!survey->asked_ttl) {
		survey->hop_port = draw_first_port(survey);
		ask_hop(survey, 1);
	}
	if (!survey->hop_port)
		survey_refuse(survey, "no port is free to probe from", now_ns);
	else if (!count_slots(survey, PURPOSE_HOP))
		end_hops(survey, now_ns);
}

static void advance(struct survey *survey, uint64_t now_ns)
{
	unsigned int seen;

	if (survey->phase == SURVEY_HOPS)
		advance_hops(survey, now_ns);
	if (survey->phase != SURVEY_HOPS && survey->phase != SURVEY_DONE)
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
		if (survey->phase == SURVEY_CONFIRM && seen < count_needed(survey) &&
			survey->is_thorough)
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
		slot->sent_ns[slot->tries++] = now_ns;
		/* Real flows carry labels of their own: a fabric that looks at them shows here. */
		if (slot->purpose == PURPOSE_SAME)
			slot->probe.label = ports_random(&survey->random) >> 44;
		survey->map->probes++;
		if (survey->pause_ns)
			survey->next_send_ns = now_ns + survey->pause_ns;
		*ret_probe = slot->probe;
		ret_probe->cookie |= slot->tries - 1;
		return true;
	}
	return false;
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

static void hear_hop(struct survey *survey, const struct survey_probe *probe,
	const struct in6_addr *address, uint64_t now_ns)
{
	if (is_passed(survey, probe, address)) {
		survey_refuse(survey, "the way there runs in a circle", now_ns);
		return;
	}
	if (probe->ttl < PATH_TIERS_MAX)
		path_learn(survey->table, survey->map, probe->port, probe->ttl, address);
	survey->has_news = true;
	if (probe->ttl <= survey->heard_ttl)
		return;
	survey->heard_ttl = probe->ttl;
	ask_hop(survey, probe->ttl + 1);
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
	if (!survey->has_uplinks)
		spread_first(survey, port);
	survey->has_news = true;
	if (probe->ttl == map->depth)
		queue_fill(survey, port);
}

/* Up at once, down slowly. */
static void note_rtt(struct survey *survey, uint64_t rtt_ns)
{
	uint64_t known_ns = survey->prefix->rtt_ns;

	if (rtt_ns < known_ns)
		rtt_ns = known_ns - (known_ns - rtt_ns) / 8;
	survey->prefix->rtt_ns = MIN(rtt_ns, WAIT_MAX_NS);
}

static bool is_answered(
	const struct survey_slot *slots, unsigned int i, uint16_t port, uint32_t cookie)
{
	return slots[i].tries && slots[i].probe.port == port &&
	       (slots[i].probe.cookie ^ cookie) <= TRY_BITS && (cookie & TRY_BITS) < slots[i].tries;
}

/*
 * Of a hop that was given up: answers take longer than was thought. What followed from its silence
 * meanwhile is wrong.
 */
static int hear_late(struct survey *survey, uint16_t port, uint32_t cookie,
	const struct in6_addr *address, uint64_t now_ns)
{
	struct survey_slot *slot = NULL, *again;

	for (unsigned int i = 0; i < MIN(survey->n_late, SURVEY_LATE_MAX) && !slot; i++) {
		if (is_answered(survey->late, i, port, cookie))
			slot = &survey->late[i];
	}
	if (!slot)
		return -ENOENT;
	note_rtt(survey, now_ns - slot->sent_ns[cookie & TRY_BITS]);
	slot->tries = 0;
	if (survey->phase != SURVEY_HOPS) {
		begin_anew(survey);
	} else {
		again = find_hop(survey, slot->probe.ttl);
		if (again)
			again->is_used = false;
		hear_hop(survey, &slot->probe, address, now_ns);
	}
	advance(survey, now_ns);
	return 0;
}

int survey_hear(struct survey *survey, uint16_t port, uint32_t cookie,
	const struct in6_addr *address, uint64_t now_ns)
{
	struct survey_slot heard = {};
	struct in6_addr local = path_address(&survey->local);
	struct in6_addr remote = path_address(&survey->remote);

	if (survey->phase == SURVEY_DONE || IN6_ARE_ADDR_EQUAL(address, &local) ||
		IN6_ARE_ADDR_EQUAL(address, &remote))
		return -ENOENT;
	for (unsigned int i = 0; i < SURVEY_WINDOW && !heard.is_used; i++) {
		if (!survey->slots[i].is_used || !is_answered(survey->slots, i, port, cookie))
			continue;
		heard = survey->slots[i];
		survey->slots[i].is_used = false;
	}
	if (!heard.is_used)
		return hear_late(survey, port, cookie, address, now_ns);
	note_rtt(survey, now_ns - heard.sent_ns[cookie & TRY_BITS]);
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
	if (probe->ttl == survey->heard_ttl + 1 && probe->ttl == survey->asked_ttl &&
		probe->ttl < TTL_MAX)
		ask_hop(survey, probe->ttl + 1);
}

static void lose(struct survey *survey, const struct survey_slot *slot, uint64_t now_ns)
{
	struct path_port *port;

	switch (slot->purpose) {
	case PURPOSE_HOP:
		survey->late[survey->n_late++ % SURVEY_LATE_MAX] = *slot;
		break;
	case PURPOSE_FLOW:
		if (++survey->failures >= FAILURES_MAX)
			survey->deadline_ns = now_ns;
		break;
	case PURPOSE_SAME:
		if (survey->phase == SURVEY_CONFIRM)
			begin_anew(survey);
		break;
	case PURPOSE_OWN:
		port = path_port_find(survey->map, slot->probe.port);
		if (port)
			port->is_sought = false;
		survey->map->is_changed = survey->has_news = true;
		break;
	case PURPOSE_FILL:
		survey->has_news = true;
		break;
	}
}

static void give_up(struct survey *survey, uint64_t now_ns)
{
	unsigned int seen = 0;

	if (survey->map->depth)
		path_count(survey->map, survey->map->depth, &seen);
	if (seen) {
		survey->map->is_partial = survey->phase == SURVEY_FLOWS;
		finish(survey, now_ns);
	} else if (!survey->has_walked && survey->phase == SURVEY_FLOWS) {
		/* What is known of the prefix does not hold here. */
		survey->deadline_ns = now_ns + LIFE_NS;
		begin_anew(survey);
	} else {
		survey_refuse(survey, "no router on the way answers", now_ns);
	}
}

static unsigned int most_tries(const struct survey *survey, const struct survey_slot *slot)
{
	/* Before the farthest that has answered there is a router for certain. */
	if (slot->purpose != PURPOSE_HOP || slot->probe.ttl < survey->heard_ttl)
		return SURVEY_TRIES_MAX;
	return slot->probe.ttl > survey->heard_ttl + 1 ? 1 : TRIES_HOP;
}

void survey_tick(struct survey *survey, uint64_t now_ns)
{
	struct survey_slot *slot, lost;
	bool is_slow = false;

	for (slot = survey->slots; slot < survey->slots + SURVEY_WINDOW; slot++) {
		if (survey->phase == SURVEY_DONE)
			return;
		if (!slot->is_used || !slot->is_sent || now_ns < slot_deadline_ns(survey, slot))
			continue;
		if (slot->tries < most_tries(survey, slot)) {
			slot->is_sent = false;
			is_slow |= slot->purpose != PURPOSE_HOP;
			if (slot->purpose == PURPOSE_HOP)
				doubt(survey, &slot->probe);
			continue;
		}
		lost = *slot;
		slot->is_used = false;
		lose(survey, &lost, now_ns);
	}
	/* Routers answer so many a second: ask more slowly. */
	if (is_slow)
		survey->pause_ns = MIN(MAX(2 * survey->pause_ns, PAUSE_MIN_NS), PAUSE_MAX_NS);
	if (survey->phase != SURVEY_DONE && now_ns >= survey->deadline_ns)
		give_up(survey, now_ns);
	if (survey->phase != SURVEY_DONE)
		advance(survey, now_ns);
}

uint64_t survey_deadline(const struct survey *survey)
{
	uint64_t next_ns = survey->deadline_ns;
	const struct survey_slot *slot;

	if (!count_slots(survey, -1))
		return survey->next_send_ns + 1;

	for (slot = survey->slots; slot < survey->slots + SURVEY_WINDOW; slot++) {
		if (!slot->is_used)
			continue;
		if (slot->is_sent)
			next_ns = MIN(next_ns, slot_deadline_ns(survey, slot));
		else
			next_ns = MIN(next_ns, survey->next_send_ns);
	}
	return next_ns;
}
