/* SPDX-License-Identifier: MIT */
/* Memory: the TCP flows that a capture sees, and how much each has carried. */
#include "wire.h"

#include "core/token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#define NONE UINT32_MAX

/* They are compared and hashed as bytes. */
_Static_assert(sizeof(struct endpoint) == 4 + sizeof(struct in6_addr), "no padding");

/* A sequence number further off than this is no loss of the capture: it says nothing. */
#define GAP_MAX_BYTES (16 << 20)

/* Where the table is full, one of so many gives way: whatever it holds, that takes no longer. */
#define CROWD 8

#define OVER_NS  2000000000ull   /* what comes after FIN or RST */
#define STILL_NS 300000000000ull /* of a flow whose end was not seen */

/* Not cryptographic: the seed alone keeps strangers from filling one chain. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

static uint32_t *tuple_chain(const struct wire *wire, const struct endpoint ends[2])
{
	uint64_t hash = wire->seed, words[2];

	for (int i = 0; i < 2; i++) {
		memcpy(words, &ends[i].v6, sizeof(words));
		hash = mix(hash, words[0]);
		hash = mix(hash, words[1]);
		hash = mix(hash, ends[i].port);
	}
	return &wire->tuples[(hash ^ hash >> 32) & wire->mask];
}

static uint32_t *token_chain(const struct wire *wire, uint32_t token)
{
	uint64_t hash = mix(wire->seed, token);

	return &wire->tokens[(hash ^ hash >> 32) & wire->mask];
}

static uint32_t index_of(const struct wire *wire, const struct wire_flow *flow)
{
	return flow - wire->flows;
}

static struct wire_flow *leader_of(const struct wire *wire, const struct wire_flow *flow)
{
	return &wire->flows[flow->leader];
}

int wire_init(struct wire *wire, uint32_t limit, uint64_t seed, uint64_t first_alarm_bytes)
{
	uint32_t buckets = 1;

	while (buckets < limit)
		buckets *= 2;
	*wire = (struct wire){.limit = limit,
		.mask = buckets - 1,
		.free = NONE,
		.seed = seed,
		.first_alarm_bytes = first_alarm_bytes};
	wire->flows = calloc(limit, sizeof(*wire->flows));
	wire->tuples = malloc(buckets * sizeof(*wire->tuples));
	wire->tokens = malloc(buckets * sizeof(*wire->tokens));
	if (!wire->flows || !wire->tuples || !wire->tokens) {
		wire_done(wire);
		return -ENOMEM;
	}
	memset(wire->tuples, 0xff, buckets * sizeof(*wire->tuples));
	memset(wire->tokens, 0xff, buckets * sizeof(*wire->tokens));
	for (uint32_t i = limit; i-- > 0; wire->free = i)
		wire->flows[i].next = wire->free;
	return 0;
}

void wire_done(struct wire *wire)
{
	free(wire->flows);
	free(wire->tuples);
	free(wire->tokens);
	*wire = (struct wire){};
}

static struct wire_flow *find(const struct wire *wire, const struct endpoint ends[2])
{
	uint32_t i = *tuple_chain(wire, ends);

	while (i != NONE && memcmp(wire->flows[i].ends, ends, sizeof(wire->flows[i].ends)))
		i = wire->flows[i].next;
	return i == NONE ? NULL : &wire->flows[i];
}

/* The chains of tokens link ends: twice the flow's index, and which end. */
static uint32_t *next_of(const struct wire *wire, uint32_t node)
{
	return &wire->flows[node / 2].next_of_token[node % 2];
}

static struct wire_flow *find_token(const struct wire *wire, uint32_t token, int *ret_end)
{
	uint32_t node = *token_chain(wire, token);

	while (node != NONE && wire->flows[node / 2].tokens[node % 2] != token)
		node = *next_of(wire, node);
	if (node == NONE)
		return NULL;
	*ret_end = node % 2;
	return &wire->flows[node / 2];
}

static void set_token(struct wire *wire, struct wire_flow *flow, int end, uint32_t token)
{
	uint32_t node = 2 * index_of(wire, flow) + end, *chain = token_chain(wire, token);

	if (!token) /* means that there is none: one in 2^32 cannot be told */
		return;
	flow->tokens[end] = token;
	flow->next_of_token[end] = *chain;
	*chain = node;
}

