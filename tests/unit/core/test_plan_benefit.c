/* SPDX-License-Identifier: MIT */
/* A subflow that does not help: replaced, taken back, its destination left alone; never to and fro.
 */
#include "play.h"

#include "core/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS        1000000ull
#define TRIES     2
#define HOLD_MS   60000
#define WINDOW_MS 200
#define HISTORIES 1000

static int begin(void **state)
{
	struct play *play;
	int err = play_begin(state);

	if (err)
		return err;
	play = *state;
	play->plan.benefits.rule = (struct benefit_rule){.margin_percent = 10,
		.time_rtts = 20,
		.time_min_ns = WINDOW_MS * MS,
		.tries = TRIES};
	play->plan.in_vain.rule.hold_ns = HOLD_MS * MS;
	play->sample.queued = 1 << 20;
	return 0;
}

static const struct benefit_counters *counters(const struct play *play)
{
	return &play->plan.benefits.counters;
}

/* The time passes, at this rate, with enough to send. */
static void pass(struct play *play, uint64_t ms, uint64_t mbit)
{
	play->now_ns += ms * MS;
	play->sample.bytes_acked += ms * mbit * 125;
	play->sample.busy_us += ms * 1000;
	plan_tick(&play->plan, play->now_ns);
	play_act(play);
}

/* An elephant at 100 Mbit/s, whose second subflow was judged worth a try and has come up. */
static void play_second(struct play *play)
{
	play_connect(play);
	play_threshold(play, 100);
	pass(play, WINDOW_MS, 100);
	play_joined(play, LOCAL_PORT + 1);
}

/* What it was replaced by comes up, after the old one has gone, and brings @mbit in all. */
static void play_replaced(struct play *play, uint16_t port, uint64_t mbit)
{
	play_left(play, port - 1);
	play_joined(play, port);
	pass(play, WINDOW_MS, 0); /* what happens then does not count */
	pass(play, WINDOW_MS, mbit);
}

/* All that is tried fails, and the last one has gone. */
static void play_in_vain(struct play *play)
{
	play_second(play);
	pass(play, WINDOW_MS, 100);
	for (uint16_t i = 0; i < TRIES; i++)
		play_replaced(play, LOCAL_PORT + 2 + i, 100);
	play_left(play, LOCAL_PORT + 1 + TRIES);
}

static void one_that_helps_stays(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 0);
	pass(play, WINDOW_MS - 1, 100);
	assert_int_equal(play->creates, 0);
	pass(play, 1, 100);
	assert_int_equal(play->creates, 1);
	play_joined(play, LOCAL_PORT + 1);
	pass(play, WINDOW_MS, 180);
	assert_int_equal(play->measures, 3);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(counters(play)->helped, 1);
	assert_string_equal(play_conn(play)->why,
		"the subflow from 10.0.0.1:40001 helps: 100.0 Mbit/s before, 180.0 with it");
	play_assert_subflows(play, 2, 0, 0);
	assert_false(play_wait(play));
}

static void one_that_does_not_is_replaced(void **state)
{
	struct play *play = *state;

	play_second(play);
	pass(play, WINDOW_MS, 105);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 1);
	/* The rate without it is known: the next one need not wait. */
	assert_int_equal(play->creates, 2);
	assert_int_equal(counters(play)->replaced, 1);
	play_replaced(play, LOCAL_PORT + 2, 190);
	assert_int_equal(counters(play)->helped, 1);
	assert_int_equal(play->destroys, 1);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play_conn(play)->n_passed, 1);
	assert_int_equal(play_conn(play)->passed[0].subflows, 2);
	/* Nobody asked for it to go: the application's account stands. */
	play_assert_receipt(play, 0, 0);
}

