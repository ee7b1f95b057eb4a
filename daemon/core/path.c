/* SPDX-License-Identifier: MIT */
/* Memory: which source port takes which routers to a destination. */
#include "path.h"

#include "core/path_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>

#define MISS_MAX   .01
#define MISS_SURE  .00001
#define SECOND_NS  1000000000ull
#define PORTS_KEPT 4  /* of each way, whoever needs room: a way without a port is forgotten */
#define REST_S     61 /* include/net/tcp.h: TCP_TIMEWAIT_LEN, and a second begun */

_Static_assert(sizeof(struct path_map) <= 4096, "a path map is to cost 4 KB at most");

struct in6_addr path_address(const struct endpoint *endpoint)
{
	struct in6_addr address = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	if (endpoint->family == AF_INET6)
		return endpoint->v6;
	memcpy(&address.s6_addr[12], &endpoint->v4, sizeof(endpoint->v4));
	return address;
}

struct endpoint path_endpoint(const struct in6_addr *address, uint16_t port)
{
	struct endpoint endpoint = {.family = AF_INET6, .port = port, .v6 = *address};

	return endpoint_unmap(&endpoint);
}

struct path_key path_key_of(
	uint64_t netns, const struct endpoint *local, const struct endpoint *remote)
{
	return (struct path_key){.netns = netns,
		.local = path_address(local),
		.remote = path_address(remote),
		.remote_port = remote->port};
}

void path_map_reset(struct path_map *map)
{
	for (unsigned int i = 0; i < map->n_routers; i++)
		map->routers[i]->maps--;
	map->state = PATH_UNKNOWN;
	map->n_ports = map->n_routers = 0;
	map->hops = map->depth = 0;
	map->is_tangled = map->is_thorough = map->is_partial = false;
	*map->why = '\0';
}

void path_map_renew(struct path_map *map)
{
	uint8_t n_ports = map->n_ports;

	path_map_reset(map);
	for (unsigned int i = 0; i < n_ports; i++) {
		if (!map->ports[i].is_taken)
			continue;
		map->ports[map->n_ports++] = (struct path_port){
			.port = map->ports[i].port, .is_taken = true, .is_sought = true};
	}
}

void path_map_silence(struct path_map *map, const char *why, uint64_t now_ns)
{
	map->state = PATH_SILENT;
	map->is_changed = true;
	map->learned_ns = now_ns;
	snprintf(map->why, sizeof(map->why), "%s", why);
}

/* 1 + its index; 0 when there is no room. */
static uint8_t index_router(struct path_map *map, struct router *router)
{
	for (uint8_t i = 0; i < map->n_routers; i++) {
		if (map->routers[i] == router)
			return i + 1;
	}
	if (map->n_routers == PATH_ROUTERS_MAX)
		return 0;
	router->maps++;
	map->routers[map->n_routers++] = router;
	return map->n_routers;
}

/* Two ports that meet at the deciding tier have come the same way, or the map is tangled. */
static void compare(struct path_map *map, const struct path_port *port)
{
	const struct path_port *other;
	unsigned int last = map->depth;

	if (!last || !port->tiers[last])
		return;
	for (unsigned int i = 0; i < map->n_ports; i++) {
		other = &map->ports[i];
		if (other->tiers[last] != port->tiers[last])
			continue;
		for (unsigned int tier = 0; tier < last; tier++)
			map->is_tangled |= port->tiers[tier] && other->tiers[tier] &&
					   port->tiers[tier] != other->tiers[tier];
	}
}

void path_map_deepen(struct path_map *map, uint8_t depth)
{
	if (map->depth == depth)
		return;
	map->depth = depth;
	map->is_changed = true;
	map->is_tangled = false;
	for (unsigned int i = 0; i < map->n_ports; i++) {
		compare(map, &map->ports[i]);
		map->ports[i].is_sought |= map->ports[i].is_taken;
	}
}

int path_learn(struct path_table *table, struct path_map *map, uint16_t port, unsigned int tier,
	const struct in6_addr *address)
{
	struct router *router = path_table_get_router(table, map->key.netns, address);
	struct path_port *known = path_port_find(map, port);
	uint8_t index;

	map->is_changed = true;
	if (!router)
		return -ENOMEM;
	index = index_router(map, router);
	if (!index || tier >= PATH_TIERS_MAX)
		return -ENOSPC;
	if (!known) {
		if (map->n_ports == PATH_PORTS_MAX) {
			table->counters.ports_refused++;
			return -ENOSPC;
		}
		known = &map->ports[map->n_ports++];
		*known = (struct path_port){.port = port};
	}
	known->tiers[tier] = index;
	compare(map, known);
	return 0;
}

