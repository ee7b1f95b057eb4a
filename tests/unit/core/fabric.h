/* SPDX-License-Identifier: MIT */
/* A fabric that loses, delays and rations answers, and a survey of it on a machine that stalls. */
#ifndef TEST_FABRIC_H
#define TEST_FABRIC_H

#include "core/survey.h"

#include "../unit.h"

#define MS                 1000000ull
#define SECOND_NS          (1000 * MS)
#define FABRIC_FLIGHTS_MAX 64
#define FABRIC_PEER        0xc0a80101u /* the next address is another host of its prefix */
#define FABRICS            400         /* played where it goes by lot */

/* Routers of a leaf-spine (3 hops) or of a fat-tree (5), and how they behave. */
struct fabric {
	unsigned int hops;
	unsigned int ways;      /* leaf-spine: spines; fat-tree: routers up at each of two tiers */
	uint64_t seed;          /* how they hash */
	uint64_t rtt_ns;        /* of an answer; up to twice that, by lot */
	unsigned int lost;      /* answers of 1000 */
	uint64_t period_ns;     /* each router answers once in so long; 0 = always */
	unsigned int silent;    /* bits: hops that never answer */
	unsigned int dead;      /* leaf-spine; bits: spines that swallow everything */
	bool has_host_router;   /* the last hop is the peer's own host */
	bool has_aliases;       /* leaf-spine: spines answer by either of two addresses, by lot */
	uint8_t ttl;            /* of what comes from the peer; 0 = it is not known */
	uint64_t stall_ns;      /* the daemon sleeps up to so long at every turn */
	uint64_t first_rtt_ns;  /* before anything was answered: caches are cold */
	uint64_t spoken_ns[16]; /* the last answer of the routers of a hop */
};

/* An answer that is under way. */
struct fabric_flight {
	uint64_t due_ns;
	uint16_t port;
	uint32_t cookie;
	struct in6_addr router;
};

/* One survey at a time, of one table of maps. */
struct fabric_play {
	struct fabric fabric;
	struct path_table table;
	struct ports ports;
	struct survey survey;
	uint64_t now_ns, random;
	struct fabric_flight flights[FABRIC_FLIGHTS_MAX];
	unsigned int n_flights;
	unsigned int probes, peer_probes, heard;
	enum survey_phase muted;  /* in this phase nothing answers; SURVEY_HOPS: in none */
	enum survey_phase parted; /* what it was at when it first knew two ways */
	uint64_t parted_ns;
};

/* The router of that number at a hop, and the one that the flow from @port meets there. */
struct in6_addr fabric_router(unsigned int hop, unsigned int number);
struct in6_addr fabric_router_of(const struct fabric *fabric, unsigned int hop, uint16_t port);

/* Nothing is known yet; path_table_done() of its table is the caller's. */
void fabric_begin(struct fabric_play *play, const struct fabric *fabric, uint64_t seed);

/* A survey of the ways to that host; the one before it is done. */
void fabric_survey(struct fabric_play *play, uint32_t address);

/* Whether the routers answer the probe, and when. */
void fabric_answer(struct fabric_play *play, const struct survey_probe *probe);

/* The survey hears what has come by now. */
void fabric_hear(struct fabric_play *play);

/* The time passes until the survey is done. */
void fabric_run(struct fabric_play *play);

/* A survey from its beginning to its end; the map that was made. */
struct path_map *fabric_look(struct fabric_play *play, uint32_t address);

/* The first one of a fabric, to FABRIC_PEER. */
struct path_map *fabric_explore(
	struct fabric_play *play, const struct fabric *fabric, uint64_t seed);

/* At the tier by which they are told apart. */
unsigned int fabric_count_ways(const struct path_map *map);

/* What the map says is so: of every port, at every tier. */
void fabric_assert_true(const struct path_map *map, const struct fabric *fabric);

#endif
