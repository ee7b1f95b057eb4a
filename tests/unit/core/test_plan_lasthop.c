/* SPDX-License-Identifier: MIT */
/* An elephant that the last link to its peer holds back takes no more of it than one subflow. */
#include "play.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS      1000000ull
#define HOLD_MS 60000
#define PLACED  50000 /* the ports that lead to the ways 0, 1, ... */
#define WAYS    8
#define FULL    12500 /* bytes a millisecond: 100 Mbit/s */

/* Where packets wait, microseconds: before the last link, and for it. */
static struct {
	uint32_t before_us, last_us;
	uint32_t base_us; /* the way itself, behind the last router */
	uint32_t stray;   /* every so many answers are late; 0 = none */
	bool is_idle;     /* the application has too little to send */
	bool is_received; /* it is a download */
	bool is_unanswered;
	uint32_t answers;
	/* The last link holds back from so many subflows on, whatever last_us; 0 = never. */
	uint32_t from;
} hop;

static struct rate_sample counts;
static uint64_t counted_ns;

static uint32_t last_us(struct play *play)
{
	if (hop.from)
		return play_conn(play)->n_subflows >= hop.from ? 8000 : 0;
	return hop.last_us;
}

static void answer_pace(struct play *play, const struct action *action)
{
	uint64_t us = (play->now_ns - counted_ns) / 1000;

	counts.bytes_acked += hop.is_received ? 0 : FULL * us / 1000;
	counts.bytes_received += hop.is_received ? FULL * us / 1000 : 0;
	counts.busy_us += hop.is_idle ? us / 2 : us;
	counts.srtt_us = hop.base_us + 100 + hop.before_us + last_us(play);
	counts.least_us = hop.base_us + 100;
	counted_ns = play->now_ns;
	plan_hear(&play->plan, &(struct event){.kind = EVENT_PACED,
				       .key = action->key,
				       .now_ns = play->now_ns,
				       .serial = action->serial,
				       .sample = counts});
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

static int begin(void **state)
{
	struct play *play = play_new(state);
	struct path_map *map;

	if (!play)
		return -1;
	memset(&hop, 0, sizeof(hop));
	memset(&counts, 0, sizeof(counts));
	counted_ns = play->now_ns;
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
static void spread(struct play *play)
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
static void pass(struct play *play, uint64_t ms)
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

static const struct lasthop_counters *counters(const struct play *play)
{
	return &play->plan.lasthops.counters;
}

/* In all the time of a hold none is taken. */
static void keep_all(struct play *play)
{
	pass(play, HOLD_MS);
	play_assert_subflows(play, 4, 0, 0);
}

static void lose_all_but_one(struct play *play)
{
	pass(play, 2000);
	play_assert_subflows(play, 1, 0, 0);
}

/* Two on paths of half its rate fill the last link, one does not. */
static void come_to_rest_at_two(struct play *play)
{
	hop.from = 2;
	hop.before_us = 1500;
	spread(play);
	pass(play, 10000);
	play_assert_subflows(play, 2, 0, 0);
}

static void of_the_last_link_one_subflow_is_left(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	spread(play);
	lose_all_but_one(play);
	assert_int_equal(counters(play)->taken, 3);
	assert_int_equal(play->reach.ttl, 3);
	assert_non_null(strstr(play_conn(play)->why, "the last link to its peer"));
	/* It is the oldest one. */
	assert_int_equal(TAILQ_FIRST(&play_conn(play)->subflows)->local.port, LOCAL_PORT);
	/* No threshold gives it one meanwhile. */
	play_threshold(play, 250);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(counters(play)->withheld, 1);
	assert_non_null(strstr(play_conn(play)->why, "is what held it back"));
}

/* Four times in an hour, and longer apart each time. */
static void it_is_tried_again_ever_more_seldom(void **state)
{
	struct play *play = *state;
	unsigned int creates;

	hop.last_us = 4000;
	spread(play);
	pass(play, HOLD_MS - 1000);
	assert_int_equal(play->creates, 3);
	creates = play->creates;
	pass(play, 4000);
	assert_int_equal(play->creates, creates + 3);
	pass(play, 2 * HOLD_MS - 8000);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play->creates, creates + 3);
	for (int minute = 0; minute < 60; minute++)
		pass(play, HOLD_MS);
	assert_in_range(counters(play)->taken, 3 * 5, 3 * 7);
	assert_int_equal(counters(play)->given, counters(play)->taken - 3);
}

/* Before the last router they wait as well. */
static void a_wait_elsewhere_proves_nothing(void **state)
{
	struct play *play = *state;

	hop.before_us = 4000;
	hop.last_us = 8000; /* on the way back, for all that is known */
	spread(play);
	keep_all(play);
	assert_int_equal(counters(play)->taken, 0);
	/* So it is asked about seldom. */
	assert_in_range(play->reaches, 10, 4 * HOLD_MS / 4000 + 4);
}

/* The last link is long: it is not full for that. */
static void a_long_way_is_no_wait(void **state)
{
	struct play *play = *state;

	hop.base_us = 20000;
	hop.last_us = 500;
	spread(play);
	keep_all(play);
	assert_int_equal(play->reaches, 0);
}

static void no_wait_at_all_is_not_asked_about(void **state)
{
	struct play *play = *state;

	hop.last_us = 500;
	spread(play);
	keep_all(play);
	assert_int_equal(play->reaches, 0);
}

static void one_late_answer_in_eight_is_forgiven(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	hop.stray = 8;
	spread(play);
	lose_all_but_one(play);
}

static void half_of_them_late_prove_nothing(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	hop.stray = 2;
	spread(play);
	keep_all(play);
}

static void an_idle_application_and_a_download_prove_nothing(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	hop.is_idle = true;
	spread(play);
	keep_all(play);
	hop.is_idle = false;
	hop.is_received = true;
	keep_all(play);
	assert_int_equal(play->reaches, 0);
}

static void a_silent_router_is_left_alone(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	hop.is_unanswered = true;
	spread(play);
	keep_all(play);
	assert_in_range(play->reaches, 8, 9);
}

/* With an even number of routers the last one has not been seen. */
static void without_the_last_router_nothing_is_asked(void **state)
{
	struct play *play = *state;

	play_map(play)->hops = 4;
	hop.last_us = 4000;
	spread(play);
	keep_all(play);
	assert_int_equal(play->reaches, 0);
}

static void what_was_one_too_many_comes_back_once(void **state)
{
	struct play *play = *state;

	come_to_rest_at_two(play);
	assert_int_equal(counters(play)->given, 1);
	pass(play, HOLD_MS - 12000);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play->creates, 4);
}