struct path_port *path_port_find(struct path_map *map, uint16_t port)
{
	for (unsigned int i = 0; i < map->n_ports; i++) {
		if (map->ports[i].port == port)
			return &map->ports[i];
	}
	return NULL;
}

int path_port_seek(struct path_map *map, uint16_t port)
{
	path_make_room(map, 1);
	if (map->n_ports == PATH_PORTS_MAX)
		return -ENOSPC;
	map->ports[map->n_ports++] =
		(struct path_port){.port = port, .is_taken = true, .is_sought = true};
	return 0;
}

/* Of the ports that meet at the deciding tier only the first were asked for the tiers before it. */
static void bequeath(struct path_map *map, const struct path_port *gone)
{
	struct path_port *heir;

	if (map->is_tangled || !gone->tiers[map->depth])
		return;
	for (unsigned int i = 0; i < map->n_ports; i++) {
		heir = &map->ports[i];
		if (heir->tiers[map->depth] != gone->tiers[map->depth])
			continue;
		for (unsigned int tier = 0; tier < map->depth; tier++) {
			if (!heir->tiers[tier])
				heir->tiers[tier] = gone->tiers[tier];
		}
		return;
	}
}

void path_port_drop(struct path_map *map, struct path_port *port)
{
	struct path_port gone = *port;

	*port = map->ports[--map->n_ports];
	map->is_changed = true;
	bequeath(map, &gone);
}

static void rest(struct path_port *port, bool is_refused, uint64_t now_ns)
{
	port->is_taken = false;
	port->is_refused = is_refused;
	port->rested_s = MAX((uint16_t)(now_ns / SECOND_NS), 1);
}

void path_port_leave(struct path_port *port, uint64_t now_ns)
{
	rest(port, false, now_ns);
}

void path_port_refuse(struct path_port *port, uint64_t now_ns)
{
	rest(port, true, now_ns);
}

uint16_t path_port_rest_s(const struct path_port *port, uint64_t now_ns)
{
	/* It wraps around after 18 hours, and then a port rests once more. */
	uint16_t rest_s = now_ns / SECOND_NS - port->rested_s;

	if (!port->rested_s)
		return UINT16_MAX;
	/* What began in a second 0 is noted as of the next one. */
	return rest_s == UINT16_MAX ? 0 : rest_s;
}

enum port_state path_port_state(const struct path_port *port, uint64_t now_ns)
{
	if (port->is_taken)
		return PORT_HELD;
	if (path_port_rest_s(port, now_ns) >= REST_S)
		return PORT_FREE;
	return port->is_refused ? PORT_HELD : PORT_LEFT;
}

/* One that rests, on the way that most ports lead; refused ones first. NULL: all are needed. */
static struct path_port *find_needless(struct path_map *map)
{
	unsigned int counts[PATH_ROUTERS_MAX + 1] = {}, count, most = PORTS_KEPT;
	struct path_port *port, *found = NULL;

	for (unsigned int i = 0; map->depth && i < map->n_ports; i++)
		counts[map->ports[i].tiers[map->depth]]++;
	for (unsigned int i = 0; i < map->n_ports; i++) {
		port = &map->ports[i];
		if (!port->rested_s || port->is_taken)
			continue;
		count = path_is_known(map, port) ? counts[port->tiers[map->depth]]
						 : PATH_PORTS_MAX + 1;
		if (count < most || (count == most && (!found || found->is_refused)))
			continue;
		found = port;
		most = count;
	}
	return found;
}

void path_make_room(struct path_map *map, unsigned int n)
{
	struct path_port *port;

	while (map->n_ports + n > PATH_PORTS_MAX && (port = find_needless(map)))
		path_port_drop(map, port);
}

static uint8_t infer(const struct path_map *map, const struct path_port *port, unsigned int tier)
{
	const struct path_port *other;
	unsigned int last = map->depth;

	if (port->tiers[tier] || map->is_tangled || !port->tiers[last])
		return port->tiers[tier];
	for (unsigned int i = 0; i < map->n_ports; i++) {
		other = &map->ports[i];
		if (other->tiers[tier] && other->tiers[last] == port->tiers[last])
			return other->tiers[tier];
	}
	return 0;
}

struct path path_of(const struct path_map *map, const struct path_port *port)
{
	struct path path = {};
	uint8_t index;

	for (unsigned int tier = 0; tier <= map->depth && tier < PATH_TIERS_MAX; tier++) {
		index = infer(map, port, tier);
		path.tiers[tier] = index ? map->routers[index - 1] : NULL;
	}
	return path;
}

