/* SPDX-License-Identifier: MIT */
/* An elephant of four subflows, each of which moves what the test says. */
#include "pipes.h"

#include <stdlib.h>
#include <string.h>

static struct pipe pipes[8];
static struct rate_sample counts[8];
static uint64_t counted_ns;

struct pipe *pipe_of(uint16_t port)
{
	for (size_t i = 0; i < 8; i++) {
		if (pipes[i].port == port || !pipes[i].port) {
			if (!pipes[i].port)
				pipes[i] = (struct pipe){
					.port = port, .rate = FULL, .busy_percent = 100};
			return &pipes[i];
		}
	}
	abort();
}

struct rate_sample *pipe_sample(uint16_t port)
{
	return &counts[pipe_of(port) - pipes];
}

void pipes_count(uint64_t now_ns)
{
	uint64_t us = (now_ns - counted_ns) / 1000;

	for (size_t i = 0; i < 8; i++) {
		if (pipes[i].is_received)
			counts[i].bytes_received += pipes[i].rate * us / 1000;
		else
			counts[i].bytes_acked += pipes[i].rate * us / 1000;
		counts[i].busy_us += us * pipes[i].busy_percent / 100;
		counts[i].held_us += us * pipes[i].limited_percent / 100;
		counts[i].srtt_us = 1000;
	}
	counted_ns = now_ns;
}

static void answer_pace(struct play *play, const struct action *action)
{
	pipes_count(play->now_ns);
	plan_hear(&play->plan, &(struct event){.kind = EVENT_PACED,
				       .key = action->key,
				       .now_ns = play->now_ns,
				       .serial = action->serial,
				       .sample = *pipe_sample(action->local.port)});
}

int pipes_begin(void **state)
{
	struct play *play;
	struct path_map *map;
	int err = play_begin(state);

	if (err)
		return err;
	play = *state;
	memset(pipes, 0, sizeof(pipes));
	memset(counts, 0, sizeof(counts));
	counted_ns = play->now_ns;
	play->answer_pace = answer_pace;
	play->plan.steer.mode = STEER_PATHS;
	play->plan.aparts.rule =
		(struct apart_rule){.moves = 2, .hold_ns = HOLD_MS * MS, .delay_ns = 100 * MS};
	play->plan.lags.rule.slow_percent = 60;
	map = play_map(play);
	map->depth = 2;
	map->state = PATH_KNOWN;
	map->is_thorough = map->is_changed = true;
	map->learned_ns = map->confirmed_ns = play->now_ns;
	play_learn(play, map, LOCAL_PORT, 0);
	return 0;
}

void pipes_spread(struct play *play, uint16_t ways)
{
	for (uint16_t way = 0; way < ways; way++)
		play_learn(play, play_map(play), PLACED + way, way);
	play_connect(play);
	for (uint64_t mb = 100; mb < 250; mb += 50) {
		play_threshold(play, mb);
		play_joined(play, play->create.local.port);
	}
	play_assert_subflows(play, 4, 0, 0);
}

void pipes_pass(struct play *play, uint64_t ms)
{
	uint64_t end_ns = play->now_ns + ms * MS, next_ns;
	unsigned int creates = play->creates, destroys = play->destroys;

	while ((next_ns = plan_tick(&play->plan, 0)) && next_ns <= end_ns) {
		play->now_ns = next_ns;
		plan_tick(&play->plan, next_ns);
		play_act(play);
		if (play->creates > creates++)
			play_joined(play, play->create.local.port);
		creates = play->creates;
		if (play->destroys > destroys++)
			play_left(play, play->destroy.local.port);
		destroys = play->destroys;
	}
	play->now_ns = end_ns;
}
