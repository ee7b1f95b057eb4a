/* SPDX-License-Identifier: MIT */
/* What the kernel lists of the connection, as it is found at an adoption. */
#include "found.h"

#include "core/adoption.h"

void found_conn(struct play *play)
{
	play_hear(play, (struct event){.kind = EVENT_FOUND,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote()});
}

void found_subflow(struct play *play, uint16_t port, uint8_t id, bool is_server)
{
	play_hear(play, (struct event){.kind = EVENT_FOUND_SUBFLOW,
				.local = play_local(port),
				.remote = play_remote(),
				.id = id,
				.is_server = is_server});
}

void found_opening(struct play *play, uint16_t port)
{
	play_hear(play, (struct event){.kind = EVENT_FOUND_SUBFLOW,
				.local = play_local(port),
				.remote = play_remote(),
				.is_opening = true});
}

void found_end(struct play *play)
{
	adoption_end(&play->plan, play->key.netns);
	play_act(play);
}
