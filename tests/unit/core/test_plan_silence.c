/* SPDX-License-Identifier: MIT */
/* Joins that nobody answers: given up, and tried elsewhere, for a while. */
#include "play.h"

#include "core/adoption.h"
#include "core/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS     1000000ull
#define S      (1000 * MS)
#define PLACED 50000 /* ports that lead to the ways 1, 2, 3, 1, ... */

static int begin(void **state)
{
	struct play *play = play_new(state);

	if (!play)
		return -1;
	play->plan.does_repair = true;
	return 0;
}

/* Four ways are known, of which the first subflow takes the first. */
static void know(struct play *play)
{
	struct path_map *map = play_know(play);

	play->plan.steer.mode = STEER_PATHS;
	play_learn(play, map, LOCAL_PORT, 0);
	for (uint16_t i = 0; i < 24; i++)
		play_learn(play, map, PLACED + i, 1 + i % 3);
}

static uint16_t way_of(uint16_t port)
{
	return 1 + (port - PLACED) % 3;
}

static void pass(struct play *play, uint64_t ns)
{
	uint64_t end_ns = play->now_ns + ns;

	while (play_step(play, end_ns))
		;
	play->now_ns = end_ns;
}

/* The application asks for one, from a port that is known. */
static uint16_t open_one(struct play *play)
{
	know(play);
	play_connect(play);
	play_intent(play, 1, 0);
	assert_int_equal(play->creates, 1);
	return play->create.local.port;
}

static bool is_shunned(struct play *play, uint16_t port)
{
	struct path_map *map = play_map(play);
	struct path path = path_of(map, path_port_find(map, port));

	return path_shunned_until_ns(&path) > play->now_ns;
}

/* The kernel says that its SYN had no answer. */
static void times_out(struct play *play, uint16_t port)
{
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(port),
				.remote = play_remote(),
				.error = ETIMEDOUT,
				.reset_reason = -1});
}

static struct subflow *find(struct play *play, uint16_t port)
{
	struct endpoint local = play_local(port), remote = play_remote();

	return conn_find_subflow(play_conn(play), &local, &remote);
}

static void one_is_given_up_and_tried_elsewhere(void **state)
{
	struct play *play = *state;
	uint16_t first = open_one(play), second;

	pass(play, SILENCE_NS - 1);
	assert_int_equal(play->destroys, 0);
	pass(play, 1);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, first);
	assert_int_equal(play->creates, 2);
	second = play->create.local.port;
	assert_int_not_equal(way_of(second), way_of(first));
	assert_int_equal(play->plan.counters.repairs, 1);
	assert_non_null(strstr(play_conn(play)->why, "nobody answers the subflow from 10.0.0.1:"));
	assert_non_null(strstr(play_conn(play)->why, ": given up"));
	/* That way is shunned now: the third goes to what is left. */
	assert_true(is_shunned(play, first));
	assert_false(is_shunned(play, second));
	pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 3);
	assert_int_not_equal(way_of(play->create.local.port), way_of(first));
	assert_int_not_equal(way_of(play->create.local.port), way_of(second));
	play_joined(play, play->create.local.port);
	pass(play, 60 * S);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play->creates, 3);
	assert_int_equal(play->surveys, 0);
	play_assert_receipt(play, 1, 0);
	/* It was no refusal. */
	assert_int_equal(play->plan.counters.refused_by_peer, 0);
	assert_null(play->plan.refusals.entries);
}

/* The kernel's word of its end does not say which one it was. */
static void its_end_needs_no_word(void **state)
{
	struct play *play = *state;
	uint16_t first = open_one(play);

	pass(play, SILENCE_NS);
	assert_true(find(play, first)->is_gone);
	assert_int_equal(conn_count_shown(play_conn(play)), 2);
	play_joined(play, play->create.local.port);
	pass(play, S);
	assert_null(find(play, first));
	play_assert_subflows(play, 2, 0, 0);
}

/* The answer was on its way when it was given up. */
static void an_answer_that_comes_too_late_changes_nothing(void **state)
{
	struct play *play = *state;
	uint16_t first = open_one(play);

	pass(play, SILENCE_NS);
	play_joined(play, first);
	assert_int_equal(play->destroys, 1);
	play_left(play, first);
	assert_null(find(play, first));
	play_assert_subflows(play, 1, 1, 0);
	assert_int_equal(play->plan.counters.refused_by_peer, 0);
}

