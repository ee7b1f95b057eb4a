/* SPDX-License-Identifier: MIT */
/* Elephants of one host that may come to share a way. */
#include "herd.h"

struct path_map *herd_know(struct play *play, uint16_t ways)
{
	struct path_map *map = play_know(play);

	for (uint16_t way = 0; way < ways; way++)
		play_learn(play, map, PLACED + way, way);
	play_learn(play, map, LOCAL_PORT, 0);
	play_learn(play, map, OTHER, 0);
	return map;
}

int herd_begin(void **state)
{
	struct play *play = play_new(state);

	if (!play)
		return -1;
	play->plan.rule.max_subflows = 2;
	play->plan.steer.mode = STEER_PATHS;
	play->plan.aparts.rule =
		(struct apart_rule){.moves = 2, .hold_ns = HOLD_MS * MS, .delay_ns = DELAY_MS * MS};
	return 0;
}

struct conn_key herd_key(const struct play *play, uint16_t first)
{
	return (struct conn_key){
		.netns = play->key.netns, .token = first == LOCAL_PORT ? play->key.token : first};
}

void herd_hear(struct play *play, uint16_t first, enum event_kind kind, uint16_t port)
{
	play_hear(play, (struct event){.kind = kind,
				.key = herd_key(play, first),
				.local = play_local(port),
				.remote = play_remote(),
				.reset_reason = -1});
}

struct conn *herd_open(struct play *play, uint16_t first)
{
	struct conn_key key = herd_key(play, first);

	herd_hear(play, first, EVENT_CREATED, first);
	herd_hear(play, first, EVENT_ESTABLISHED, first);
	return conn_find(&play->plan.table, &key);
}

void herd_grow(struct play *play, uint16_t first)
{
	unsigned int creates = play->creates;

	play_hear(play, (struct event){.kind = EVENT_THRESHOLD,
				.key = herd_key(play, first),
				.threshold = 100 * MB,
				.bytes = 100 * MB});
	if (play->creates > creates)
		herd_hear(play, first, EVENT_SUBFLOW_ESTABLISHED, play->create.local.port);
}

void herd_pass(struct play *play, uint64_t ms)
{
	uint64_t end_ns = play->now_ns + ms * MS;

	while (play_step(play, end_ns))
		;
	play->now_ns = end_ns;
}

uint32_t herd_load(struct path_map *map, uint16_t way)
{
	return path_of(map, path_port_find(map, PLACED + way)).tiers[2]->load;
}