static void a_few_times_then_taken_back(void **state)
{
	struct play *play = *state;

	play_in_vain(play);
	assert_int_equal(play->creates, 1 + TRIES);
	assert_int_equal(play->destroys, 1 + TRIES);
	assert_int_equal(counters(play)->replaced, TRIES);
	assert_int_equal(counters(play)->taken_back, 1);
	assert_string_equal(play_conn(play)->why,
		"the subflow from 10.0.0.1:40003 does not help, 100.0 Mbit/s before, 100.0 with "
		"it: taken back");
	play_assert_subflows(play, 1, 0, 0);
	assert_false(play_wait(play));
}

static void the_destination_is_left_alone_for_a_while(void **state)
{
	struct play *play = *state;

	play_in_vain(play);
	pass(play, 1000, 100);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 1 + TRIES);
	assert_int_equal(counters(play)->left_alone, 1);
	assert_non_null(strstr(play_conn(play)->why, "10.0.0.2:80 did not help"));
	play_assert_subflows(play, 1, 0, 0);
	/* Other connections to there too. */
	play->key.token = 8;
	play_connect(play);
	play_threshold(play, 100);
	pass(play, WINDOW_MS, 100);
	assert_int_equal(play->creates, 1 + TRIES);
	assert_int_equal(counters(play)->left_alone, 2);
	pass(play, HOLD_MS, 100);
	play_threshold(play, 150);
	pass(play, WINDOW_MS, 100);
	assert_int_equal(play->creates, 2 + TRIES);
}

static void what_is_asked_for_is_not_judged(void **state)
{
	struct play *play = *state;
	const char *why;

	play_in_vain(play);
	play_intent(play, 1, 0);
	assert_int_equal(play->creates, 2 + TRIES);
	play_joined(play, LOCAL_PORT + 10);
	assert_int_equal(order_add(&play->plan, play_conn(play), 1, play->now_ns, &why), 0);
	play_act(play);
	play_joined(play, LOCAL_PORT + 11);
	pass(play, WINDOW_MS, 100);
	pass(play, WINDOW_MS, 100);
	assert_int_equal(play->measures, 2 + 2 * (1 + TRIES) - 1);
	assert_int_equal(play->destroys, 1 + TRIES);
	play_assert_subflows(play, 3, 0, 0);
}

static void nor_is_what_replaces_a_dead_one(void **state)
{
	struct play *play = *state;

	play_second(play);
	pass(play, WINDOW_MS, 200);
	play_hear(play, (struct event){.kind = EVENT_TIMEOUT,
				.local = play_local(LOCAL_PORT + 1),
				.remote = play_remote()});
	assert_int_equal(play->plan.counters.repairs, 1);
	assert_int_equal(play->creates, 2);
	play_left(play, LOCAL_PORT + 1);
	play_joined(play, LOCAL_PORT + 2);
	pass(play, WINDOW_MS, 100);
	assert_int_equal(play->measures, 3);
	play_assert_subflows(play, 2, 0, 0);
}

static void the_policy_has_nothing_to_compare_with(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 3;
	play_connect(play);
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->measures, 0);
}

static void nor_has_what_was_announced(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_hear(play,
		(struct event){.kind = EVENT_INTENT, .generation = 1, .expected_bytes = 150 * MB});
	assert_int_equal(play->creates, 2);
	play_joined(play, LOCAL_PORT + 1);
	play_joined(play, LOCAL_PORT + 2);
	assert_int_equal(play->measures, 0);
	/* What comes after that has. */
	play_threshold(play, 200);
	assert_int_equal(play->measures, 1);
	assert_int_equal(play->creates, 2);
}

static void an_idle_application_proves_nothing(void **state)
{
	struct play *play = *state;

	play_second(play);
	play->now_ns += WINDOW_MS * MS;
	plan_tick(&play->plan, play->now_ns);
	play_act(play);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(counters(play)->unjudged, 1);
	play_assert_subflows(play, 2, 0, 0);
}

static void a_slow_application_proves_nothing(void **state)
{
	struct play *play = *state;

	play_second(play);
	play->sample.busy_us -= WINDOW_MS * 1000 / 2;
	play->sample.queued = 0;
	pass(play, WINDOW_MS, 100);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(counters(play)->unjudged, 1);
}

