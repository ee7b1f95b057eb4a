/* SPDX-License-Identifier: MIT */
/* Whatever happens to subflows on trial, they never go to and fro. */
#include "trial.h"

#include <errno.h>
#include <stdlib.h>

#define HISTORIES 1000

/* One of a history's draws. */
static uint32_t draw(uint32_t most)
{
	return (uint32_t)random() % most;
}

struct history {
	struct play *play;
	uint16_t next_port; /* of what the kernel opens */
	unsigned int creates, thresholds;
	uint64_t mb;
};

/* The kernel's side of what was asked for since: some come up, some are refused. */
static void settle(struct history *history)
{
	struct play *play = history->play;
	struct subflow *subflow, *next;
	struct conn *conn;
	uint16_t port;

	for (int i = 0; i < 4; i++) {
		conn = play_conn(play);
		for (subflow = TAILQ_FIRST(&conn->subflows); subflow; subflow = next) {
			next = TAILQ_NEXT(subflow, entry);
			port = subflow->local.port;
			if (subflow->state == SUBFLOW_CLOSING) {
				play_left(play, port);
				break;
			}
			if (subflow->state != SUBFLOW_OPENING)
				continue;
			if (draw(20))
				play_joined(play, ++history->next_port);
			else
				play_left(play, ++history->next_port);
			break;
		}
	}
}

static void step(struct history *history)
{
	struct play *play = history->play;

	switch (draw(8)) {
	case 0:
		history->mb += 50;
		history->thresholds++;
		play_hear(play, (struct event){.kind = EVENT_THRESHOLD,
					.threshold = history->mb * MB,
					.bytes = 100 * MB + draw(199) * MB});
		break;
	case 1:
		play->measure_error = draw(4) ? 0 : EAGAIN;
		break;
	case 2:
		play->is_measure_lost = !draw(4);
		break;
	case 3:
		play->create_error = draw(4) ? 0 : EAGAIN;
		break;
	case 4:
		play->sample.srtt_us = draw(30000);
		break;
	default:
		trial_pass(play, draw(300), draw(300));
		break;
	}
	settle(history);
}

/*
 * Whatever the rates, the answers and the kernel do: after each hold a threshold leads to so many
 * subflows and no more, and while a destination is left alone, to none.
 */
static void no_history_goes_to_and_fro(void **state)
{
	struct play *play = *state;
	struct history history;
	unsigned int before, taken;

	for (unsigned int seed = 0; seed < HISTORIES; seed++) {
		srandom(seed);
		history = (struct history){.play = play, .next_port = LOCAL_PORT, .mb = 50};
		play->key.token++;
		play->create_error = play->measure_error = 0;
		play->is_measure_lost = false;
		play_connect(play);
		for (int i = 0; i < 300; i++) {
			before = play->plan.counters.created;
			taken = trial_counters(play)->taken_back;
			step(&history);
			history.creates += play->plan.counters.created - before;
			assert_true(history.creates <= history.thresholds * (1 + TRIES));
			if (trial_counters(play)->taken_back == taken)
				continue;
			/* What is under way then is judged yet; no more is begun. */
			before = play->plan.counters.created;
			for (int j = 0; j < 100; j++)
				trial_pass(play, 100, draw(300));
			assert_int_equal(play->plan.counters.created, before);
		}
		play_closed(play);
		trial_pass(play, HOLD_MS, 0);
	}
	assert_true(trial_counters(play)->helped && trial_counters(play)->replaced);
	assert_true(trial_counters(play)->taken_back && trial_counters(play)->unjudged);
	assert_true(trial_counters(play)->left_alone);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, trial_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_history_goes_to_and_fro),
	};

	return cmocka_run_group_tests_name("plan_histories", tests, NULL, NULL);
}
