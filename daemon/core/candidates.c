/* SPDX-License-Identifier: MIT */
/* Judgement: the ways that the known ports of a map lead, for one subflow. */
#include "candidates.h"

#include <stdbool.h>
#include <string.h>

/* Of two that have failed at once one may have been slow, on a busy machine. */
static enum way_state judge(const struct path *path, unsigned int depth, const struct path *live,
	size_t n_live, uint64_t now_ns)
{
	if (path_shunned_until_ns(path) <= now_ns)
		return WAY_GOOD;
	for (size_t i = 0; i < n_live; i++) {
		if (live[i].tiers[depth] == path->tiers[depth])
			return WAY_DOUBTED;
	}
	return WAY_FAILED;
}

/* The deciding router is looked at first: most ways differ there. NULL: it is a new one. */
static struct candidate *find(struct candidates *c, const struct path *path, unsigned int depth)
{
	struct candidate *candidate;
	const struct router *router = path->tiers[depth];

	for (candidate = c->all; candidate < c->all + c->n; candidate++) {
		if (candidate->path.tiers[depth] == router &&
			!memcmp(&candidate->path, path, sizeof(*path)))
			return candidate;
	}
	return NULL;
}

void candidates_collect(const struct path_map *map, const struct path *live, size_t n_live,
	uint64_t now_ns, struct candidates *ret_candidates)
{
	struct path paths[PATH_PORTS_MAX];
	const struct path_port *port;
	struct candidate *candidate;
	struct router *router;
	enum port_state state;
	uint16_t rest_s;

	ret_candidates->n = 0;
	path_of_all(map, paths);
	for (unsigned int i = 0; i < map->n_ports; i++) {
		port = &map->ports[i];
		if (!path_is_known(map, port))
			continue;
		candidate = find(ret_candidates, &paths[i], map->depth);
		if (!candidate) {
			router = paths[i].tiers[map->depth];
			router->is_contended = router->contended_until_ns > now_ns;
			candidate = &ret_candidates->all[ret_candidates->n++];
			*candidate = (struct candidate){.path = paths[i],
				.state = judge(&paths[i], map->depth, live, n_live, now_ns)};
		}
		state = path_port_state(port, now_ns);
		rest_s = path_port_rest_s(port, now_ns);
		if (candidate->ports[state] && rest_s <= candidate->rest_s[state])
			continue;
		candidate->ports[state] = port->port;
		candidate->rest_s[state] = rest_s;
	}
}

void candidates_shortlist(const struct candidates *candidates, enum way_state state,
	enum port_state worst, struct shortlist *ret_list)
{
	const struct candidate *candidate;
	enum port_state port;

	ret_list->n = 0;
	for (size_t i = 0; i < candidates->n; i++) {
		candidate = &candidates->all[i];
		for (port = PORT_FREE; port < worst && !candidate->ports[port]; port++)
			;
		if (!candidate->ports[port] || candidate->state != state)
			continue;
		ret_list->paths[ret_list->n] = candidate->path;
		ret_list->ports[ret_list->n++] = candidate->ports[port];
	}
}

static bool is_free(const struct router *router)
{
	return !router->load && !router->is_contended;
}

void candidates_shortlist_free(
	const struct candidates *candidates, unsigned int depth, struct shortlist *ret_list)
{
	size_t n;

	ret_list->n = 0;
	for (enum port_state worst = PORT_FREE; worst <= PORT_LEFT && !ret_list->n; worst++) {
		candidates_shortlist(candidates, WAY_GOOD, worst, ret_list);
		n = ret_list->n;
		ret_list->n = 0;
		for (size_t i = 0; i < n; i++) {
			if (!is_free(ret_list->paths[i].tiers[depth]))
				continue;
			ret_list->paths[ret_list->n] = ret_list->paths[i];
			ret_list->ports[ret_list->n++] = ret_list->ports[i];
		}
	}
}