static void clear_token(struct wire *wire, struct wire_flow *flow, int end)
{
	uint32_t node = 2 * index_of(wire, flow) + end, *link;

	if (!flow->tokens[end])
		return;
	link = token_chain(wire, flow->tokens[end]);
	while (*link != node)
		link = next_of(wire, *link);
	*link = flow->next_of_token[end];
	flow->tokens[end] = 0;
}

static void give_back(struct wire *wire, struct wire_flow *flow)
{
	clear_token(wire, flow, 0);
	clear_token(wire, flow, 1);
	flow->is_used = false;
	flow->next = wire->free;
	wire->free = index_of(wire, flow);
	wire->count--;
}

static void drop(struct wire *wire, struct wire_flow *flow)
{
	struct wire_flow *leader = leader_of(wire, flow);
	uint32_t *link = tuple_chain(wire, flow->ends), index = index_of(wire, flow);

	while (*link != index)
		link = &wire->flows[*link].next;
	*link = flow->next;
	if (leader != flow) {
		if (!--leader->members && leader->is_gone)
			give_back(wire, leader);
	} else if (flow->members) {
		flow->is_gone = true;
		return;
	}
	give_back(wire, flow);
}

/* Of a flow, and of those that are added up with it, on the average. One that is over is worth
 * nothing. */
static uint64_t worth(const struct wire *wire, const struct wire_flow *flow)
{
	const struct wire_flow *leader = leader_of(wire, flow);

	if (flow->is_over)
		return 0;
	return (leader->bytes[0] + leader->bytes[1]) / (1 + leader->members);
}

/* Others are added up in it, or it is of a connection of this host; or @kept would go with it. */
static bool is_to_stay(
	const struct wire *wire, const struct wire_flow *flow, const struct wire_flow *kept)
{
	return flow->members || flow->is_ours || flow == kept ||
	       (leader_of(wire, flow) == kept && kept->is_gone && kept->members == 1);
}

/*
 * A flood of small flows, real or forged, is not to keep out what comes next: of a few the one goes
 * that has carried least, and of those the one that was still longest.
 */
static void make_room(struct wire *wire, const struct wire_flow *kept)
{
	struct wire_flow *flow, *least = NULL;

	wire->refused++;
	for (uint32_t i = 0; i < MIN(CROWD, wire->limit); i++) {
		flow = &wire->flows[wire->hand];
		wire->hand = (wire->hand + 1) % wire->limit;
		if (is_to_stay(wire, flow, kept))
			continue;
		if (!least || worth(wire, flow) < worth(wire, least) ||
			(worth(wire, flow) == worth(wire, least) && flow->seen_ns < least->seen_ns))
			least = flow;
	}
	if (least)
		drop(wire, least);
}

/* NULL: the table is full. @leader, NULL or the one that it is to follow, stays. */
static struct wire_flow *add(
	struct wire *wire, const struct endpoint ends[2], const struct wire_flow *leader)
{
	struct wire_flow *flow;
	uint32_t index, *chain;

	if (wire->free == NONE)
		make_room(wire, leader);
	index = wire->free;
	if (index == NONE)
		return NULL;
	flow = &wire->flows[index];
	wire->free = flow->next;
	wire->top = MAX(wire->top, index + 1);
	wire->count++;
	chain = tuple_chain(wire, ends);
	*flow = (struct wire_flow){.is_used = true,
		.leader = index,
		.next = *chain,
		.alarm_bytes = {wire->first_alarm_bytes, wire->first_alarm_bytes}};
	memcpy(flow->ends, ends, sizeof(flow->ends));
	*chain = index;
	return flow;
}

/* Makes a flow that leads none one of those that @leader leads: their @end and @leader_end are one.
 */
static void follow(struct wire *wire, struct wire_flow *flow, int end, struct wire_flow *leader,
	int leader_end)
{
	flow->leader = index_of(wire, leader);
	flow->is_turned = end != leader_end;
	leader->members++;
	leader->bytes[leader_end] += flow->bytes[end];
	leader->bytes[!leader_end] += flow->bytes[!end];
}