static void the_kernel_may_have_been_sooner(void **state)
{
	struct play *play = *state;
	uint16_t first = open_one(play);

	play->destroy_error = ESRCH;
	pass(play, SILENCE_NS);
	times_out(play, first);
	assert_null(find(play, first));
	play_assert_subflows(play, 1, 1, 0);
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->plan.counters.refused_by_peer, 0);
	play_assert_receipt(play, 1, 0);
}

static void one_that_the_kernel_keeps_is_one_too_many(void **state)
{
	struct play *play = *state;
	uint16_t first = open_one(play);

	play->destroy_error = EPERM;
	pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 2);
	pass(play, 2 * S);
	assert_int_equal(find(play, first)->state, SUBFLOW_OPENING);
	play->destroy_error = 0;
	play_joined(play, play->create.local.port);
	play_joined(play, first);
	assert_int_equal(play->destroys, 2);
	assert_int_equal(play->destroy.local.port, first);
	play_left(play, first);
	play_assert_subflows(play, 2, 0, 0);
	play_assert_receipt(play, 1, 0);
}

static void one_that_is_answered_stays(void **state)
{
	struct play *play = *state;
	uint16_t first = open_one(play);

	pass(play, SILENCE_NS - 1);
	play_joined(play, first);
	pass(play, 60 * S);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play->destroys, 0);
}

static void where_repair_is_off_the_kernel_is_waited_for(void **state)
{
	struct play *play = *state;

	play->plan.does_repair = false;
	open_one(play);
	pass(play, 60 * S);
	assert_int_equal(play->creates, 1);
	play->plan.does_repair = true;
	play_intent(play, 2, 0);
	play->plan.does_repair = false; /* as by SIGHUP */
	pass(play, 60 * S);
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->destroys, 0);
}

/* Nothing gets through, or its peer takes none: the kernel's word of the last one is a refusal. */
static void after_many_in_a_row_the_next_is_left_to_the_kernel(void **state)
{
	struct play *play = *state;

	open_one(play);
	pass(play, 120 * S);
	assert_int_equal(play->creates, 1 + SILENCE_MOST);
	assert_int_equal(play->destroys, SILENCE_MOST);
	assert_string_equal(play_conn(play)->why,
		"nobody answered 8 subflows in a row: the next is left to the kernel");
	play_assert_subflows(play, 1, 1, 0);
	times_out(play, play->create.local.port);
	assert_int_equal(play->plan.counters.refused_by_peer, 1);
	assert_int_equal(play->plan.refusals.entries->in_a_row, 1);
	assert_int_equal(play->creates, 1 + SILENCE_MOST);
	/* One that comes up, and all begins anew. */
	play_intent(play, 2, 0);
	play_joined(play, play->create.local.port);
	play_intent(play, 3, 0);
	pass(play, SILENCE_NS);
	assert_int_equal(play->destroys, SILENCE_MOST + 1);
}

/* Some of six that were begun at once have to wait, as do the two that go first. */
static void they_share_the_budget_of_repairs(void **state)
{
	struct play *play = *state;

	know(play);
	play_connect(play);
	play_intent(play, 6, 0);
	assert_int_equal(play->creates, 6);
	play_conn(play)->repairs =
		(struct repair_budget){.since_ns = play->now_ns, .spent = REPAIR_MOST - 2};
	play_meddle(play);
	pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 6 + 2);
	assert_int_equal(play->plan.counters.repairs_denied, 4);
	pass(play, REPAIR_WINDOW_NS - SILENCE_NS - 1);
	assert_int_equal(play->creates, 6 + 2);
	assert_int_equal(play->plan.counters.repairs_denied, 4 + 2);
	pass(play, 1);
	assert_int_equal(play->creates, 6 + SILENCE_MOST);
	play_assert_subflows(play, 1, 6, 0);
}

static void list_opening(struct play *play, uint16_t first, uint16_t port)
{
	play_hear(play,
		(struct event){
			.kind = EVENT_FOUND, .local = play_local(first), .remote = play_remote()});
	play_hear(play, (struct event){.kind = EVENT_FOUND_SUBFLOW,
				.local = play_local(first),
				.remote = play_remote()});
	play_hear(play, (struct event){.kind = EVENT_FOUND_SUBFLOW,
				.local = play_local(port),
				.remote = play_remote(),
				.is_opening = true});
}

