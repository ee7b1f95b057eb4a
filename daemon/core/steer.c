/* SPDX-License-Identifier: MIT */
/* Judgement: from which source port a subflow is opened, so that it takes a way of its own. */
#include "steer.h"

#include "core/candidates.h"
#include "core/placement.h"
#include "core/traffic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAP_AGE_NS    600000000000ull
#define SILENT_AGE_NS 60000000000ull
#define PORTS_AGE_NS  10000000000ull /* others may have been reserved since */
#define CONTENDED_NS  60000000000ull
#define REFUSED_MAX   4 /* ports that were left, one after the other */
#define ASKED_MAX     8 /* by then one in 3,000 has not found a port on a way of many */

void steer_init(struct steer *steer)
{
	*steer = (struct steer){.random = 1};
	path_table_init(&steer->paths);
}

void steer_done(struct steer *steer)
{
	struct steer_ports *ports, *next;

	HASH_ITER (hh, steer->ports, ports, next) {
		HASH_DEL(steer->ports, ports);
		free(ports);
	}
	path_table_done(&steer->paths);
}

int steer_set_ports(struct steer *steer, uint64_t netns, const struct ports *ports, uint64_t now_ns)
{
	struct steer_ports *known;

	HASH_FIND(hh, steer->ports, &netns, sizeof(netns), known);
	if (!known) {
		known = calloc(1, sizeof(*known));
		if (!known)
			return -ENOMEM;
		known->netns = netns;
		HASH_ADD(hh, steer->ports, netns, sizeof(netns), known);
	}
	known->ports = *ports;
	known->read_ns = now_ns;
	known->is_changed = true;
	return 0;
}

void steer_forget(struct steer *steer, uint64_t netns)
{
	struct steer_ports *ports;

	HASH_FIND(hh, steer->ports, &netns, sizeof(netns), ports);
	if (ports)
		HASH_DEL(steer->ports, ports);
	free(ports);
	path_table_forget(&steer->paths, netns);
}

/* 0 = the kernel is to draw it. */
static uint16_t draw_port(struct steer *steer, const struct steer_ports *known)
{
	return known ? ports_draw(&known->ports, ports_random(&steer->random) >> 16) : 0;
}

static struct path_map *find_map(struct steer *steer, const struct conn *conn,
	const struct endpoint *local, const struct endpoint *remote)
{
	struct path_key key = path_key_of(conn->key.netns, local, remote);

	return path_table_find(&steer->paths, &key);
}

static enum steer_answer go_blind(struct steer_choice *ret_choice)
{
	*ret_choice = (struct steer_choice){.is_blind = true};
	return STEER_GO;
}

static enum steer_answer ask(
	struct steer *steer, struct conn *conn, const struct path_map *map, enum steer_answer what)
{
	steer->counters.surveys += !map || map->state != PATH_ASKING;
	conn->asked_more += what == STEER_MORE;
	conn->has_asked_all |= what == STEER_ALL;
	conn->has_explored |= !map || map->state != PATH_KNOWN;
	return what;
}

/*
 * Whether a survey is to be certain of there being no further way, which takes as many probes
 * again. That is for who has the destination explored; to others the ways are known as they are.
 * What is known in part is looked into whoever comes, and so is a single way, where nobody is
 * split.
 */
static bool takes_certainty(const struct path_map *map, const struct conn *conn)
{
	unsigned int ports;

	return !map->is_thorough &&
	       (conn->has_explored || map->is_partial || path_count(map, map->depth, &ports) == 1);
}

/* It has no more of this host's subflows than any other that was seen there, and there are others.
 */
static bool is_even(const struct path_map *map, const struct router *router, unsigned int tier)
{
	const struct router *other;
	bool has_others = false;

	for (unsigned int i = 0; i < map->n_ports; i++) {
		if (!map->ports[i].tiers[tier])
			continue;
		other = map->routers[map->ports[i].tiers[tier] - 1];
		has_others |= other != router;
		if (other->load < router->load)
			return false;
	}
	return has_others;
}

/* No elephant of this host takes it, nor anybody else's, as far as is known. */
static bool is_alone(const struct path_map *map, const struct path *path)
{
	const struct router *last = path->tiers[map->depth];

	return last && !last->load && !last->is_contended;
}

