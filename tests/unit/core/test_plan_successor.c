/* SPDX-License-Identifier: MIT */
/* For whom one is opened in the place of a join that nobody answers. */
#include "mute.h"

#include "core/order.h"

#include <errno.h>
#include <stdlib.h>

/* The account of an elephant stands: the one that comes up is the one of its threshold. */
static void what_an_elephant_was_given_is_given_again(void **state)
{
	struct play *play = *state;
	struct subflow *subflow;

	mute_know(play);
	play_connect(play);
	play_threshold(play, 100);
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 2);
	subflow = mute_find(play, play->create.local.port);
	assert_int_equal(subflow->asker, ASKER_ELEPHANT);
	assert_int_equal(play_conn(play)->n_passed, 1);
	play_joined(play, play->create.local.port);
	assert_int_equal(play_conn(play)->passed[0].subflows, 2);
	mute_pass(play, 60 * S);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play_conn(play)->n_passed, 1);
}

/* It has gone by its application's word: no other one is to take its threshold's place. */
static void what_an_elephant_may_not_have_any_more_is_taken_back(void **state)
{
	struct play *play = *state;

	mute_know(play);
	play_connect(play);
	play_threshold(play, 100);
	play_intent(play, 0, 1);
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play_conn(play)->n_passed, 0);
	play_assert_receipt(play, 0, 1);
}

static void nor_does_it_come_again_where_its_application_wants_no_split(void **state)
{
	static const enum purpose purposes[] = {PURPOSE_OFF, PURPOSE_INTERACTIVE};
	struct play *play = *state;

	mute_know(play);
	for (unsigned int i = 0; i < 2; i++) {
		play->key.token++;
		play_connect(play);
		play_threshold(play, 100);
		play_hear(play,
			(struct event){
				.kind = EVENT_INTENT, .generation = 1, .purpose = purposes[i]});
		mute_pass(play, SILENCE_NS);
		assert_int_equal(play->destroys, i + 1);
		assert_int_equal(play->creates, i + 1);
		assert_int_equal(play_conn(play)->n_passed, 0);
	}
	/* What it asks for by number is another matter. */
	play_intent(play, 1, 0);
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 4);
}

/* As by a reload. */
static void rule_that_none_is_split(struct play *play)
{
	struct rule *rule = calloc(1, sizeof(*rule));

	*rule = (struct rule){.name = "small", .is_never = true};
	rules_set(&play->plan, rule, 1);
	play_hear(play, (struct event){.kind = EVENT_OWNER});
	assert_true(rules_is_never(&play->plan, play_conn(play)));
}

static void nor_where_a_rule_says_never(void **state)
{
	struct play *play = *state;

	play->plan.steer.mode = STEER_RANDOM;
	steer_set_ports(&play->plan.steer, play->key.netns,
		&(struct ports){.low = 30000, .high = 60000}, play->now_ns);
	play->plan.policy = (struct policy){.ndiffports = 2, .fullmesh = true};
	play->locals[0] = play_local(0);
	play->locals[1] = play_local(0);
	play->locals[1].v4.s_addr = htonl(0x0a000103);
	play->n_locals = 2;
	play_connect(play);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 3);
	rule_that_none_is_split(play);
	mute_pass(play, 60 * S);
	assert_int_equal(play->destroys, 3);
	assert_int_equal(play->creates, 3);
	assert_int_equal(play_conn(play)->n_passed, 0);
	assert_int_equal(play->plan.counters.repairs, 0);
}

/* What the operator asks for is no split by itself. */
static void what_the_operator_asked_for_stays_the_operators(void **state)
{
	struct play *play = *state;
	const char *why;

	mute_know(play);
	play_connect(play);
	rule_that_none_is_split(play);
	assert_int_equal(order_add(&play->plan, play_conn(play), 1, play->now_ns, &why), 0);
	play_act(play);
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 2);
	assert_int_equal(mute_find(play, play->create.local.port)->asker, ASKER_OPERATOR);
	assert_int_equal(play->plan.counters.orders, 1);
	/* One that waits can be taken back by the operator. */
	play->create_error = ENOTCONN;
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play_conn(play)->wanted_operator, 1);
	assert_int_equal(order_remove(&play->plan, play_conn(play), 1, play->now_ns, &why), 0);
	play_assert_subflows(play, 1, 0, 0);
}

static void what_the_policy_asked_for_stays_the_policys(void **state)
{
	struct play *play = *state;

	mute_know(play);
	play->plan.policy.ndiffports = 2;
	play_connect(play);
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 2);
	assert_int_equal(mute_find(play, play->create.local.port)->asker, ASKER_POLICY);
	assert_int_equal(play->plan.counters.policies, 1);
	play->create_error = ENOTCONN;
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play_conn(play)->wanted_policy, 1);
}

