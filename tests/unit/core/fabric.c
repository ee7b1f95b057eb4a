/* SPDX-License-Identifier: MIT */
/* A fabric that loses, delays and rations answers, and a survey of it on a machine that stalls. */
#include "fabric.h"

#include <sys/param.h>

#define PEER_PORT    7000
#define ROUTERS_ADDR 0x0a000000u

static struct endpoint endpoint(uint32_t address, uint16_t port)
{
	return (struct endpoint){.family = AF_INET, .port = port, .v4.s_addr = htonl(address)};
}

static uint64_t hash(uint64_t seed, unsigned int hop, uint16_t port)
{
	uint64_t state = (seed << 24 ^ (uint64_t)hop << 16 ^ port) * 0x9e3779b97f4a7c15ull | 1;

	for (int i = 0; i < 4; i++)
		ports_random(&state);
	return ports_random(&state) >> 32;
}

/* Which of the routers of a hop: a leaf-spine parts at the second, a fat-tree at two. */
static unsigned int choose_router(const struct fabric *fabric, unsigned int hop, uint16_t port)
{
	unsigned int up = hash(fabric->seed, 1, port) % fabric->ways;
	unsigned int core = hash(fabric->seed, 2, port) % fabric->ways;

	if (fabric->hops - fabric->has_host_router == 3)
		return hop == 2 ? up : 0;
	switch (hop) {
	case 2:
	case 4:
		return up;
	case 3:
		return up * fabric->ways + core;
	default:
		return 0;
	}
}

struct in6_addr fabric_router(unsigned int hop, unsigned int number)
{
	struct endpoint router = endpoint(ROUTERS_ADDR + (hop << 8) + number, 0);

	return path_address(&router);
}

struct in6_addr fabric_router_of(const struct fabric *fabric, unsigned int hop, uint16_t port)
{
	return fabric_router(hop, choose_router(fabric, hop, port));
}

void fabric_begin(struct fabric_play *play, const struct fabric *fabric, uint64_t seed)
{
	*play = (struct fabric_play){.fabric = *fabric,
		.ports = {.low = 32768, .high = 60999},
		.now_ns = SECOND_NS,
		.random = seed * 2 + 1};
	play->fabric.seed = seed;
	for (int i = 0; i < 4; i++)
		ports_random(&play->random);
	path_table_init(&play->table);
}

void fabric_survey(struct fabric_play *play, uint32_t address)
{
	struct endpoint local = endpoint(0xc0a80001, 0), remote = endpoint(address, PEER_PORT);

	play->n_flights = 0;
	if (play->survey.prefix)
		survey_done(&play->survey);
	assert_int_equal(survey_init(&play->survey, &play->table, 1, &local, &remote, &play->ports,
				 false, play->random | 1, play->now_ns),
		0);
	survey_note_ttl(&play->survey, play->fabric.ttl);
}

static bool is_dead(const struct fabric *fabric, unsigned int spine)
{
	return spine < 32 && fabric->dead >> spine & 1;
}

void fabric_answer(struct fabric_play *play, const struct survey_probe *probe)
{
	struct fabric *fabric = &play->fabric;
	uint64_t rtt_ns =
		play->heard || !fabric->first_rtt_ns ? fabric->rtt_ns : fabric->first_rtt_ns;
	struct in6_addr router;

	if (play->muted && play->survey.phase == play->muted)
		return;
	play->probes++;
	if (probe->ttl > 1 && is_dead(fabric, choose_router(fabric, 2, probe->port)))
		return;
	if (probe->ttl > fabric->hops) {
		play->peer_probes++;
		return;
	}
	if (fabric->silent & 1 << probe->ttl)
		return;
	if (ports_random(&play->random) >> 32 < fabric->lost * (UINT32_MAX / 1000))
		return;
	if (fabric->period_ns && fabric->spoken_ns[probe->ttl] &&
		play->now_ns - fabric->spoken_ns[probe->ttl] < fabric->period_ns)
		return;
	fabric->spoken_ns[probe->ttl] = play->now_ns;
	router = fabric_router_of(fabric, probe->ttl, probe->port);
	if (fabric->has_aliases && probe->ttl == 2 && ports_random(&play->random) >> 63)
		router = fabric_router(2, 64 + choose_router(fabric, 2, probe->port));
	assert_in_range(play->n_flights, 0, FABRIC_FLIGHTS_MAX - 1);
	play->flights[play->n_flights++] = (struct fabric_flight){
		.due_ns = play->now_ns + rtt_ns + ports_random(&play->random) % (rtt_ns + 1),
		.port = probe->port,
		.cookie = probe->cookie,
		.router = router};
}

static void note_parting(struct fabric_play *play)
{
	const struct path_map *map = play->survey.map;
	unsigned int ports;

	if (play->parted_ns || !map->depth || path_count(map, map->depth, &ports) < 2)
		return;
	play->parted = play->survey.phase;
	play->parted_ns = play->now_ns;
}

void fabric_hear(struct fabric_play *play)
{
	struct fabric_flight flight;

	for (unsigned int i = 0; i < play->n_flights;) {
		flight = play->flights[i];
		if (flight.due_ns > play->now_ns) {
			i++;
			continue;
		}
		play->flights[i] = play->flights[--play->n_flights];
		play->heard++;
		survey_hear(
			&play->survey, flight.port, flight.cookie, &flight.router, play->now_ns);
		note_parting(play);
	}
}

/* As the scout does it: what has come is heard before the clock is looked at. */
void fabric_run(struct fabric_play *play)
{
	struct survey_probe probe;
	uint64_t next_ns;

	while (play->survey.phase != SURVEY_DONE) {
		fabric_hear(play);
		survey_tick(&play->survey, play->now_ns);
		while (survey_next(&play->survey, play->now_ns, &probe))
			fabric_answer(play, &probe);
		if (play->survey.phase == SURVEY_DONE)
			break;
		next_ns = survey_deadline(&play->survey);
		for (unsigned int i = 0; i < play->n_flights; i++)
			next_ns = MIN(next_ns, play->flights[i].due_ns);
		play->now_ns = MAX(play->now_ns, next_ns);
		if (play->fabric.stall_ns)
			play->now_ns += ports_random(&play->random) % play->fabric.stall_ns;
	}
}

struct path_map *fabric_look(struct fabric_play *play, uint32_t address)
{
	fabric_survey(play, address);
	fabric_run(play);
	return play->survey.map;
}

struct path_map *fabric_explore(
	struct fabric_play *play, const struct fabric *fabric, uint64_t seed)
{
	fabric_begin(play, fabric, seed);
	return fabric_look(play, FABRIC_PEER);
}

unsigned int fabric_count_ways(const struct path_map *map)
{
	unsigned int ports;

	return path_count(map, map->depth, &ports);
}

void fabric_assert_true(const struct path_map *map, const struct fabric *fabric)
{
	struct in6_addr address;
	struct path path;

	for (unsigned int i = 0; i < map->n_ports; i++) {
		path = path_of(map, &map->ports[i]);
		for (unsigned int tier = 1; tier <= map->depth; tier++) {
			if (!path.tiers[tier])
				continue;
			address = fabric_router_of(fabric, tier, map->ports[i].port);
			assert_memory_equal(
				&path.tiers[tier]->key.address, &address, sizeof(address));
		}
	}
}