/*
 * Nobody of this host takes it, nor more than elsewhere what is before it: there cannot be a better
 * one. Tier 1 is one router to each device.
 */
static bool is_ideal(const struct path_map *map, const struct path *path)
{
	const struct router *router;

	if (!is_alone(map, path) || path->tiers[map->depth]->light)
		return false;
	for (unsigned int tier = 0; map->state == PATH_ASKING && tier < map->depth; tier++) {
		router = path->tiers[tier];
		if (tier == 1 || (!tier && !router))
			continue;
		if (!router || (router->load && !is_even(map, router, tier)))
			return false;
	}
	return true;
}

/*
 * A port that a subflow has left a moment ago may not be had. So it is tried where those that are
 * free lead no way as good, up to @worst. UINT64_MAX in *@ret_rank: there is none.
 */
static struct steer_choice choose_way(const struct path_map *map, const struct candidates *all,
	const struct path *own, size_t n_own, enum way_state way, enum port_state worst,
	placement_rank *ret_rank)
{
	struct steer_choice choice = {};
	struct shortlist list;
	placement_rank rank;
	size_t best;

	*ret_rank = UINT64_MAX;
	for (enum port_state state = PORT_FREE; state <= worst; state++) {
		candidates_shortlist(all, way, state, &list);
		best = placement_choose(list.paths, list.n, own, n_own, &rank);
		if (rank >= *ret_rank)
			continue;
		choice = (struct steer_choice){.port = list.ports[best],
			.path = list.paths[best],
			.is_shared = rank >= PLACEMENT_SAME};
		*ret_rank = rank;
		if (is_ideal(map, &choice.path))
			break;
	}
	return choice;
}

/* A way that has just failed is taken where there is no other. WAY_STATES: there is none at all. */
static enum way_state choose_best(const struct path_map *map, const struct candidates *all,
	const struct path *own, size_t n_own, enum port_state worst,
	struct steer_choice *ret_choice, placement_rank *ret_rank)
{
	enum way_state way;

	for (way = WAY_GOOD; way < WAY_STATES; way++) {
		*ret_choice = choose_way(map, all, own, n_own, way, worst, ret_rank);
		if (ret_choice->port)
			break;
	}
	return way;
}

/* Than what might be had: its siblings are there, or others of this host where nobody need be. */
static bool is_worse(const struct path_map *map, const struct steer_choice *choice,
	placement_rank rank, const struct steer_choice *best, placement_rank best_rank)
{
	return rank / PLACEMENT_OTHERS > best_rank / PLACEMENT_OTHERS ||
	       (is_alone(map, &best->path) && !is_alone(map, &choice->path));
}

static enum steer_answer choose_path(struct steer *steer, struct conn *conn, struct path_map *map,
	bool is_late, uint64_t now_ns, struct steer_choice *ret_choice)
{
	struct path own[SUBFLOWS_HARD_MAX], live[SUBFLOWS_HARD_MAX];
	struct steer_choice choice, possible;
	placement_rank rank, possible_rank;
	struct candidates all;
	bool is_best, is_crowded, is_sharing;
	enum way_state way, best;
	enum port_state worst;
	size_t n_own, n_live;

	traffic_note_all(map, conn);
	if (path_is_seeking(map) && !is_late)
		return ask(steer, conn, map, STEER_ASK);
	n_own = traffic_collect(conn, own);
	n_live = traffic_collect_live(conn, live);
	/* Where so many in a row were somebody else's, others will be. */
	worst = conn->ports_in_use < REFUSED_MAX ? PORT_LEFT : PORT_FREE;
	candidates_collect(map, live, n_live, now_ns, &all);
	best = choose_best(map, &all, own, n_own, PORT_HELD, &possible, &possible_rank);
	way = choose_best(map, &all, own, n_own, worst, &choice, &rank);
	is_best = choice.port && is_ideal(map, &choice.path);
	if (!is_best && map->state == PATH_ASKING && !is_late)
		return ask(steer, conn, map, STEER_ASK);
	/* All ports of a better way are in use. Of one that has failed there is no hurry. */
	is_crowded = way > best ||
		     (way == WAY_GOOD && is_worse(map, &choice, rank, &possible, possible_rank));
	is_sharing = !choice.port || !is_alone(map, &choice.path);
	if (is_sharing && takes_certainty(map, conn) && !is_late && !conn->has_asked_all)
		return ask(steer, conn, map, STEER_ALL);
	if (is_crowded && !is_late && conn->asked_more < ASKED_MAX)
		return ask(steer, conn, map, STEER_MORE);
	if (!choice.port)
		return go_blind(ret_choice);
	*ret_choice = choice;
	return STEER_GO;
}

