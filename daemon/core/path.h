/* SPDX-License-Identifier: MIT */
/* Memory: which source port takes which routers to a destination. */
#ifndef SUBFLOW_PATH_H
#define SUBFLOW_PATH_H

#include "core/endpoint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>

/*
 * Tier 0 is the device by which the host sends, where it has several; tier t is
 * the router t hops away. The tiers end where the ways up and down a fabric meet:
 * from there on nothing is left to choose. So these are fabrics of 7 hops.
 */
#define PATH_TIERS_MAX   5
#define PATH_ROUTERS_MAX 64  /* of one map */
#define PATH_PORTS_MAX   240 /* of one map: enough to be sure of 16 paths */
#define PATH_WHY_MAX     64

struct path_table;

struct router_key {
	uint64_t netns; /* of the host that sees it: its address means something there only */
	struct in6_addr address; /* v4-mapped; of tier 0, the number of the device */
};

struct router {
	struct router_key key;
	UT_hash_handle hh;
	/* Subflows of this host that pass it, as far as their paths are known. */
	uint32_t load;
	uint32_t light;    /* first ones of connections that nobody has split, apart from these */
	uint32_t own;      /* of the load, one connection's: used while one is placed */
	uint32_t maps;     /* that list it */
	bool is_contended; /* used while one is placed */
	uint64_t contended_until_ns; /* somebody else's elephant was noticed there */
	uint64_t shunned_until_ns;   /* a path through it has failed; CLOCK_MONOTONIC */
};

/* The way of one flow; NULL where it is not known, or there is nothing to choose. */
struct path {
	struct router *tiers[PATH_TIERS_MAX];
};

/* Ports decide the way together with both addresses and the destination's port. */
struct path_key {
	uint64_t netns;
	struct in6_addr local, remote; /* IPv4 is v4-mapped */
	uint32_t remote_port;
	uint32_t zero; /* padding; part of the hash */
};

struct path_port {
	uint16_t port;
	uint16_t rested_s; /* since when it is left or refused, CLOCK_MONOTONIC; 0 = ever */
	bool is_taken;     /* by a subflow of ours, or by somebody else */
	bool is_sought;    /* of a subflow that is there: its way is to be asked, or asked again */
	bool is_refused;   /* when it was tried last, it was somebody else's */
	uint8_t tiers[PATH_TIERS_MAX]; /* 1 + index of map.routers; 0 = not known */
};

/* Whether a subflow can be opened from a port, as far as is known. */
enum port_state {
	PORT_FREE,
	PORT_LEFT, /* by a subflow, and may be in TIME-WAIT: who tries it is told */
	PORT_HELD, /* by a subflow of ours, or by somebody else a moment ago */
	PORT_STATES,
};

enum path_state {
	PATH_UNKNOWN, /* never asked, or too long ago */
	PATH_ASKING,  /* what is known so far may be used */
	PATH_KNOWN,
	PATH_SILENT, /* nothing can be found out, for the reason given */
};

struct path_map {
	struct path_key key;
	UT_hash_handle hh;
	TAILQ_ENTRY(path_map) age; /* in path_table.by_age, the one longest not used first */
	enum path_state state;
	char why[PATH_WHY_MAX];            /* of PATH_SILENT */
	uint64_t learned_ns, confirmed_ns; /* CLOCK_MONOTONIC */
	uint32_t probes;                   /* sent for it, ever */
	uint8_t hops;                      /* routers up to the destination */
	uint8_t depth;                     /* the tier by which paths are told apart */
	bool is_tangled;                   /* the router there does not tell those before it */
	bool is_thorough;                  /* looked at until it was sure: path_flows_sure() */
	bool is_partial; /* too few ports, or answers, for the rule; or too many routers */
	bool is_changed; /* by a survey, since the tape has noted it */
	uint8_t n_routers, n_ports;
	struct router *routers[PATH_ROUTERS_MAX];
	struct path_port ports[PATH_PORTS_MAX];
};

struct path_key path_key_of(
	uint64_t netns, const struct endpoint *local, const struct endpoint *remote);
