/* SPDX-License-Identifier: MIT */
/* An elephant beside others on the last link to its peer, played by hand. */
#include "hop.h"

#include <errno.h>
#include <string.h>

#define PLACED 50000 /* the ports that lead to the ways 0, 1, ... */
#define WAYS   8
#define FULL   12500 /* bytes a millisecond: 100 Mbit/s */

struct hop hop;
uint64_t hop_counted_ns;

static struct rate_sample counts;

static uint32_t last_us(struct play *play)
{
	if (hop.from)
		return play_conn(play)->n_subflows >= hop.from ? 8000 : 0;
	return hop.last_us;
}

static void answer_pace(struct play *play, const struct action *action)
{
	uint64_t us = (play->now_ns - hop_counted_ns) / 1000;
	uint64_t moved = FULL * us / 1000 / (hop.is_shared ? play_conn(play)->n_subflows : 1);
	struct rate_sample sample;

	if (hop.percent)
		moved = moved * hop.percent / 100;
	counts.bytes_acked += hop.is_received ? 0 : moved;
	counts.bytes_received += hop.is_received ? moved : 0;
	counts.busy_us += hop.is_idle ? us / 2 : us;
	counts.srtt_us = hop.base_us + 100 + hop.before_us + last_us(play);
	counts.least_us = hop.base_us + 100;
	hop_counted_ns = play->now_ns;
	sample = counts;
	if (hop.slow && action->serial == hop.slow)
		sample.bytes_acked /= 5;
	if (hop.young && action->serial >= hop.young)
		sample.least_us = sample.srtt_us - 500;
	plan_hear(&play->plan, &(struct event){.kind = EVENT_PACED,
				       .key = action->key,
				       .now_ns = play->now_ns,
				       .serial = action->serial,
				       .sample = sample});
}

static void answer_reach(struct play *play, const struct action *action)
{
	struct event event = {.kind = EVENT_REACHED,
		.key = action->key,
		.now_ns = play->now_ns,
		.serial = action->serial,
		.error = hop.is_unanswered ? ETIMEDOUT : 0};

	event.sample.srtt_us = 80 + hop.before_us;
	if (hop.stray && !(++hop.answers % hop.stray))
		event.sample.srtt_us += 20000;
	plan_hear(&play->plan, &event);
}

int hop_begin(void **state)
{
	struct play *play = play_new(state);
	struct path_map *map;

	if (!play)
		return -1;
	memset(&hop, 0, sizeof(hop));
	memset(&counts, 0, sizeof(counts));
	hop_counted_ns = play->now_ns;
	play->answer_pace = answer_pace;
	play->answer_reach = answer_reach;
	play->plan.steer.mode = STEER_PATHS;
	play->plan.lasthops.rule = (struct lasthop_rule){.is_on = true, .hold_ns = HOLD_MS * MS};
	map = play_map(play);
	map->depth = 2;
	map->hops = 3;
	map->state = PATH_KNOWN;
	map->is_thorough = map->is_changed = true;
	map->learned_ns = map->confirmed_ns = play->now_ns;
	play_learn(play, map, LOCAL_PORT, 0);
	for (uint16_t way = 0; way < WAYS; way++)
		play_learn(play, map, PLACED + way, way);
	return 0;
}

/* The elephant gets its four subflows. */
void hop_spread(struct play *play)
{
	play_connect(play);
	for (uint64_t mb = 100; mb < 250; mb += 50) {
		play_threshold(play, mb);
		play_joined(play, play->create.local.port);
	}
	play_assert_subflows(play, 4, 0, 0);
}

static struct subflow *find(struct play *play, enum subflow_state state)
{
	struct subflow *subflow;

	TAILQ_FOREACH (subflow, &play_conn(play)->subflows, entry) {
		if (subflow->state == state)
			return subflow;
	}
	return NULL;
}

/* The time passes; what is opened comes up, and what is closed is gone. */
void hop_pass(struct play *play, uint64_t ms)
{
	uint64_t end_ns = play->now_ns + ms * MS;
	struct subflow *subflow;

	play_map(play)->learned_ns = play_map(play)->confirmed_ns = play->now_ns;
	play_map(play)->is_changed = true;
	while (play_step(play, end_ns)) {
		while ((subflow = find(play, SUBFLOW_CLOSING)))
			play_left(play, subflow->local.port);
		while ((subflow = find(play, SUBFLOW_OPENING)))
			play_joined(play, subflow->local.port);
	}
	play->now_ns = end_ns;
}

const struct lasthop_counters *hop_counters(const struct play *play)
{
	return &play->plan.lasthops.counters;
}

/* In all the time of a hold none is taken. */
void hop_keep_all(struct play *play)
{
	hop_pass(play, HOLD_MS);
	play_assert_subflows(play, 4, 0, 0);
}

void hop_lose_all_but_one(struct play *play)
{
	hop_pass(play, 2000);
	play_assert_subflows(play, 1, 0, 0);
}

/* Two on paths of half its rate fill the last link, one does not. */
void hop_come_to_rest_at_two(struct play *play)
{
	hop.from = 2;
	hop.before_us = 1500;
	hop_spread(play);
	hop_pass(play, 10000);
	play_assert_subflows(play, 2, 0, 0);
}