/* Routes change; what was asked too long ago is asked again. */
static void renew_old(struct path_map *map, uint64_t now_ns)
{
	uint64_t age_ns;

	if (!map || (map->state != PATH_KNOWN && map->state != PATH_SILENT))
		return;
	age_ns = map->state == PATH_KNOWN && !map->is_partial ? MAP_AGE_NS : SILENT_AGE_NS;
	if (now_ns > map->learned_ns + age_ns)
		path_map_renew(map);
}

static enum steer_answer choose_random(struct steer *steer, struct conn *conn, bool is_late,
	uint64_t now_ns, struct steer_choice *ret_choice)
{
	struct steer_ports *ports;

	HASH_FIND(hh, steer->ports, &conn->key.netns, sizeof(conn->key.netns), ports);
	if ((!ports || now_ns > ports->read_ns + PORTS_AGE_NS) && !conn->asked_more && !is_late)
		return ask(steer, conn, NULL, STEER_MORE);
	ret_choice->port = draw_port(steer, ports);
	return STEER_GO;
}

enum steer_answer steer_choose(struct steer *steer, struct conn *conn, const struct endpoint *local,
	const struct endpoint *remote, bool is_late, uint64_t now_ns,
	struct steer_choice *ret_choice)
{
	struct path_map *map = find_map(steer, conn, local, remote);
	struct path_key key;

	*ret_choice = (struct steer_choice){};
	if (steer->mode == STEER_RANDOM)
		return choose_random(steer, conn, is_late, now_ns, ret_choice);
	if (steer->mode == STEER_KERNEL)
		return STEER_GO;
	renew_old(map, now_ns);
	if (!map || map->state == PATH_UNKNOWN) {
		if (is_late)
			return go_blind(ret_choice);
		key = path_key_of(conn->key.netns, local, remote);
		map = path_table_get(&steer->paths, &key);
		if (map)
			traffic_note_all(map, conn);
		return ask(steer, conn, map, STEER_ASK);
	}
	if (map->state == PATH_SILENT)
		return go_blind(ret_choice);
	return choose_path(steer, conn, map, is_late, now_ns, ret_choice);
}

bool steer_has_single_path(struct steer *steer, const struct conn *conn,
	const struct endpoint *local, const struct endpoint *remote)
{
	const struct path_map *map = find_map(steer, conn, local, remote);
	unsigned int ports;

	if (steer->mode != STEER_PATHS || !map || map->state != PATH_KNOWN || !map->is_thorough ||
		map->is_partial || map->is_tangled)
		return false;
	for (unsigned int tier = 0; tier <= map->depth; tier++) {
		if (path_count(map, tier, &ports) > 1)
			return false;
	}
	return true;
}

void steer_take(struct steer *steer, struct conn *conn, struct subflow *subflow,
	const struct steer_choice *choice)
{
	struct path_map *map = find_map(steer, conn, &subflow->local, &subflow->remote);
	struct path_port *port = map ? path_port_find(map, choice->port) : NULL;

	steer->counters.blind += choice->is_blind;
	subflow->path = choice->path;
	path_load(&subflow->path, false);
	if (path_is_set(&subflow->path)) {
		steer->counters.shared += choice->is_shared;
		steer->counters.placed += !choice->is_shared;
	}
	if (port)
		port->is_taken = true;
}

/* To where @subflow goes; NULL: nothing can be found out. */
static struct path_map *get_map(struct steer *steer, const struct conn *conn,
	const struct subflow *subflow, uint64_t now_ns)
{
	struct path_key key = path_key_of(conn->key.netns, &subflow->local, &subflow->remote);
	struct path_map *map;

	map = steer->mode == STEER_PATHS ? path_table_get(&steer->paths, &key) : NULL;
	renew_old(map, now_ns);
	return map && map->state != PATH_SILENT ? map : NULL;
}