/* It is named to the kernel by its port. */
static void a_port_of_the_kernels_is_found_out(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	assert_int_equal(play->create.local.port, 0);
	pass(play, SILENCE_NS);
	assert_int_equal(play->searches, 1);
	assert_int_equal(play->destroys, 0);
	adoption_begin(&play->plan, play->key.netns);
	list_opening(play, LOCAL_PORT, LOCAL_PORT + 1);
	adoption_end(&play->plan, play->key.netns);
	pass(play, S / 2);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 1);
	assert_int_equal(play->creates, 2);
	play_assert_subflows(play, 1, 1, 0);
}

static void one_list_tells_of_all(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	pass(play, S);
	play_intent(play, 3, 0);
	pass(play, 60 * S);
	/* And what is not listed cannot be named. */
	assert_int_equal(play->searches, 1);
	assert_int_equal(play->destroys, 0);
}

/* The next daemon waits as long again; what it was for is not known to it. */
static void one_that_is_taken_up_too(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	list_opening(play, LOCAL_PORT, LOCAL_PORT + 1);
	adoption_end(&play->plan, play->key.netns);
	play_act(play);
	pass(play, SILENCE_NS - 1);
	assert_int_equal(play->destroys, 0);
	pass(play, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 1);
	assert_int_equal(play->creates, 1);
}

/* The account of an elephant stands: the one that comes up is the one of its threshold. */
static void what_an_elephant_was_given_is_given_again(void **state)
{
	struct play *play = *state;
	struct subflow *subflow;

	know(play);
	play_connect(play);
	play_threshold(play, 100);
	pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 2);
	subflow = find(play, play->create.local.port);
	assert_int_equal(subflow->asker, ASKER_ELEPHANT);
	assert_int_equal(play_conn(play)->n_passed, 1);
	play_joined(play, play->create.local.port);
	assert_int_equal(play_conn(play)->passed[0].subflows, 2);
	pass(play, 60 * S);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play_conn(play)->n_passed, 1);
}

/* It has gone by its application's word: no other one is to take its threshold's place. */
static void what_an_elephant_may_not_have_any_more_is_taken_back(void **state)
{
	struct play *play = *state;

	know(play);
	play_connect(play);
	play_threshold(play, 100);
	play_intent(play, 0, 1);
	pass(play, SILENCE_NS);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play_conn(play)->n_passed, 0);
	play_assert_receipt(play, 0, 1);
}

static void nor_does_it_come_again_where_its_application_wants_no_split(void **state)
{
	static const enum purpose purposes[] = {PURPOSE_OFF, PURPOSE_INTERACTIVE};
	struct play *play = *state;

	know(play);
	for (unsigned int i = 0; i < 2; i++) {
		play->key.token++;
		play_connect(play);
		play_threshold(play, 100);
		play_hear(play,
			(struct event){
				.kind = EVENT_INTENT, .generation = 1, .purpose = purposes[i]});
		pass(play, SILENCE_NS);
		assert_int_equal(play->destroys, i + 1);
		assert_int_equal(play->creates, i + 1);
		assert_int_equal(play_conn(play)->n_passed, 0);
	}
	/* What it asks for by number is another matter. */
	play_intent(play, 1, 0);
	pass(play, SILENCE_NS);
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
	steer_set_ports(
		&play->plan.steer, play->key.netns, &(struct ports){.low = 30000, .high = 60000});
	play->plan.policy = (struct policy){.ndiffports = 2, .fullmesh = true};
	play->locals[0] = play_local(0);
	play->locals[1] = play_local(0);
	play->locals[1].v4.s_addr = htonl(0x0a000103);
	play->n_locals = 2;
	play_connect(play);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 3);
	rule_that_none_is_split(play);
	pass(play, 60 * S);
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

	know(play);
	play_connect(play);
	rule_that_none_is_split(play);
	assert_int_equal(order_add(&play->plan, play_conn(play), 1, play->now_ns, &why), 0);
	play_act(play);
	pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 2);
	assert_int_equal(find(play, play->create.local.port)->asker, ASKER_OPERATOR);
	assert_int_equal(play->plan.counters.orders, 1);
	/* One that waits can be taken back by the operator. */
	play->create_error = ENOTCONN;
	pass(play, SILENCE_NS);
	assert_int_equal(play_conn(play)->wanted_operator, 1);
	assert_int_equal(order_remove(&play->plan, play_conn(play), 1, play->now_ns, &why), 0);
	play_assert_subflows(play, 1, 0, 0);
}