static void answers_that_fail_are_no_verdict(void **state)
{
	struct play *play = *state;

	play->measure_error = ENOENT;
	play_connect(play);
	play_threshold(play, 100);
	pass(play, 0, 100);
	assert_int_equal(play->creates, 1);
	play_joined(play, LOCAL_PORT + 1);
	pass(play, 0, 100);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(counters(play)->unjudged, 1);
	assert_false(play_wait(play));
}

static void answers_that_do_not_come_are_none_either(void **state)
{
	struct play *play = *state;

	play->is_measure_lost = true;
	play_connect(play);
	play_threshold(play, 100);
	assert_true(play_wait(play));
	assert_int_equal(play->creates, 1);
	play_joined(play, LOCAL_PORT + 1);
	assert_true(play_wait(play));
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(counters(play)->unjudged, 1);
	assert_false(play_wait(play));
}

static void the_last_answer_may_be_missing_too(void **state)
{
	struct play *play = *state;

	play_second(play);
	play->is_measure_lost = true;
	pass(play, WINDOW_MS, 100);
	assert_true(play_wait(play));
	assert_int_equal(counters(play)->unjudged, 1);
	play_assert_subflows(play, 2, 0, 0);
}

static void long_round_trips_take_longer(void **state)
{
	struct play *play = *state;

	play->sample.srtt_us = 50000;
	play_connect(play);
	play_threshold(play, 100);
	pass(play, 999, 100);
	assert_int_equal(play->creates, 0);
	pass(play, 1, 100);
	assert_int_equal(play->creates, 1);
	play_joined(play, LOCAL_PORT + 1);
	pass(play, 999, 100);
	assert_int_equal(play->measures, 2);
	pass(play, 1, 100);
	assert_int_equal(play->measures, 3);
}

static void one_at_a_time(void **state)
{
	struct play *play = *state;

	play_second(play);
	play_threshold(play, 150);
	play_threshold(play, 200);
	assert_int_equal(play->creates, 1);
	pass(play, WINDOW_MS, 200);
	assert_int_equal(counters(play)->helped, 1);
	pass(play, WINDOW_MS, 200);
	assert_int_equal(play->creates, 2);
	play_joined(play, LOCAL_PORT + 2);
	pass(play, WINDOW_MS, 300);
	pass(play, WINDOW_MS, 300);
	assert_int_equal(play->creates, 3);
	play_joined(play, LOCAL_PORT + 3);
	play_assert_subflows(play, 4, 0, 0);
	assert_int_equal(play_conn(play)->passed[2].subflows, 4);
}

static void what_waits_is_dropped_with_the_one_taken_back(void **state)
{
	struct play *play = *state;

	play_second(play);
	play_threshold(play, 150);
	pass(play, WINDOW_MS, 100);
	play_replaced(play, LOCAL_PORT + 2, 100);
	play_replaced(play, LOCAL_PORT + 3, 100);
	play_left(play, LOCAL_PORT + 3);
	assert_int_equal(counters(play)->taken_back, 1);
	assert_int_equal(counters(play)->left_alone, 1);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play_conn(play)->n_passed, 1);
}

static void others_that_come_meanwhile_disturb(void **state)
{
	struct play *play = *state;

	play_second(play);
	play_intent(play, 1, 0);
	play_joined(play, LOCAL_PORT + 9);
	pass(play, WINDOW_MS, 100);
	assert_int_equal(counters(play)->unjudged, 1);
	assert_int_equal(play->destroys, 0);
}

/* One that is silent is being closed, and the kernel has not said so yet. */
static void so_do_others_that_are_about_to_go(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	play_joined(play, LOCAL_PORT + 9);
	play_threshold(play, 100);
	pass(play, WINDOW_MS, 100);
	play_joined(play, LOCAL_PORT + 1);
	play_hear(play, (struct event){.kind = EVENT_TIMEOUT,
				.local = play_local(LOCAL_PORT + 9),
				.remote = play_remote()});
	assert_int_equal(play->destroys, 1);
	pass(play, WINDOW_MS, 100);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(counters(play)->unjudged, 1);
}