bool steer_seek(struct steer *steer, struct conn *conn, struct subflow *subflow, uint64_t now_ns)
{
	struct path_map *map = get_map(steer, conn, subflow, now_ns);

	if (!map)
		return false;
	traffic_note(map, subflow, false);
	if (path_is_set(&subflow->path))
		return false;
	return ask(steer, conn, map, STEER_ASK) == STEER_ASK;
}

/* Whether there is another way for one that takes @path, and is not counted there. */
static enum steer_company find_free(const struct path_map *map, const struct conn *conn,
	const struct path *path, uint64_t now_ns, struct steer_choice *ret_choice)
{
	struct path own[SUBFLOWS_HARD_MAX];
	size_t n_own = traffic_collect(conn, own), best;
	struct candidates all;
	struct shortlist free;
	placement_rank now, then;

	candidates_collect(map, NULL, 0, now_ns, &all);
	candidates_shortlist_free(&all, map->depth, &free);
	if (!free.n)
		return STEER_CROWDED;
	placement_choose(path, 1, own, n_own, &now);
	best = placement_choose(free.paths, free.n, own, n_own, &then);
	if (then / PLACEMENT_OTHERS > now / PLACEMENT_OTHERS)
		return STEER_CROWDED;
	*ret_choice = (struct steer_choice){.port = free.ports[best], .path = free.paths[best]};
	return STEER_BETTER;
}

/* @subflow does not count itself. @is_left: somebody else's elephant is on its way. */
static enum steer_company find_company(const struct path_map *map, const struct conn *conn,
	struct subflow *subflow, bool is_left, uint64_t now_ns, struct steer_choice *ret_choice)
{
	enum steer_company company = STEER_ALONE;
	struct path path = subflow->path;

	path_unload(&subflow->path, subflow->is_light);
	if (is_left || path.tiers[map->depth]->load)
		company = find_free(map, conn, &path, now_ns, ret_choice);
	subflow->path = path;
	path_load(&subflow->path, subflow->is_light);
	return company;
}

enum steer_company steer_find_better(struct steer *steer, struct conn *conn,
	struct subflow *subflow, bool is_late, uint64_t now_ns, struct steer_choice *ret_choice)
{
	struct path_map *map = get_map(steer, conn, subflow, now_ns);

	if (!map)
		return STEER_ALONE;
	traffic_note_all(map, conn);
	/* What was known of those that a survey seeks may be true no more. */
	if (map->state == PATH_UNKNOWN ||
		(path_is_seeking(map) && (!is_late || map->state == PATH_ASKING)))
		return STEER_UNSURE;
	if (!map->depth || !subflow->path.tiers[map->depth])
		return map->state == PATH_ASKING ? STEER_UNSURE : STEER_ALONE;
	return find_company(map, conn, subflow, false, now_ns, ret_choice);
}

enum steer_company steer_contend(struct steer *steer, struct conn *conn, struct subflow *subflow,
	uint64_t now_ns, struct steer_choice *ret_choice)
{
	struct path_map *map = find_map(steer, conn, &subflow->local, &subflow->remote);
	struct router *router = map ? subflow->path.tiers[map->depth] : NULL;

	/* Those of this host are told apart without this. */
	if (steer->mode != STEER_PATHS || !router || !map->depth || router->load > 1)
		return STEER_ALONE;
	traffic_note_all(map, conn);
	router->contended_until_ns = now_ns + CONTENDED_NS;
	return find_company(map, conn, subflow, true, now_ns, ret_choice);
}

bool steer_doubt(struct steer *steer, const struct conn *conn, const struct subflow *subflow)
{
	struct path_map *map = find_map(steer, conn, &subflow->local, &subflow->remote);
	struct path_port *port = map ? path_port_find(map, subflow->local.port) : NULL;

	if (steer->mode != STEER_PATHS || !port || !port->is_taken || !path_is_known(map, port))
		return false;
	port->is_sought = true;
	return true;
}

