/* SPDX-License-Identifier: MIT */
/* A subflow on trial, played by hand. */
#include "trial.h"

int trial_begin(void **state)
{
	struct play *play = play_new(state);

	if (!play)
		return -1;
	play->plan.benefits.rule = (struct benefit_rule){.margin_percent = 10,
		.time_rtts = 20,
		.time_min_ns = WINDOW_MS * MS,
		.tries = TRIES};
	play->plan.in_vain.rule.hold_ns = HOLD_MS * MS;
	play->sample.queued = 1 << 20;
	return 0;
}

const struct benefit_counters *trial_counters(const struct play *play)
{
	return &play->plan.benefits.counters;
}

void trial_pass(struct play *play, uint64_t ms, uint64_t mbit)
{
	play->now_ns += ms * MS;
	play->sample.bytes_acked += ms * mbit * 125;
	play->sample.busy_us += ms * 1000;
	plan_tick(&play->plan, play->now_ns);
	play_act(play);
}

void trial_second(struct play *play)
{
	play_connect(play);
	play_threshold(play, 100);
	trial_pass(play, WINDOW_MS, 100);
	play_joined(play, LOCAL_PORT + 1);
}

void trial_replaced(struct play *play, uint16_t port, uint64_t mbit)
{
	play_left(play, port - 1);
	play_joined(play, port);
	trial_pass(play, WINDOW_MS, 0); /* what happens then does not count */
	trial_pass(play, WINDOW_MS, mbit);
}

void trial_in_vain(struct play *play)
{
	trial_second(play);
	trial_pass(play, WINDOW_MS, 100);
	for (uint16_t i = 0; i < TRIES; i++)
		trial_replaced(play, LOCAL_PORT + 2 + i, 100);
	play_left(play, LOCAL_PORT + 1 + TRIES);
}