/* The dead path would not answer the probes of a survey either. */
static void it_waits_for_no_survey(void **state)
{
	struct play *play = *state;
	struct path_map *map = play_know(play);

	play->plan.steer.mode = STEER_PATHS;
	map->is_thorough = false;
	play_learn(play, map, LOCAL_PORT, 0);
	play_learn(play, map, PLACED, 1);
	play_learn(play, map, PLACED + 1, 0);
	play_connect(play);
	play_threshold(play, 100);
	assert_int_equal(play->create.local.port, PLACED);
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->surveys, 0);
	assert_int_equal(play->create.local.port, PLACED + 1);
}

/* Or else no other one could be judged, and none be moved. */
static void nor_does_its_trial_wait(void **state)
{
	struct play *play = *state;

	play->plan.benefits.rule = (struct benefit_rule){
		.margin_percent = 10, .time_rtts = 20, .time_min_ns = 200 * MS};
	play_connect(play);
	play->plan.steer.mode = STEER_RANDOM;
	steer_set_ports(&play->plan.steer, play->key.netns,
		&(struct ports){.low = 30000, .high = 60000}, play->now_ns);
	play_threshold(play, 100);
	mute_pass(play, S);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play_conn(play)->benefit.phase, BENEFIT_OPENING);
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 2);
	mute_pass(play, 3 * S / 2); /* the end of the other one disturbs nothing */
	play_joined(play, play->create.local.port);
	assert_true(play_conn(play)->benefit.phase > BENEFIT_OPENING);
	assert_false(play_conn(play)->benefit.is_disturbed);
	mute_pass(play, 2 * SILENCE_NS);
	assert_int_equal(play_conn(play)->benefit.phase, BENEFIT_IDLE);
	/* The next one has nobody who answers at all. */
	play_threshold(play, 150);
	mute_pass(play, 60 * S);
	assert_int_equal(play->creates, 3 + SILENCE_MOST);
	assert_int_equal(play_conn(play)->benefit.phase, BENEFIT_BEFORE);
	play_joined(play, play->create.local.port);
	play_assert_subflows(play, 3, 0, 0);
}

/* What the next daemon is to know of those that are quiet is right. */
static void nothing_of_it_stays_quiet(void **state)
{
	struct play *play = *state;

	play->plan.quiets.rule.time_ns = 20 * MS;
	mute_open(play);
	assert_int_equal(play->receipt.quiet, 1);
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->receipt.quiet, 1);
	play_joined(play, play->create.local.port);
	mute_pass(play, S);
	assert_int_equal(play->receipt.quiet, 0);
}

static struct event lists(uint16_t port)
{
	return (struct event){.kind = EVENT_INTENT,
		.generation = 1,
		.has_wishes = true,
		.wishes.list[0] = {.addr = {0, 0, htonl(0xffff), htonl(0x0a000003)},
			.port = port,
			.since = 1,
			.adds = 1,
			.flags = WISH_TAKEN}};
}

/* By address: from there it is asked for again, and that was not carried out meanwhile. */
static void what_was_listed_is_opened_from_where_it_was_to_be(void **state)
{
	struct play *play = *state;

	play->plan.steer.mode = STEER_RANDOM;
	steer_set_ports(&play->plan.steer, play->key.netns,
		&(struct ports){.low = 30000, .high = 60000}, play->now_ns);
	play_connect(play);
	play_hear(play, lists(0));
	assert_int_equal(play->receipt.wishes[0].done, 1);
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->create.local.v4.s_addr, htonl(0x0a000003));
	assert_int_equal(play->receipt.wishes[0].done, 1);
	assert_int_equal(play_conn(play)->listed->list[0].wanted, 0);
	play->create_error = ENOTCONN;
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->receipt.wishes[0].done, 0);
}

static void from_a_port_of_the_applications_there_is_no_other_way(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_hear(play, lists(4444));
	assert_int_equal(play->create.local.port, 4444);
	mute_pass(play, 60 * S);
	assert_int_equal(play->destroys, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mute_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_an_elephant_was_given_is_given_again),
		TEST(what_an_elephant_may_not_have_any_more_is_taken_back),
		TEST(nor_does_it_come_again_where_its_application_wants_no_split),
		TEST(nor_where_a_rule_says_never),
		TEST(what_the_operator_asked_for_stays_the_operators),
		TEST(what_the_policy_asked_for_stays_the_policys),
		TEST(it_waits_for_no_survey),
		TEST(nor_does_its_trial_wait),
		TEST(nothing_of_it_stays_quiet),
		TEST(what_was_listed_is_opened_from_where_it_was_to_be),
		TEST(from_a_port_of_the_applications_there_is_no_other_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