bool steer_is_old(struct steer *steer, const struct conn *conn, uint64_t now_ns)
{
	const struct path_map *map;
	const struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		map = find_map(steer, conn, &subflow->local, &subflow->remote);
		if (path_is_set(&subflow->path) && map && map->state == PATH_KNOWN &&
			now_ns > map->learned_ns + MAP_AGE_NS)
			return true;
	}
	return false;
}

void steer_leave(struct subflow *subflow)
{
	path_unload(&subflow->path, subflow->is_light);
	subflow->is_leaving = true;
}

void steer_stay(struct steer *steer, const struct conn *conn, struct subflow *subflow)
{
	struct path_map *map = find_map(steer, conn, &subflow->local, &subflow->remote);

	subflow->is_leaving = false;
	if (map)
		traffic_note(map, subflow, false);
}

void steer_release(
	struct steer *steer, const struct conn *conn, struct subflow *subflow, uint64_t now_ns)
{
	struct path_map *map = find_map(steer, conn, &subflow->local, &subflow->remote);
	struct path_port *port = map ? path_port_find(map, subflow->local.port) : NULL;

	path_unload(&subflow->path, subflow->is_light);
	if (port && port->is_taken)
		path_port_leave(port, now_ns);
}

void steer_refuse(struct steer *steer, const struct conn *conn, const struct subflow *subflow,
	uint64_t now_ns)
{
	struct path_map *map = find_map(steer, conn, &subflow->local, &subflow->remote);
	struct path_port *port = map ? path_port_find(map, subflow->local.port) : NULL;

	if (port)
		path_port_refuse(port, now_ns);
}

/* Whether it is known that another one of @conn is alive, and that none such passes there. */
static bool is_suspect(const struct conn *conn, const struct subflow *subflow,
	const struct path_map *map, int tier)
{
	const struct subflow *other;
	bool has_others = false;

	TAILQ_FOREACH (other, &conn->subflows, entry) {
		if (other == subflow || other->state != SUBFLOW_ESTABLISHED || other->is_silent ||
			other->is_doomed)
			continue;
		if (other->is_leaving || !traffic_is_between(other, map, conn->key.netns) ||
			!other->path.tiers[tier] ||
			other->path.tiers[tier] == subflow->path.tiers[tier])
			return false;
		has_others = true;
	}
	return has_others;
}

void steer_shun(struct steer *steer, const struct conn *conn, const struct subflow *subflow,
	uint64_t now_ns)
{
	struct path_map *map = find_map(steer, conn, &subflow->local, &subflow->remote);
	struct router *router;

	if (!map || !subflow->path.tiers[map->depth])
		return;
	for (int tier = 1; tier <= map->depth; tier++) {
		router = subflow->path.tiers[tier];
		if (router && (tier == map->depth || is_suspect(conn, subflow, map, tier)))
			router->shunned_until_ns = now_ns + steer->hold_ns;
	}
	map->confirmed_ns = 0;
}

uint64_t steer_return_ns(struct steer *steer, const struct conn *conn,
	const struct subflow *subflow, uint64_t now_ns)
{
	struct path_map *map = find_map(steer, conn, &subflow->local, &subflow->remote);
	uint64_t until_ns, first_ns = 0;
	struct path path;

	for (unsigned int i = 0; map && i < map->n_ports; i++) {
		path = path_of(map, &map->ports[i]);
		until_ns = path_shunned_until_ns(&path);
		if (until_ns > now_ns && (!first_ns || until_ns < first_ns))
			first_ns = until_ns;
	}
	return first_ns;
}

void steer_review(struct steer *steer, struct conn *conn)
{
	struct path_map *map;
	struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		map = find_map(steer, conn, &subflow->local, &subflow->remote);
		if (map && map->state == PATH_SILENT)
			path_unload(&subflow->path, subflow->is_light);
		else if (map && subflow->is_exact)
			traffic_note(map, subflow, false);
	}
}

const char *steer_why(struct steer *steer, const struct conn *conn, const struct subflow *subflow)
{
	struct path_map *map = find_map(steer, conn, &subflow->local, &subflow->remote);

	return map && map->state == PATH_SILENT ? map->why : "";
}