/* As pass(), of a download. */
static void receive(struct play *play, uint64_t ms, uint64_t mbit)
{
	play->sample.bytes_received += ms * mbit * 125;
	pass(play, ms, 0);
}

/* Its reader may be slow: that of another one is not. */
static void a_download_speaks_for_itself_alone(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	receive(play, WINDOW_MS, 100);
	for (uint16_t i = 0; i <= TRIES; i++) {
		play_joined(play, LOCAL_PORT + 1 + i);
		if (i)
			receive(play, WINDOW_MS, 100);
		receive(play, WINDOW_MS, 100);
		play_left(play, LOCAL_PORT + 1 + i);
	}
	assert_int_equal(counters(play)->taken_back, 1);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 1 + TRIES);
	assert_int_equal(counters(play)->left_alone, 1);
	play->key.token = 8;
	play_connect(play);
	play_threshold(play, 100);
	receive(play, WINDOW_MS, 100);
	assert_int_equal(play->creates, 2 + TRIES);
	play->key.token = 7;
	receive(play, HOLD_MS, 100);
	play_threshold(play, 200);
	receive(play, WINDOW_MS, 100);
	assert_int_equal(play->creates, 3 + TRIES);
}

static void one_that_comes_before_makes_it_begin_anew(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	pass(play, WINDOW_MS / 2, 100);
	play_intent(play, 1, 0);
	play_joined(play, LOCAL_PORT + 9);
	pass(play, WINDOW_MS / 2, 200);
	assert_int_equal(play->creates, 1);
	pass(play, WINDOW_MS / 2, 200);
	assert_int_equal(play->creates, 2);
	play_joined(play, LOCAL_PORT + 1);
	pass(play, WINDOW_MS, 200);
	assert_int_equal(counters(play)->replaced, 1);
}

static void one_that_goes_is_judged_no_more(void **state)
{
	struct play *play = *state;

	play_second(play);
	play_left(play, LOCAL_PORT + 1);
	assert_false(play_wait(play));
	assert_int_equal(play->measures, 2);
	play_second(play);
	play_closed(play);
	assert_false(play_wait(play));
}

static void a_port_in_use_is_not_measured_twice(void **state)
{
	struct play *play = *state;

	play->create_error = EAGAIN;
	play_connect(play);
	play_threshold(play, 100);
	pass(play, WINDOW_MS, 100);
	assert_int_equal(play->creates, 1);
	play->create_error = 0;
	assert_true(play_wait(play));
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->measures, 1);
}

static void off_is_off(void **state)
{
	struct play *play = *state;

	play_second(play);
	play->plan.benefits.rule.margin_percent = 0;
	pass(play, WINDOW_MS, 100);
	assert_int_equal(play->destroys, 0);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 2);
}

static struct path_map *open_map(struct play *play)
{
	struct endpoint local = play_local(0), remote = play_remote();
	struct path_key key = path_key_of(play->key.netns, &local, &remote);
	struct path_map *map = path_map_get(&play->plan.steer.paths, &key);

	assert_non_null(map);
	play->plan.steer.mode = STEER_PATHS;
	map->depth = 1;
	map->state = PATH_KNOWN;
	map->learned_ns = play->now_ns;
	map->is_thorough = true;
	return map;
}

/* The flow from @port passes this router. */
static void learn(struct play *play, struct path_map *map, uint16_t port, uint32_t router)
{
	struct endpoint endpoint = {.family = AF_INET, .v4.s_addr = htonl(0x0b000000 + router)};
	struct in6_addr address = path_address(&endpoint);

	assert_int_equal(path_learn(&play->plan.steer.paths, map, port, 1, &address), 0);
}

