/* SPDX-License-Identifier: MIT */
/* Judgement: what an elephant on the wire is: a connection of this host, or none to be treated. */
#include "sighting.h"

#include <sys/param.h>

/* A connection may be known later than its bytes: how often an unknown one is asked about. */
#define AGAIN_PART 4 /* of step */

static bool is_client(const struct conn *conn)
{
	return conn->is_created && !conn->is_server && !conn->is_foreign;
}

/*
 * The token alone says which: behind address translation the wire has other addresses. Where both
 * ends are ours, the client's.
 */
static struct conn *find_by_token(
	const struct plan *plan, const struct wire_flow *flow, int *ret_end)
{
	struct conn *conn, *after, *found = NULL;

	HASH_ITER (hh, plan->table.conns, conn, after) {
		for (int end = 0; end < 2; end++) {
			if (!flow->tokens[end] || conn->key.token != flow->tokens[end])
				continue;
			if (!found || is_client(conn)) {
				found = conn;
				*ret_end = end;
			}
		}
	}
	return found;
}

/* Which end of the flow is the local one of this subflow; -1: it is another flow. */
static int find_end(const struct wire_flow *flow, const struct subflow *subflow)
{
	struct endpoint local = endpoint_unmap(&subflow->local),
			remote = endpoint_unmap(&subflow->remote);

	for (int end = 0; end < 2; end++) {
		if (endpoint_is_equal(&flow->ends[end], &local) &&
			endpoint_is_equal(&flow->ends[!end], &remote))
			return end;
	}
	return -1;
}

/* Of one whose handshake was not seen. */
static struct conn *find_by_addresses(
	const struct plan *plan, const struct wire_flow *flow, int *ret_end)
{
	struct conn *conn, *after, *found = NULL;
	struct subflow *subflow;
	int end;

	HASH_ITER (hh, plan->table.conns, conn, after) {
		TAILQ_FOREACH (subflow, &conn->subflows, entry) {
			end = find_end(flow, subflow);
			if (end < 0 || (found && !is_client(conn)))
				continue;
			found = conn;
			*ret_end = end;
		}
	}
	return found;
}

static bool is_elephant(const struct plan *plan, const struct wire_flow *flow)
{
	return MAX(flow->bytes[0], flow->bytes[1]) >= plan->rule.start_bytes;
}

/* True: it is an elephant, the first time. */
static bool hear_stranger(const struct plan *plan, struct wire_flow *flow)
{
	bool is_known = flow->is_told || !is_elephant(plan, flow);

	for (int i = 0; i < 2; i++) {
		if (flow->is_multipath)
			flow->alarm_bytes[i] =
				flow->bytes[i] + MAX(plan->rule.step_bytes / AGAIN_PART, 1u);
		else
			flow->alarm_bytes[i] =
				is_elephant(plan, flow) ? UINT64_MAX : plan->rule.start_bytes;
	}
	flow->is_told |= !is_known;
	return !is_known;
}

struct sighting sighting_hear(struct plan *plan, struct wire *wire, struct wire_flow *flow)
{
	struct sighting sighting = {.flow = flow};
	struct conn *conn = NULL;

	if (flow->is_multipath)
		conn = find_by_token(plan, flow, &sighting.end);
	if (!conn && flow->is_multipath && !flow->is_gone) {
		conn = find_by_addresses(plan, flow, &sighting.end);
		if (conn) {
			flow = wire_tie(wire, flow, sighting.end, conn->key.token);
			/* The ends of another leader may be the other way round. */
			if (flow->tokens[!sighting.end] == conn->key.token)
				sighting.end = !sighting.end;
		}
	}
	sighting.flow = flow;
	sighting.conn = conn;
	flow->is_ours = conn;
	if (!conn) {
		if (hear_stranger(plan, flow))
			sighting.kind = SIGHTING_STRANGER;
		return sighting;
	}
	flow->alarm_bytes[0] = flow->alarm_bytes[1] = UINT64_MAX;
	if (is_client(conn))
		sighting.kind = SIGHTING_OURS;
	return sighting;
}

/* Seen from its handshake on, and nothing of it missed since. */
static bool is_whole(const struct conn *conn, const struct wire_flow *flow)
{
	return flow->tokens[0] && flow->tokens[1] &&
	       conn->progress.bytes <= MAX(flow->bytes[0], flow->bytes[1]);
}

/* What the wire has too much of puts off the next look; of what it has not seen so much is left. */
static uint64_t next_alarm(
	const struct plan *plan, const struct conn *conn, const struct wire_flow *flow, int end)
{
	uint64_t next = progress_next(&conn->progress, rules_of(plan, conn)), after;

	if (next == UINT64_MAX)
		return UINT64_MAX;
	after = flow->bytes[end] + next - MIN(next, conn->progress.bytes);
	return is_whole(conn, flow) ? MAX(next, after) : after;
}

void sighting_looked(const struct plan *plan, const struct sighting *sighting, bool downloads)
{
	struct wire_flow *flow = sighting->flow;

	for (int end = 0; end < 2; end++) {
		if (downloads || end == sighting->end)
			flow->alarm_bytes[end] = next_alarm(plan, sighting->conn, flow, end);
	}
}

void sighting_tick(struct plan *plan, struct wire *wire, struct flows *flows, uint64_t now_ns)
{
	const struct wire_flow *flow = NULL;

	wire_expire(wire, now_ns);
	while ((flow = wire_next(wire, flow))) {
		if (!flow->is_ours && is_elephant(plan, flow))
			flows_note(flows, &(struct flow){.key = {.local = flow->ends[0],
								 .remote = flow->ends[1]},
						  .bytes_sent = flow->bytes[0],
						  .bytes_received = flow->bytes[1],
						  .noted_ns = now_ns});
	}
	flows_expire(flows, 0, now_ns);
}

void sighting_renew(const struct plan *plan, struct wire *wire)
{
	struct wire_flow *flow = NULL;

	wire->first_alarm_bytes = rules_earliest(plan)->start_bytes;
	while ((flow = wire_next(wire, flow)))
		flow->alarm_bytes[0] = flow->alarm_bytes[1] = 0;
}
