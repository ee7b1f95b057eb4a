/* SPDX-License-Identifier: MIT */
/* Judgement: the ways that the known ports of a map lead, for one subflow. */
#include "candidates.h"

static void add(struct candidates *c, const struct path *path, uint16_t port, uint16_t rest_s)
{
	c->paths[c->n] = *path;
	c->ports[c->n] = port;
	c->rest_s[c->n++] = rest_s;
}

void candidates_collect(const struct path_map *map, enum port_state worst, bool is_shunned,
	uint64_t now_ns, struct candidates *ret_candidates)
{
	const struct path_port *port;
	struct router *router;
	struct path path;

	ret_candidates->n = 0;
	for (unsigned int i = 0; i < map->n_ports; i++) {
		port = &map->ports[i];
		if (path_port_state(port, now_ns) > worst || !path_is_known(map, port))
			continue;
		path = path_of(map, port);
		router = path.tiers[map->depth];
		router->is_contended = router->contended_until_ns > now_ns;
		if ((path_shunned_until_ns(&path) > now_ns) == is_shunned)
			add(ret_candidates, &path, port->port, path_port_rest_s(port, now_ns));
	}
}

static bool is_free(const struct router *router)
{
	return !router->load && !router->is_contended;
}

void candidates_collect_free(
	const struct path_map *map, uint64_t now_ns, struct candidates *ret_candidates)
{
	struct candidates *c = ret_candidates;
	size_t n;

	c->n = 0;
	for (enum port_state worst = PORT_FREE; worst <= PORT_LEFT && !c->n; worst++) {
		candidates_collect(map, worst, false, now_ns, c);
		n = c->n;
		c->n = 0;
		for (size_t i = 0; i < n; i++) {
			if (is_free(c->paths[i].tiers[map->depth]))
				add(c, &c->paths[i], c->ports[i], c->rest_s[i]);
		}
	}
}