/* A queue that comes and goes says nothing of another limit. */
static void without_a_wait_elsewhere_none_comes_back(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	spread(play);
	lose_all_but_one(play);
	hop.last_us = 0;
	pass(play, HOLD_MS - 4000);
	play_assert_subflows(play, 1, 0, 0);
}

static void what_an_application_asked_for_stays(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	spread(play);
	play_intent(play, 1, 0);
	play_joined(play, play->create.local.port);
	pass(play, HOLD_MS);
	play_assert_subflows(play, 5, 0, 0);
	assert_int_equal(play->reaches, 0);
}

/* It has removed one since, of the elephant rule's: by number it has asked for none. */
static void nor_what_it_has_paid_for(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	play_connect(play);
	play_intent(play, 1, 0);
	play_joined(play, play->create.local.port);
	for (uint64_t mb = 100; mb < 200; mb += 50) {
		play_threshold(play, mb);
		play_joined(play, play->create.local.port);
	}
	play_intent(play, 1, 1);
	pass(play, HOLD_MS);
	play_assert_subflows(play, 3, 0, 0);
	assert_int_equal(counters(play)->taken, 0);
}

/* An application asks for two while three are away: one comes back, and there are four. */
static void what_comes_back_keeps_to_the_rule(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	spread(play);
	lose_all_but_one(play);
	play_intent(play, 2, 0);
	pass(play, HOLD_MS - 4000);
	play_assert_subflows(play, 3, 0, 0);
	pass(play, 4000);
	play_assert_subflows(play, 4, 0, 0);
	assert_int_equal(counters(play)->given, 1);
	pass(play, 20 * HOLD_MS);
	play_assert_subflows(play, 4, 0, 0);
	assert_int_equal(counters(play)->taken, 3);
}