void path_of_all(const struct path_map *map, struct path ret_paths[PATH_PORTS_MAX])
{
	/* By the deciding router: the first of those that meet there, from 1. */
	uint8_t first[PATH_ROUTERS_MAX + 1] = {}, *known, index;
	const struct path_port *port;

	for (unsigned int i = 0; i < map->n_ports; i++) {
		port = &map->ports[i];
		ret_paths[i] = (struct path){};
		if (!path_is_known(map, port))
			continue;
		known = &first[port->tiers[map->depth]];
		if (!*known) {
			*known = i + 1;
			ret_paths[i] = path_of(map, port);
			continue;
		}
		if (!map->is_tangled)
			ret_paths[i] = ret_paths[*known - 1];
		for (unsigned int tier = 0; tier <= map->depth; tier++) {
			index = port->tiers[tier];
			if (index)
				ret_paths[i].tiers[tier] = map->routers[index - 1];
		}
	}
}

bool path_is_known(const struct path_map *map, const struct path_port *port)
{
	return map->depth && port->tiers[map->depth];
}

bool path_is_sought(const struct path_map *map, const struct path_port *port)
{
	return port->is_sought && !path_is_known(map, port);
}

bool path_is_seeking(const struct path_map *map)
{
	for (unsigned int i = 0; i < map->n_ports; i++) {
		if (path_is_sought(map, &map->ports[i]))
			return true;
	}
	return false;
}

unsigned int path_count(const struct path_map *map, unsigned int tier, unsigned int *ret_ports)
{
	bool is_seen[PATH_ROUTERS_MAX + 1] = {};
	unsigned int count = 0, ports = 0;
	uint8_t index;

	for (unsigned int i = 0; i < map->n_ports; i++) {
		index = map->ports[i].tiers[tier];
		if (!index)
			continue;
		ports++;
		count += !is_seen[index];
		is_seen[index] = true;
	}
	*ret_ports = ports;
	return count;
}

static unsigned int count_flows(unsigned int paths, double miss_max)
{
	double miss = paths + 1;
	unsigned int flows = 0;

	if (!paths)
		return 0;
	for (; miss > miss_max; flows++)
		miss *= (double)paths / (paths + 1);
	return flows;
}

unsigned int path_flows_enough(unsigned int paths)
{
	return count_flows(paths, MISS_MAX);
}

unsigned int path_flows_sure(unsigned int paths)
{
	return count_flows(paths, MISS_SURE);
}

double path_missed(const struct path_map *map)
{
	unsigned int flows, paths, ports;
	double missed = 0, tier_missed;

	path_count(map, map->depth, &flows);
	if (!map->depth || !flows)
		return 1;
	for (unsigned int tier = 0; tier <= map->depth; tier++) {
		paths = path_count(map, tier, &ports);
		tier_missed = paths ? paths + 1 : 0;
		for (unsigned int i = 0; i < flows; i++)
			tier_missed *= (double)paths / (paths + 1);
		missed = MAX(missed, tier_missed);
	}
	return MIN(missed, 1);
}

const char *path_router_text(
	const struct router *router, unsigned int tier, char text[INET6_ADDRSTRLEN])
{
	const uint8_t *bytes = router->key.address.s6_addr;
	uint32_t device_be;

	memcpy(&device_be, bytes + 12, sizeof(device_be));
	if (!tier)
		snprintf(text, INET6_ADDRSTRLEN, "device %u", ntohl(device_be));
	else if (IN6_IS_ADDR_V4MAPPED(&router->key.address))
		inet_ntop(AF_INET, bytes + 12, text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, bytes, text, INET6_ADDRSTRLEN);
	return text;
}

static uint32_t *load_of(struct router *router, bool is_light)
{
	return is_light ? &router->light : &router->load;
}

bool path_is_set(const struct path *path)
{
	for (unsigned int tier = 0; tier < PATH_TIERS_MAX; tier++) {
		if (path->tiers[tier])
			return true;
	}
	return false;
}

bool path_is_apart(const struct path *a, const struct path *b)
{
	for (unsigned int tier = 0; tier < PATH_TIERS_MAX; tier++) {
		if (a->tiers[tier] && b->tiers[tier] && a->tiers[tier] != b->tiers[tier])
			return true;
	}
	return false;
}

uint64_t path_shunned_until_ns(const struct path *path)
{
	uint64_t until_ns = 0;

	for (unsigned int tier = 0; tier < PATH_TIERS_MAX; tier++) {
		if (path->tiers[tier])
			until_ns = MAX(until_ns, path->tiers[tier]->shunned_until_ns);
	}
	return until_ns;
}

void path_load(const struct path *path, bool is_light)
{
	for (unsigned int tier = 0; tier < PATH_TIERS_MAX; tier++) {
		if (path->tiers[tier])
			++*load_of(path->tiers[tier], is_light);
	}
}

void path_unload(struct path *path, bool is_light)
{
	for (unsigned int tier = 0; tier < PATH_TIERS_MAX; tier++) {
		if (path->tiers[tier])
			--*load_of(path->tiers[tier], is_light);
	}
	*path = (struct path){};
}
