/* SPDX-License-Identifier: MIT */
/*
 * Many hosts on one fabric, none of which knows of the others: elephants that meet on a way leave
 * each other, in few moves, and then stay where they are.
 */
#include "core/plan.h"
#include "core/ports.h"

#include "../unit.h"

#include <stdlib.h>
#include <string.h>

#define MS        1000000ull
#define SECOND    1000
#define HOLD_MS   60000
#define HOSTS_MAX 8
#define WAYS_MAX  64
#define LINK      12500000ull /* bytes a second */
#define SEEDS     40
#define FIRST     40000
#define PLACED    50000 /* of each way two ports are known */
#define TOKEN     7

/* A subflow as the kernel has it. */
struct flow {
	uint16_t port;
	unsigned int way;
	bool is_quiet;
	double bytes, busy_us;
};

struct host {
	struct plan plan;
	struct flow flows[SUBFLOWS_HARD_MAX];
	unsigned int n_flows;
	unsigned int moves;
};

struct world {
	struct host hosts[HOSTS_MAX];
	unsigned int n_hosts, n_ways;
	uint64_t now_ms, random;
	double noise;
};

static uint32_t draw(struct world *world, uint32_t below)
{
	return (ports_random(&world->random) >> 32) * below >> 32;
}

static struct conn_key key(void)
{
	return (struct conn_key){.netns = 1, .token = TOKEN};
}

static struct endpoint local(uint16_t port)
{
	return (struct endpoint){.family = AF_INET, .port = port, .v4.s_addr = htonl(0x0a000001)};
}

static struct endpoint remote(void)
{
	return (struct endpoint){.family = AF_INET, .port = 80, .v4.s_addr = htonl(0x0a000002)};
}

static unsigned int way_of(struct host *host, uint16_t port)
{
	const struct path_port *known;
	struct endpoint from = local(0), to = remote();
	struct path_key path_key = path_key_of(1, &from, &to);
	struct path_map *map = path_table_find(&host->plan.steer.paths, &path_key);

	known = path_port_find(map, port);
	assert_non_null(known);
	return map->routers[known->tiers[2] - 1]->key.address.s6_addr[15] - 16;
}

static void tell(struct world *world, struct host *host, struct event event)
{
	event.key = key();
	event.now_ns = world->now_ms * MS;
	plan_hear(&host->plan, &event);
}

static void begin_flow(struct host *host, uint16_t port)
{
	host->flows[host->n_flows++] = (struct flow){.port = port, .way = way_of(host, port)};
}

static struct flow *find_flow(struct host *host, uint16_t port)
{
	for (unsigned int i = 0; i < host->n_flows; i++) {
		if (host->flows[i].port == port)
			return &host->flows[i];
	}
	return NULL;
}

static struct rate_sample sample_of(const struct flow *flow)
{
	return (struct rate_sample){
		.bytes_acked = flow->bytes, .busy_us = flow->busy_us, .srtt_us = 1000};
}

static void do_one(struct world *world, struct host *host, struct action action)
{
	struct event event = {.serial = action.serial,
		.local = action.local,
		.remote = action.remote,
		.id = action.id,
		.reset_reason = -1};
	struct flow *flow = find_flow(host, action.local.port);

	switch (action.kind) {
	case ACTION_CREATE:
		event.kind = EVENT_CREATE_DONE;
		tell(world, host, event);
		begin_flow(host, action.local.port);
		event.kind = EVENT_SUBFLOW_ESTABLISHED;
		tell(world, host, event);
		break;
	case ACTION_DESTROY:
		event.kind = EVENT_DESTROY_DONE;
		tell(world, host, event);
		assert_non_null(flow);
		*flow = host->flows[--host->n_flows];
		event.kind = EVENT_SUBFLOW_CLOSED;
		tell(world, host, event);
		break;
	case ACTION_BACKUP:
		flow->is_quiet = action.is_backup;
		host->moves += action.is_backup;
		break;
	case ACTION_PACE:
		event.kind = EVENT_PACED;
		event.sample = sample_of(flow);
		tell(world, host, event);
		break;
	default:
		break;
	}
}