static void what_the_policy_asked_for_stays_the_policys(void **state)
{
	struct play *play = *state;

	know(play);
	play->plan.policy.ndiffports = 2;
	play_connect(play);
	pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 2);
	assert_int_equal(find(play, play->create.local.port)->asker, ASKER_POLICY);
	assert_int_equal(play->plan.counters.policies, 1);
	play->create_error = ENOTCONN;
	pass(play, SILENCE_NS);
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
	pass(play, SILENCE_NS);
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
	steer_set_ports(
		&play->plan.steer, play->key.netns, &(struct ports){.low = 30000, .high = 60000});
	play_threshold(play, 100);
	pass(play, S);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play_conn(play)->benefit.phase, BENEFIT_OPENING);
	pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 2);
	pass(play, 3 * S / 2); /* the end of the other one disturbs nothing */
	play_joined(play, play->create.local.port);
	assert_true(play_conn(play)->benefit.phase > BENEFIT_OPENING);
	assert_false(play_conn(play)->benefit.is_disturbed);
	pass(play, 2 * SILENCE_NS);
	assert_int_equal(play_conn(play)->benefit.phase, BENEFIT_IDLE);
	/* The next one has nobody who answers at all. */
	play_threshold(play, 150);
	pass(play, 60 * S);
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
	open_one(play);
	assert_int_equal(play->receipt.quiet, 1);
	pass(play, SILENCE_NS);
	assert_int_equal(play->receipt.quiet, 1);
	play_joined(play, play->create.local.port);
	pass(play, S);
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
	steer_set_ports(
		&play->plan.steer, play->key.netns, &(struct ports){.low = 30000, .high = 60000});
	play_connect(play);
	play_hear(play, lists(0));
	assert_int_equal(play->receipt.wishes[0].done, 1);
	pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->create.local.v4.s_addr, htonl(0x0a000003));
	assert_int_equal(play->receipt.wishes[0].done, 1);
	assert_int_equal(play_conn(play)->listed->list[0].wanted, 0);
	play->create_error = ENOTCONN;
	pass(play, SILENCE_NS);
	assert_int_equal(play->receipt.wishes[0].done, 0);
}

static void from_a_port_of_the_applications_there_is_no_other_way(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_hear(play, lists(4444));
	assert_int_equal(play->create.local.port, 4444);
	pass(play, 60 * S);
	assert_int_equal(play->destroys, 0);
}

static void one_that_is_to_go_goes(void **state)
{
	struct play *play = *state;
	uint16_t first = open_one(play);

	play_intent(play, 1, 1);
	play_assert_receipt(play, 1, 0);
	pass(play, SILENCE_NS);
	assert_int_equal(play->destroy.local.port, first);
	assert_int_equal(play->creates, 1);
	play_assert_receipt(play, 1, 1);
	pass(play, S);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 1, 1);
	assert_int_equal(play->plan.counters.repairs, 0);
}

static void a_connection_that_ends_takes_them_along(void **state)
{
	struct play *play = *state;

	open_one(play);
	play_closed(play);
	assert_false(play_wait(play));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_is_given_up_and_tried_elsewhere),
		TEST(its_end_needs_no_word),
		TEST(an_answer_that_comes_too_late_changes_nothing),
		TEST(the_kernel_may_have_been_sooner),
		TEST(one_that_the_kernel_keeps_is_one_too_many),
		TEST(one_that_is_answered_stays),
		TEST(where_repair_is_off_the_kernel_is_waited_for),
		TEST(after_many_in_a_row_the_next_is_left_to_the_kernel),
		TEST(they_share_the_budget_of_repairs),
		TEST(a_port_of_the_kernels_is_found_out),
		TEST(one_list_tells_of_all),
		TEST(one_that_is_taken_up_too),
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
		TEST(one_that_is_to_go_goes),
		TEST(a_connection_that_ends_takes_them_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