static void the_rule_may_be_another_by_then(void **state)
{
	struct play *play = *state;

	hop.last_us = 4000;
	spread(play);
	lose_all_but_one(play);
	play->plan.rule.max_subflows = 2;
	hop.last_us = 0;
	pass(play, HOLD_MS);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(counters(play)->given, 1);
}

/* Of two that are left it removes one: that counts when those come back that were taken. */
static void what_an_application_has_removed_stays_away(void **state)
{
	struct play *play = *state;

	come_to_rest_at_two(play);
	play_intent(play, 0, 1);
	play->plan.rule.max_subflows = 3;
	hop.from = 0;
	pass(play, HOLD_MS);
	play_assert_subflows(play, 2, 0, 0);
}

static void it_can_be_switched_off(void **state)
{
	struct play *play = *state;

	play->plan.lasthops.rule.is_on = false;
	hop.last_us = 4000;
	spread(play);
	keep_all(play);
	assert_int_equal(play->paces, 0);
}

/* Whatever it looks like: in each hold all come back once, and one more if it was one too many. */
static void no_history_goes_to_and_fro(void **state)
{
	struct play *play = *state;
	uint64_t until_ns = 0;
	unsigned int creates = 0;

	play_meddle(play);
	srandom(7);
	for (unsigned int seed = 0; seed < 40; seed++) {
		play->key.token++;
		counted_ns = play->now_ns;
		spread(play);
		for (int i = 0; i < 3000; i++) {
			hop.before_us = random() % 3 ? 0 : random() % 9000;
			hop.last_us = random() % 9000;
			hop.is_unanswered = !(random() % 50);
			if (play_conn(play)->lasthop.until_ns != until_ns) {
				until_ns = play_conn(play)->lasthop.until_ns;
				creates = play->creates;
			}
			pass(play, 1 + random() % 400);
			if (play->now_ns < until_ns)
				assert_in_range(play->creates - creates, 0, 1);
			assert_in_range(play_conn(play)->n_subflows, 1, 4);
		}
		play_closed(play);
	}
	assert_true(counters(play)->taken && counters(play)->given);
}

#define WITH_PLAY(test) cmocka_unit_test_setup_teardown(test, begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLAY(of_the_last_link_one_subflow_is_left),
		WITH_PLAY(it_is_tried_again_ever_more_seldom),
		WITH_PLAY(a_wait_elsewhere_proves_nothing),
		WITH_PLAY(a_long_way_is_no_wait),
		WITH_PLAY(no_wait_at_all_is_not_asked_about),
		WITH_PLAY(one_late_answer_in_eight_is_forgiven),
		WITH_PLAY(half_of_them_late_prove_nothing),
		WITH_PLAY(an_idle_application_and_a_download_prove_nothing),
		WITH_PLAY(a_silent_router_is_left_alone),
		WITH_PLAY(without_the_last_router_nothing_is_asked),
		WITH_PLAY(what_was_one_too_many_comes_back_once),
		WITH_PLAY(without_a_wait_elsewhere_none_comes_back),
		WITH_PLAY(what_an_application_asked_for_stays),
		WITH_PLAY(nor_what_it_has_paid_for),
		WITH_PLAY(what_comes_back_keeps_to_the_rule),
		WITH_PLAY(the_rule_may_be_another_by_then),
		WITH_PLAY(what_an_application_has_removed_stays_away),
		WITH_PLAY(it_can_be_switched_off),
		WITH_PLAY(no_history_goes_to_and_fro),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
