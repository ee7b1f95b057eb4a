/* SPDX-License-Identifier: MIT */
/* A peer that answers no join, unless the test says so. */
#include "mute.h"

#include <errno.h>

int mute_begin(void **state)
{
	struct play *play = play_new(state);

	if (!play)
		return -1;
	play->plan.does_repair = true;
	return 0;
}

void mute_know(struct play *play)
{
	struct path_map *map = play_know(play);

	play->plan.steer.mode = STEER_PATHS;
	play_learn(play, map, LOCAL_PORT, 0);
	for (uint16_t i = 0; i < 24; i++)
		play_learn(play, map, PLACED + i, 1 + i % 3);
}

void mute_pass(struct play *play, uint64_t ns)
{
	uint64_t end_ns = play->now_ns + ns;

	while (play_step(play, end_ns))
		;
	play->now_ns = end_ns;
}

uint16_t mute_open(struct play *play)
{
	mute_know(play);
	play_connect(play);
	play_intent(play, 1, 0);
	assert_int_equal(play->creates, 1);
	return play->create.local.port;
}

struct subflow *mute_find(struct play *play, uint16_t port)
{
	struct endpoint local = play_local(port), remote = play_remote();

	return conn_find_subflow(play_conn(play), &local, &remote);
}

static void ends(struct play *play, uint16_t port, int reset_reason)
{
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(port),
				.remote = play_remote(),
				.error = ECONNRESET,
				.reset_reason = reset_reason});
}

void mute_is_reset(struct play *play, uint16_t port)
{
	ends(play, port, RESET_PROHIBITED);
}

void mute_dies(struct play *play, uint16_t port)
{
	ends(play, port, -1);
}