/* On a fabric that is full the rate does not rise at once where a path of its own is won. */
static void a_path_of_its_own_is_not_judged(void **state)
{
	struct play *play = *state;
	struct path_map *map = open_map(play);

	learn(play, map, LOCAL_PORT, 1);
	learn(play, map, LOCAL_PORT + 1, 2);
	play_connect(play);
	play_threshold(play, 100);
	assert_int_equal(play->create.local.port, LOCAL_PORT + 1);
	play_joined(play, LOCAL_PORT + 1);
	pass(play, WINDOW_MS, 100);
	assert_int_equal(play->measures, 0);
	play_assert_subflows(play, 2, 0, 0);
}

/* Who wants subflows on the one path that there is gets them. */
static void the_only_path_is_not_judged(void **state)
{
	struct play *play = *state;
	struct path_map *map = open_map(play);

	for (uint16_t port = LOCAL_PORT; port < LOCAL_PORT + 9; port++)
		learn(play, map, port, 1);
	play->plan.rule.on_single_path = true;
	play_connect(play);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->measures, 0);
}

/* Another port would not take a better one: this was the best. */
static void a_shared_path_is_judged_once(void **state)
{
	struct play *play = *state;
	struct path_map *map = open_map(play);

	learn(play, map, LOCAL_PORT, 1);
	for (uint16_t port = LOCAL_PORT + 1; port < LOCAL_PORT + 9; port++)
		learn(play, map, port, port & 1 ? 2 : 1);
	play_connect(play);
	play_threshold(play, 100);
	play_joined(play, play->create.local.port);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 1);
	pass(play, WINDOW_MS, 200);
	assert_int_equal(play->creates, 2);
	play_joined(play, play->create.local.port);
	pass(play, WINDOW_MS, 200);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(counters(play)->replaced, 0);
	assert_int_equal(counters(play)->taken_back, 1);
	play_assert_subflows(play, 2, 0, 0);
}

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
		pass(play, draw(300), draw(300));
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
			taken = counters(play)->taken_back;
			step(&history);
			history.creates += play->plan.counters.created - before;
			assert_true(history.creates <= history.thresholds * (1 + TRIES));
			if (counters(play)->taken_back == taken)
				continue;
			/* What is under way then is judged yet; no more is begun. */
			before = play->plan.counters.created;
			for (int j = 0; j < 100; j++)
				pass(play, 100, draw(300));
			assert_int_equal(play->plan.counters.created, before);
		}
		play_closed(play);
		pass(play, HOLD_MS, 0);
	}
	assert_true(counters(play)->helped && counters(play)->replaced);
	assert_true(counters(play)->taken_back && counters(play)->unjudged);
	assert_true(counters(play)->left_alone);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_that_helps_stays),
		TEST(one_that_does_not_is_replaced),
		TEST(a_few_times_then_taken_back),
		TEST(the_destination_is_left_alone_for_a_while),
		TEST(what_is_asked_for_is_not_judged),
		TEST(nor_is_what_replaces_a_dead_one),
		TEST(the_policy_has_nothing_to_compare_with),
		TEST(nor_has_what_was_announced),
		TEST(an_idle_application_proves_nothing),
		TEST(a_slow_application_proves_nothing),
		TEST(answers_that_fail_are_no_verdict),
		TEST(answers_that_do_not_come_are_none_either),
		TEST(the_last_answer_may_be_missing_too),
		TEST(long_round_trips_take_longer),
		TEST(one_at_a_time),
		TEST(what_waits_is_dropped_with_the_one_taken_back),
		TEST(others_that_come_meanwhile_disturb),
		TEST(so_do_others_that_are_about_to_go),
		TEST(a_download_speaks_for_itself_alone),
		TEST(one_that_comes_before_makes_it_begin_anew),
		TEST(one_that_goes_is_judged_no_more),
		TEST(a_port_in_use_is_not_measured_twice),
		TEST(off_is_off),
		TEST(a_path_of_its_own_is_not_judged),
		TEST(the_only_path_is_not_judged),
		TEST(a_shared_path_is_judged_once),
		TEST(no_history_goes_to_and_fro),
	};

	return cmocka_run_group_tests_name("plan_benefit", tests, NULL, NULL);
}
