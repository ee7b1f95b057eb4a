/* SPDX-License-Identifier: MIT */
/* Judgement: which probes to send to fill a path map, and when it is full. */
#include "survey.h"

#include "core/sample.h"
#include "core/volley.h"
#include "core/walk.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>

#define MS           1000000ull
#define LIFE_NS      (10000 * MS)
#define PAUSE_MIN_NS (5 * MS)
#define PAUSE_MAX_NS (1000 * MS)
#define FRESH_NS     (10000 * MS) /* a map that was confirmed since needs no confirmation */

#define PREFIX_AGE_NS (600000 * MS)

#define TRIES_HOP    3 /* of the first silent hop; the hops after it are tried once */
#define FAILURES_MAX 16

void survey_begin(struct survey *survey, enum survey_phase phase)
{
	survey->phase = phase;
	survey->failures = 0;
	survey->n_same = sample_count_again(survey);
}

void survey_finish(struct survey *survey, uint64_t now_ns)
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
	map->is_partial |= survey->is_full || survey->is_lossy;
	if (!survey->is_further)
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

/* But for how fast its routers answer. */
static void forget_prefix(struct path_prefix *prefix)
{
	prefix->hops = prefix->depth = prefix->paths = 0;
	prefix->is_verified = false;
}

void survey_begin_anew(struct survey *survey)
{
	path_map_renew(survey->map);
	survey->map->state = PATH_ASKING;
	survey->map->is_changed = true;
	forget_prefix(survey->prefix);
	survey->heard_ttl = survey->asked_ttl = 0;
	survey->is_full = survey->is_further = survey->is_nearer = survey->is_lossy = false;
	survey->pause_ns = survey->next_send_ns = 0;
	survey->n_late = 0;
	memset(survey->slots, 0, sizeof(survey->slots));
	survey_begin(survey, SURVEY_HOPS);
}

/*
 * What has been reserved since, or was never among them, is not opened from. Whether each way that
 * was known still is.
 */
static bool drop_lost_ports(struct path_map *map, const struct ports *ports)
{
	unsigned int seen, ways = path_count(map, map->depth, &seen);

	for (unsigned int i = map->n_ports; i-- > 0;) {
		if (!map->ports[i].is_taken && !ports_has(ports, map->ports[i].port))
			path_port_drop(map, &map->ports[i]);
	}
	return path_count(map, map->depth, &seen) == ways;
}

int survey_init(struct survey *survey, struct path_table *table, uint64_t netns,
	const struct endpoint *local, const struct endpoint *remote, const struct ports *ports,
	bool has_uplinks, uint64_t random, uint64_t now_ns)
{
	struct path_key key = path_key_of(netns, local, remote);

	*survey = (struct survey){.table = table,
		.local = *local,
		.remote = *remote,
		.ports = ports,
		.has_uplinks = has_uplinks,
		.random = random,
		.deadline_ns = now_ns + LIFE_NS};
	survey->local.port = 0;
	survey->prefix = path_table_get_prefix(table, &key);
	survey->map = path_table_get(table, &key);
	if (!survey->prefix || !survey->map)
		return -ENOMEM;
	if (survey->map->state == PATH_KNOWN && drop_lost_ports(survey->map, ports)) {
		survey->is_further = true;
		survey_begin(survey, SURVEY_CONFIRM);
		survey->n_same = now_ns - survey->map->confirmed_ns > FRESH_NS ||
				 sample_is_doubtful(survey->map, now_ns);
	} else {
		path_map_renew(survey->map);
		if (now_ns > survey->prefix->learned_ns + PREFIX_AGE_NS)
			forget_prefix(survey->prefix);
		survey_begin(survey, survey->prefix->hops ? SURVEY_FLOWS : SURVEY_HOPS);
		survey->map->hops = survey->prefix->hops;
		survey->map->depth = survey->prefix->depth;
	}
	survey->map->state = PATH_ASKING;
	survey->map->is_changed = true;
	survey->prefix->surveys++;
	return 0;
}

void survey_note_ttl(struct survey *survey, uint8_t ttl)
{
	survey->back_hops = walk_count_passed(ttl);
}

/* Nothing is known of the routers: they were not asked, or not in time. */
static void end_unknown(struct survey *survey)
{
	path_map_renew(survey->map);
	survey->map->is_changed = true;
	survey->phase = SURVEY_DONE;
	survey->has_news = true;
}

void survey_done(struct survey *survey)
{
	if (survey->phase != SURVEY_DONE)
		end_unknown(survey);
	survey->prefix->surveys--;
}