static void act(struct world *world, struct host *host)
{
	const struct action *action;

	while ((action = plan_next(&host->plan)))
		do_one(world, host, *action);
}

/* How many flows are on each way. */
static void count_flows(const struct world *world, unsigned int flows[WAYS_MAX])
{
	memset(flows, 0, WAYS_MAX * sizeof(*flows));
	for (unsigned int i = 0; i < world->n_hosts; i++) {
		const struct host *host = &world->hosts[i];

		for (unsigned int j = 0; j < host->n_flows; j++)
			flows[host->flows[j].way] += !host->flows[j].is_quiet;
	}
}

/* Ways are shared evenly, but for the noise. */
static void carry(struct world *world)
{
	unsigned int flows[WAYS_MAX];
	double share;

	count_flows(world, flows);
	for (unsigned int i = 0; i < world->n_hosts; i++) {
		struct host *host = &world->hosts[i];

		for (unsigned int j = 0; j < host->n_flows; j++) {
			struct flow *flow = &host->flows[j];

			if (flow->is_quiet)
				continue;
			share = (draw(world, 2001) / 1000. - 1) * world->noise + 1;
			flow->bytes += LINK / 1000. / flows[flow->way] * share;
			flow->busy_us += 1000;
		}
	}
}

static void pass(struct world *world, uint64_t ms)
{
	uint64_t next_ns, end_ms = world->now_ms + ms;

	for (; world->now_ms < end_ms; world->now_ms++) {
		carry(world);
		for (unsigned int i = 0; i < world->n_hosts; i++) {
			struct plan *plan = &world->hosts[i].plan;

			next_ns = plan_tick(plan, 0);
			if (!next_ns || next_ns > world->now_ms * MS)
				continue;
			plan_tick(plan, world->now_ms * MS);
			act(world, &world->hosts[i]);
		}
	}
}

static void know(struct world *world, struct host *host, unsigned int first_way)
{
	struct path_table *table = &host->plan.steer.paths;
	struct endpoint from = local(0), to = remote();
	struct path_key path_key = path_key_of(1, &from, &to);
	struct path_map *map = path_table_get(table, &path_key);
	struct in6_addr router = {.s6_addr = {[0] = 0xfd}};
	unsigned int way, turn = draw(world, world->n_ways);

	map->depth = 2;
	map->state = PATH_KNOWN;
	map->is_thorough = true;
	map->learned_ns = map->confirmed_ns = world->now_ms * MS;
	/* Each host has asked with ports of its own. */
	for (unsigned int i = 0; i <= 2 * world->n_ways; i++) {
		way = i ? (i + turn) % world->n_ways : first_way;
		router.s6_addr[15] = 1;
		path_learn(table, map, i ? PLACED + i : FIRST, 1, &router);
		router.s6_addr[15] = 16 + way;
		path_learn(table, map, i ? PLACED + i : FIRST, 2, &router);
	}
}

static void begin_host(struct world *world, unsigned int subflows)
{
	static const struct elephant_rule rule = {
		.start_bytes = 100, .step_bytes = 1, .stop_bytes = 1000, .max_subflows = 64};
	struct host *host = &world->hosts[world->n_hosts++];
	struct event event = {.local = local(FIRST), .remote = remote()};

	assert_int_equal(plan_init(&host->plan, &rule, 64, 3), 0);
	host->plan.steer.mode = STEER_PATHS;
	host->plan.steer.random = ports_random(&world->random);
	host->plan.aparts.rule =
		(struct apart_rule){.moves = 2, .hold_ns = HOLD_MS * MS, .delay_ns = 100 * MS};
	host->plan.lags.rule.slow_percent = 60;
	know(world, host, draw(world, world->n_ways));
	begin_flow(host, FIRST);
	event.kind = EVENT_CREATED;
	tell(world, host, event);
	event.kind = EVENT_ESTABLISHED;
	tell(world, host, event);
	for (unsigned int i = 1; i < subflows; i++) {
		tell(world, host,
			(struct event){
				.kind = EVENT_THRESHOLD, .threshold = 99 + i, .bytes = 99 + i});
		act(world, host);
	}
	assert_int_equal(host->n_flows, subflows);
}