/* How much of the packet's data is new. */
static uint32_t advance(struct wire_flow *flow, int from, const struct packet *packet)
{
	uint32_t first = packet->sequence + packet->is_syn, after = first + packet->bytes;
	int32_t more, gap;

	/* Not only acknowledgements: also probes, whose sequence numbers mean nothing. */
	if (!packet->bytes && !packet->is_syn)
		return 0;
	if (!flow->has_sequence[from]) {
		flow->has_sequence[from] = true;
		flow->end_sequence[from] = after;
		return packet->bytes;
	}
	more = (int32_t)(after - flow->end_sequence[from]);
	gap = (int32_t)(first - flow->end_sequence[from]);
	if (gap > GAP_MAX_BYTES || more < -GAP_MAX_BYTES) {
		flow->end_sequence[from] = after;
		return packet->bytes;
	}
	if (more <= 0)
		return 0;
	flow->end_sequence[from] = after;
	return more;
}

static void learn_tokens(
	struct wire *wire, struct wire_flow *flow, int from, const struct packet *packet)
{
	if (flow->tokens[0] || flow->tokens[1] || leader_of(wire, flow) != flow)
		return;
	set_token(wire, flow, from, token_of_key(packet->sender_key));
	set_token(wire, flow, !from, token_of_key(packet->receiver_key));
}

/* A flow is remembered from its first data, or from what ties it to a connection. */
static struct wire_flow *find_or_add(
	struct wire *wire, const struct endpoint ends[2], int from, const struct packet *packet)
{
	struct wire_flow *flow = find(wire, ends), *leader = NULL;
	int leader_end = 0;

	if (flow && flow->is_over && packet->is_syn && !packet->is_ack) {
		drop(wire, flow);
		flow = NULL;
	}
	if (flow)
		return flow;
	if (packet->join_token)
		leader = find_token(wire, packet->join_token, &leader_end);
	if (!leader && (packet->is_syn || packet->is_over || (!packet->bytes && !packet->has_keys)))
		return NULL;
	flow = add(wire, ends, leader);
	if (flow && leader)
		follow(wire, flow, !from, leader, leader_end);
	return flow;
}

/* Of a connection whose handshake was not seen nobody knows how much it has carried before. */
static void note_multipath(struct wire *wire, struct wire_flow *flow)
{
	flow->is_multipath = true;
	if (leader_of(wire, flow) == flow && !flow->tokens[0] && !flow->tokens[1])
		flow->alarm_bytes[0] = flow->alarm_bytes[1] = 0;
}

struct wire_flow *wire_hear(struct wire *wire, const struct packet *packet, uint64_t now_ns)
{
	int from = memcmp(&packet->source, &packet->destination, sizeof(packet->source)) > 0;
	struct endpoint ends[2];
	struct wire_flow *flow, *leader;

	ends[from] = packet->source;
	ends[!from] = packet->destination;
	flow = find_or_add(wire, ends, from, packet);
	if (!flow)
		return NULL;
	flow->seen_ns = now_ns;
	flow->is_over |= packet->is_over;
	if (packet->has_keys)
		learn_tokens(wire, flow, from, packet);
	if (packet->is_multipath && !flow->is_multipath)
		note_multipath(wire, flow);
	leader = leader_of(wire, flow);
	from ^= flow->is_turned;
	leader->bytes[from] += advance(flow, from ^ flow->is_turned, packet);
	return leader->bytes[from] >= leader->alarm_bytes[from] ? leader : NULL;
}

struct wire_flow *wire_tie(struct wire *wire, struct wire_flow *flow, int end, uint32_t token)
{
	int leader_end = 0;
	struct wire_flow *leader = find_token(wire, token, &leader_end);

	if (leader == flow || flow->members || leader_of(wire, flow) != flow)
		return leader_of(wire, flow);
	clear_token(wire, flow, end);
	if (!leader) {
		set_token(wire, flow, end, token);
		return flow;
	}
	clear_token(wire, flow, !end);
	follow(wire, flow, end, leader, leader_end);
	return leader;
}

void wire_expire(struct wire *wire, uint64_t now_ns)
{
	for (uint32_t i = 0; i < wire->top; i++) {
		struct wire_flow *flow = &wire->flows[i];
		uint64_t still_ns = now_ns > flow->seen_ns ? now_ns - flow->seen_ns : 0;

		if (flow->is_used && !flow->is_gone &&
			still_ns > (flow->is_over ? OVER_NS : STILL_NS))
			drop(wire, flow);
	}
}

struct wire_flow *wire_next(const struct wire *wire, const struct wire_flow *flow)
{
	for (uint32_t i = flow ? index_of(wire, flow) + 1 : 0; i < wire->top; i++) {
		if (wire->flows[i].is_used && wire->flows[i].leader == i)
			return &wire->flows[i];
	}
	return NULL;
}