int survey_ask(struct survey *survey, const struct conn_key *key, enum want want)
{
	unsigned int seen, more;

	survey->is_thorough |= want == WANT_ALL;
	if (want != WANT_WAYS) {
		more = path_count(survey->map, survey->map->depth, &seen);
		path_make_room(survey->map, more);
		path_count(survey->map, survey->map->depth, &seen);
		survey->least_flows = MIN(more + seen, PATH_PORTS_MAX);
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

/*
 * Of an even number of routers one may be the peer's own host, as where that is a container: the
 * ways part one nearer then, and have met again at what seems to be the middle.
 */
static bool look_nearer(struct survey *survey, unsigned int paths)
{
	struct path_map *map = survey->map;

	if (paths != 1 || map->hops % 2 || map->depth != walk_find_middle(map->hops) ||
		map->depth < 2 || survey->is_full)
		return false;
	survey->is_nearer = true;
	path_map_deepen(map, map->depth - 1);
	sample_flows(survey);
	return true;
}

/* There are no more ports to try. */
static void end_flows(struct survey *survey, uint64_t now_ns)
{
	struct path_map *map = survey->map;
	const char *doubt = sample_find_doubt(survey);
	unsigned int seen, paths = path_count(map, map->depth, &seen);

	if (look_nearer(survey, paths))
		return;
	if (survey->is_nearer && paths > 1)
		survey->prefix->depth = map->depth;
	if (map->depth == survey->prefix->depth && !survey->is_lossy)
		survey->prefix->paths = paths;
	/* Beside the middle not all that are there may be told apart. */
	map->is_partial |=
		map->depth != walk_find_middle(map->hops) && map->depth != survey->prefix->depth;
	if (!sample_is_sure(survey)) {
		map->is_partial = true;
		survey->is_thorough = false;
	}
	if (doubt)
		survey_refuse(survey, doubt, now_ns);
	else if (survey->prefix->is_verified || paths == 1)
		survey_finish(survey, now_ns);
	else
		survey_begin(survey, SURVEY_VERIFY);
}

static void advance(struct survey *survey, uint64_t now_ns)
{
	unsigned int seen;

	if (survey->phase == SURVEY_HOPS)
		walk_advance(survey, now_ns);
	if (survey->phase != SURVEY_DONE && survey->map->depth)
		sample_subflows(survey);
	if (survey->phase == SURVEY_HOPS && survey->map->depth)
		sample_flows(survey);
	if (survey->phase == SURVEY_FLOWS) {
		sample_flows(survey);
		if (!volley_count(survey, -1))
			end_flows(survey, now_ns);
	}
	if (survey->phase == SURVEY_VERIFY || survey->phase == SURVEY_CONFIRM) {
		sample_again(survey, now_ns);
		if (volley_count(survey, -1))
			return;
		survey->prefix->is_verified |= survey->phase == SURVEY_VERIFY;
		path_count(survey->map, survey->map->depth, &seen);
		if (survey->phase == SURVEY_CONFIRM && seen < sample_count_needed(survey) &&
			(survey->is_thorough || survey->least_flows))
			survey_begin(survey, SURVEY_FLOWS);
		else
			survey_finish(survey, now_ns);
	}
}

bool survey_next(struct survey *survey, uint64_t now_ns, struct survey_probe *ret_probe)
{
	struct survey_slot *slot;

	survey->held_until_ns = 0;
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

bool survey_is_blind(const struct survey *survey)
{
	unsigned int seen;

	return !survey->map->depth || (path_count(survey->map, survey->map->depth, &seen) < 2 &&
					      seen < path_flows_enough(1));
}

/* Up at once, down slowly. */
static void note_rtt(struct survey *survey, uint64_t rtt_ns)
{
	uint64_t known_ns = survey->prefix->rtt_ns;

	if (rtt_ns < known_ns)
		rtt_ns = known_ns - (known_ns - rtt_ns) / 8;
	survey->prefix->rtt_ns = MIN(rtt_ns, VOLLEY_WAIT_MAX_NS);
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
		if (volley_is_answered(&survey->late[i], port, cookie))
			slot = &survey->late[i];
	}
	if (!slot)
		return -ENOENT;
	note_rtt(survey, now_ns - slot->sent_ns[cookie & VOLLEY_TRY_BITS]);
	slot->tries = 0;
	if (survey->phase != SURVEY_HOPS) {
		survey_begin_anew(survey);
	} else {
		again = volley_find_hop(survey, slot->probe.ttl);
		if (again)
			again->is_used = false;
		walk_hear(survey, &slot->probe, address, now_ns);
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
		if (!survey->slots[i].is_used ||
			!volley_is_answered(&survey->slots[i], port, cookie))
			continue;
		heard = survey->slots[i];
		survey->slots[i].is_used = false;
	}
	if (!heard.is_used)
		return hear_late(survey, port, cookie, address, now_ns);
	note_rtt(survey, now_ns - heard.sent_ns[cookie & VOLLEY_TRY_BITS]);
	survey->pause_ns = survey->pause_ns > PAUSE_MIN_NS ? survey->pause_ns / 2 : 0;
	switch (heard.purpose) {
	case PURPOSE_HOP:
		walk_hear(survey, &heard.probe, address, now_ns);
		break;
	case PURPOSE_FLOW:
	case PURPOSE_FILL:
	case PURPOSE_OWN:
		sample_hear(survey, &heard, address);
		break;
	case PURPOSE_SAME:
		sample_hear_again(survey, &heard.probe, address, now_ns);
		break;
	}
	advance(survey, now_ns);
	return 0;
}

static void note_failure(struct survey *survey, uint64_t now_ns)
{
	if (++survey->failures >= FAILURES_MAX)
		survey->deadline_ns = now_ns;
}

static void lose(struct survey *survey, const struct survey_slot *slot, uint64_t now_ns)
{
	struct path_port *port;

	switch (slot->purpose) {
	case PURPOSE_HOP:
		survey->late[survey->n_late++ % SURVEY_LATE_MAX] = *slot;
		break;
	case PURPOSE_FLOW:
		port = path_port_find(survey->map, slot->probe.port);
		if (port && !port->is_taken)
			path_port_drop(survey->map, port);
		/* Of what goes by a way that has failed no answer is expected. */
		if (sample_has_failed(survey->map, now_ns))
			break;
		survey->is_lossy = true;
		note_failure(survey, now_ns);
		break;
	case PURPOSE_SAME:
		if (survey->phase != SURVEY_VERIFY) {
			survey_begin_anew(survey);
			survey->is_lossy = true;
			break;
		}
		/* Silence agrees with nothing: another one is asked. */
		survey->n_same++;
		note_failure(survey, now_ns);
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
	bool is_confirming = survey->phase == SURVEY_CONFIRM;
	uint64_t confirmed_ns = survey->map->confirmed_ns;
	unsigned int seen = 0;

	if (survey->map->depth)
		path_count(survey->map, survey->map->depth, &seen);
	if (seen) {
		survey->map->is_partial |= !is_confirming;
		survey->is_thorough = false;
		survey_finish(survey, now_ns);
		if (is_confirming)
			survey->map->confirmed_ns = confirmed_ns;
	} else if (survey->is_held && survey->failures < FAILURES_MAX) {
		end_unknown(survey);
	} else if (!survey->has_walked && survey->phase == SURVEY_FLOWS) {
		/* What is known of the prefix does not hold here. */
		survey->deadline_ns = now_ns + LIFE_NS;
		survey_begin_anew(survey);
	} else {
		survey_refuse(survey, "no router on the way answers", now_ns);
	}
}

static unsigned int most_tries(const struct survey *survey, const struct survey_slot *slot)
{
	/* Before the farthest that has answered there is a router for certain. */
	if (slot->purpose != PURPOSE_HOP || slot->probe.ttl < survey->heard_ttl)
		return SURVEY_TRIES_MAX;
	if (slot->probe.ttl > survey->heard_ttl + 1 || walk_is_beyond(survey, slot->probe.ttl))
		return 1;
	return TRIES_HOP;
}

void survey_tick(struct survey *survey, uint64_t now_ns)
{
	struct survey_slot *slot, lost;
	bool is_slow = false;

	for (slot = survey->slots; slot < survey->slots + SURVEY_WINDOW; slot++) {
		if (survey->phase == SURVEY_DONE)
			return;
		if (!slot->is_used || !slot->is_sent || now_ns < volley_deadline_ns(survey, slot))
			continue;
		if (slot->tries < most_tries(survey, slot)) {
			slot->is_sent = false;
			is_slow |= slot->purpose != PURPOSE_HOP;
			continue;
		}
		lost = *slot;
		slot->is_used = false;
		lose(survey, &lost, now_ns);
	}
	/* Routers answer so many a second: ask more slowly. A way that has failed never answers. */
	if (is_slow && !sample_has_failed(survey->map, now_ns))
		survey->pause_ns = MIN(MAX(2 * survey->pause_ns, PAUSE_MIN_NS), PAUSE_MAX_NS);
	if (survey->phase != SURVEY_DONE && now_ns >= survey->deadline_ns)
		give_up(survey, now_ns);
	if (survey->phase != SURVEY_DONE)
		advance(survey, now_ns);
}

static uint64_t find_due(const struct survey *survey)
{
	uint64_t next_ns = survey->deadline_ns;
	const struct survey_slot *slot;

	if (!volley_count(survey, -1))
		return survey->next_send_ns + 1;

	for (slot = survey->slots; slot < survey->slots + SURVEY_WINDOW; slot++) {
		if (!slot->is_used)
			continue;
		if (slot->is_sent)
			next_ns = MIN(next_ns, volley_deadline_ns(survey, slot));
		else
			next_ns = MIN(next_ns, survey->next_send_ns);
	}
	return next_ns;
}

uint64_t survey_deadline(const struct survey *survey)
{
	return MAX(find_due(survey), survey->held_until_ns);
}

bool survey_hold(struct survey *survey, uint64_t now_ns, uint64_t until_ns)
{
	bool is_due = survey->phase != SURVEY_DONE && find_due(survey) <= now_ns;

	survey->held_until_ns = until_ns;
	survey->is_held |= is_due;
	return is_due;
}