struct in6_addr path_address(const struct endpoint *endpoint);
struct endpoint path_endpoint(const struct in6_addr *address, uint16_t port);

/* Forgets what was learned, so that it is asked again. */
void path_map_reset(struct path_map *map);

/* The same, but the ports of subflows that are there stay, to be asked again. */
void path_map_renew(struct path_map *map);

/* Ways are told apart at @depth from now on: those of subflows that are there are asked for there.
 */
void path_map_deepen(struct path_map *map, uint8_t depth);
void path_map_silence(struct path_map *map, const char *why, uint64_t now_ns);

/* Notes that a flow from @port passes @address at @tier. -ENOSPC, -ENOMEM. */
int path_learn(struct path_table *table, struct path_map *map, uint16_t port, unsigned int tier,
	const struct in6_addr *address);

struct path_port *path_port_find(struct path_map *map, uint16_t port);

/* A subflow leaves from @port, and its way is not known: a survey is to ask. -ENOSPC. */
int path_port_seek(struct path_map *map, uint16_t port);
void path_port_drop(struct path_map *map, struct path_port *port);

/*
 * A subflow has left it, or it is somebody else's. Its way stays known; it rests for as long as
 * TIME-WAIT takes.
 */
void path_port_leave(struct path_port *port, uint64_t now_ns);
void path_port_refuse(struct path_port *port, uint64_t now_ns);

enum port_state path_port_state(const struct path_port *port, uint64_t now_ns);

/* How long ago it was left or refused; of one that never was, the longest there is. */
uint16_t path_port_rest_s(const struct path_port *port, uint64_t now_ns);

/* Forgets ports that rest until there is room for @n others, if it can; no way for that. */
void path_make_room(struct path_map *map, unsigned int n);

/* What is known of the way from a port; the map's other ports help out. */
struct path path_of(const struct path_map *map, const struct path_port *port);

/* The same of all of its ports: of those whose deciding router is not known it is empty. */
void path_of_all(const struct path_map *map, struct path ret_paths[PATH_PORTS_MAX]);

/* Whether it is known at the tier that tells paths apart. */
bool path_is_known(const struct path_map *map, const struct path_port *port);

/* Whether a survey is to find it out; whether that is so of any port. */
bool path_is_sought(const struct path_map *map, const struct path_port *port);
bool path_is_seeking(const struct path_map *map);

/* Different routers seen at @tier, and ports that were seen there. */
unsigned int path_count(const struct path_map *map, unsigned int tier, unsigned int *ret_ports);

/*
 * How many flows must have been seen on @paths different ways, so that one more,
 * equally likely, would have been missed with a probability of 1 % at most: the
 * stopping rule of the Multipath Detection Algorithm (Veitch, Augustin, Teixeira,
 * Friedman: Failure control in multipath route tracing, INFOCOM 2009).
 */
unsigned int path_flows_enough(unsigned int paths);

/*
 * The same for 1 in 100,000: asked for before a subflow shares a way because there
 * seem to be no more. A path missed by 1 % of all surveys would idle for as long as
 * the map lives; the probes are spent where it would have made a difference.
 */
unsigned int path_flows_sure(unsigned int paths);

/*
 * The probability that one more way, as likely as each of those that were seen, was
 * missed by as many flows as were seen; 1 where nothing was.
 */
double path_missed(const struct path_map *map);

/* "10.0.1.2", "fd00::1"; of tier 0 "device 3". Returns @text. */
const char *path_router_text(
	const struct router *router, unsigned int tier, char text[INET6_ADDRSTRLEN]);

/* Whether anything of the way is known; whether the two are known to be different ones. */
bool path_is_set(const struct path *path);
bool path_is_apart(const struct path *a, const struct path *b);

/* Until when others are preferred, since a path through one of its routers has failed. */
uint64_t path_shunned_until_ns(const struct path *path);

/* A subflow takes the way, or leaves it. */
void path_load(const struct path *path, bool is_light);
void path_unload(struct path *path, bool is_light);

#endif
