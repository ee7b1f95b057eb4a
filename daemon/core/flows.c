/* SPDX-License-Identifier: MIT */
/* Memory: TCP flows that are elephants and cannot be treated, to be shown. */
#include "flows.h"

#include <stdlib.h>
#include <string.h>

/* No byte of it is left to chance: it is hashed. */
static void copy_end(struct endpoint *copy, const struct endpoint *endpoint)
{
	struct endpoint plain = endpoint_unmap(endpoint);

	copy->family = plain.family;
	copy->port = plain.port;
	if (plain.family == AF_INET)
		copy->v4 = plain.v4;
	else
		copy->v6 = plain.v6;
}

static struct flows_key key_of(const struct flows_key *given)
{
	struct flows_key key;

	memset(&key, 0, sizeof(key));
	key.netns = given->netns;
	copy_end(&key.local, &given->local);
	copy_end(&key.remote, &given->remote);
	return key;
}

static struct flow *find(struct flows *flows, const struct flows_key *key)
{
	struct flow *flow;

	HASH_FIND(hh, flows->list, key, sizeof(*key), flow);
	return flow;
}

static void drop(struct flows *flows, struct flow *flow)
{
	HASH_DEL(flows->list, flow);
	free(flow);
}

void flows_done(struct flows *flows)
{
	struct flow *flow, *next;

	HASH_ITER (hh, flows->list, flow, next)
		drop(flows, flow);
}

void flows_note(struct flows *flows, const struct flow *seen)
{
	struct flows_key key = key_of(&seen->key);
	struct flow *flow = find(flows, &key);

	if (!flow) {
		if (HASH_COUNT(flows->list) < FLOWS_MAX)
			flow = calloc(1, sizeof(*flow));
		if (!flow) {
			flows->refused++;
			return;
		}
		memcpy(&flow->key, &key, sizeof(key));
		HASH_ADD(hh, flows->list, key, sizeof(flow->key), flow);
	}
	flow->bytes_sent = seen->bytes_sent;
	flow->bytes_received = seen->bytes_received;
	flow->noted_ns = seen->noted_ns;
	flow->has_uid = seen->has_uid;
	flow->uid = seen->uid;
}

bool flows_has(const struct flows *flows, uint64_t netns)
{
	const struct flow *flow;

	for (flow = flows->list; flow; flow = flow->hh.next) {
		if (flow->key.netns == netns)
			return true;
	}
	return false;
}

void flows_expire(struct flows *flows, uint64_t netns, uint64_t since_ns)
{
	struct flow *flow, *next;

	HASH_ITER (hh, flows->list, flow, next) {
		if (flow->key.netns == netns && flow->noted_ns < since_ns)
			drop(flows, flow);
	}
}