static void end(struct world *world)
{
	for (unsigned int i = 0; i < world->n_hosts; i++)
		plan_done(&world->hosts[i].plan);
}

/* Flows that have not got a way to themselves. */
static unsigned int count_crowded(const struct world *world)
{
	unsigned int flows[WAYS_MAX], crowded = 0;

	count_flows(world, flows);
	for (unsigned int way = 0; way < WAYS_MAX; way++)
		crowded += flows[way] > 1 ? flows[way] - 1 : 0;
	return crowded;
}

static unsigned int count_moves(const struct world *world)
{
	unsigned int moves = 0;

	for (unsigned int i = 0; i < world->n_hosts; i++)
		moves += world->hosts[i].moves;
	return moves;
}

/* Returns how many are crowded in the end, of how many that were; each rests in between. */
static unsigned int play(unsigned int hosts, unsigned int subflows, unsigned int ways, double noise,
	uint64_t seed, unsigned int *ret_before)
{
	struct world *world = calloc(1, sizeof(*world));
	unsigned int crowded, moves;

	assert_non_null(world);
	world->n_ways = ways;
	world->noise = noise;
	world->random = seed;
	world->now_ms = SECOND;
	for (unsigned int i = 0; i < hosts; i++)
		begin_host(world, subflows);
	*ret_before = count_crowded(world);
	pass(world, 2 * SECOND);
	moves = count_moves(world);
	crowded = count_crowded(world);
	for (unsigned int i = 0; i < hosts; i++)
		assert_in_range(world->hosts[i].moves, 0, 2);
	/* What nobody can mend, or nobody may, is left as it is. */
	pass(world, HOLD_MS - 3 * SECOND);
	assert_in_range(count_moves(world) - moves, 0, 2 * hosts - moves);
	for (unsigned int i = 0; i < hosts; i++)
		assert_in_range(world->hosts[i].moves, 0, 2);
	if (!crowded)
		assert_int_equal(count_moves(world), moves);
	crowded = count_crowded(world);
	end(world);
	free(world);
	return crowded;
}

static void sum(unsigned int hosts, unsigned int subflows, unsigned int ways, double noise,
	unsigned int *ret_before, unsigned int *ret_after)
{
	unsigned int before;

	*ret_before = *ret_after = 0;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		*ret_after += play(hosts, subflows, ways, noise, seed, &before);
		*ret_before += before;
	}
	print_message("%u hosts, %u subflows, %u ways: %u crowded, then %u\n", hosts, subflows,
		ways, *ret_before, *ret_after);
}

static void where_there_is_room_most_are_apart_soon(void **state)
{
	unsigned int before, after;

	(void)state;
	sum(2, 3, 16, .3, &before, &after);
	assert_true(before > 0);
	/* Two may follow each other with both their moves. */
	assert_true(after * 4 <= before);
}

static void many_hosts_are_better_off_than_before(void **state)
{
	unsigned int before, after;

	(void)state;
	sum(8, 2, 32, .3, &before, &after);
	assert_true(after * 4 <= before);
	sum(6, 4, 32, .3, &before, &after);
	assert_true(after * 3 <= before * 2);
}

static void where_there_is_none_all_rest(void **state)
{
	unsigned int before, after;

	(void)state;
	sum(8, 4, 8, .3, &before, &after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_there_is_room_most_are_apart_soon),
		cmocka_unit_test(many_hosts_are_better_off_than_before),
		cmocka_unit_test(where_there_is_none_all_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
