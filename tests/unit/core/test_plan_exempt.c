/* SPDX-License-Identifier: MIT */
/* Subflows that are not judged: asked for, announced, or on paths of their own. */
#include "trial.h"

#include "core/order.h"

#include <string.h>

static void what_is_asked_for_is_not_judged(void **state)
{
	struct play *play = *state;
	const char *why;

	trial_in_vain(play);
	play_intent(play, 1, 0);
	assert_int_equal(play->creates, 2 + TRIES);
	play_joined(play, LOCAL_PORT + 10);
	assert_int_equal(order_add(&play->plan, play_conn(play), 1, play->now_ns, &why), 0);
	play_act(play);
	play_joined(play, LOCAL_PORT + 11);
	trial_pass(play, WINDOW_MS, 100);
	trial_pass(play, WINDOW_MS, 100);
	assert_int_equal(play->measures, 2 + 2 * (1 + TRIES) - 1);
	assert_int_equal(play->destroys, 1 + TRIES);
	play_assert_subflows(play, 3, 0, 0);
}

static void nor_is_what_replaces_a_dead_one(void **state)
{
	struct play *play = *state;

	play->plan.does_repair = true;
	trial_second(play);
	trial_pass(play, WINDOW_MS, 200);
	play_fell_silent(play, LOCAL_PORT + 1);
	assert_int_equal(play->plan.counters.repairs, 1);
	assert_int_equal(play->creates, 2);
	play_left(play, LOCAL_PORT + 1);
	play_joined(play, LOCAL_PORT + 2);
	trial_pass(play, WINDOW_MS, 100);
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

static void off_is_off(void **state)
{
	struct play *play = *state;

	trial_second(play);
	play->plan.benefits.rule.margin_percent = 0;
	trial_pass(play, WINDOW_MS, 100);
	assert_int_equal(play->destroys, 0);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 2);
}

static struct path_map *open_map(struct play *play)
{
	struct path_map *map = play_map(play);

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
	trial_pass(play, WINDOW_MS, 100);
	assert_int_equal(play->measures, 0);
	play_assert_subflows(play, 2, 0, 0);
}

/* Who wants no more of the links than helps has it judged all the same. */
static void a_path_of_its_own_may_be_judged(void **state)
{
	struct play *play = *state;
	struct path_map *map = open_map(play);

	play->plan.benefits.rule.judges_own = true;
	for (uint16_t i = 0; i < 8; i++)
		learn(play, map, LOCAL_PORT + i, 1 + i % 4);
	play_connect(play);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 0);
	trial_pass(play, WINDOW_MS, 100);
	assert_int_equal(play->create.local.port, LOCAL_PORT + 1);
	play_joined(play, LOCAL_PORT + 1);
	trial_pass(play, WINDOW_MS, 150);
	assert_int_equal(trial_counters(play)->helped, 1);
	play_threshold(play, 150);
	trial_pass(play, WINDOW_MS, 150);
	assert_int_equal(play->create.local.port, LOCAL_PORT + 2);
	play_joined(play, LOCAL_PORT + 2);
	trial_pass(play, WINDOW_MS, 150);
	/* Its path was the best that there was: no other port would do better. */
	assert_int_equal(play->destroys, 1);
	assert_int_equal(trial_counters(play)->replaced, 0);
	assert_int_equal(trial_counters(play)->taken_back, 1);
	play_left(play, LOCAL_PORT + 2);
	play_assert_subflows(play, 2, 0, 0);
	play_threshold(play, 200);
	assert_int_equal(play->creates, 2);
	assert_int_equal(trial_counters(play)->left_alone, 1);
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
	trial_pass(play, WINDOW_MS, 200);
	assert_int_equal(play->creates, 2);
	play_joined(play, play->create.local.port);
	trial_pass(play, WINDOW_MS, 200);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(trial_counters(play)->replaced, 0);
	assert_int_equal(trial_counters(play)->taken_back, 1);
	play_assert_subflows(play, 2, 0, 0);
}

/* Nobody knew of it when the subflow was opened: the trial is over, and it stays. */
static void one_whose_path_proves_to_be_its_own_is_judged_no_more(void **state)
{
	struct play *play = *state;
	struct path_map *map;
	struct subflow *subflow;

	trial_second(play);
	map = open_map(play);
	learn(play, map, LOCAL_PORT, 1);
	learn(play, map, LOCAL_PORT + 1, 2);
	play_meddle(play);
	TAILQ_FOREACH (subflow, &play_conn(play)->subflows, entry) {
		subflow->path = path_of(map, path_port_find(map, subflow->local.port));
		path_load(&subflow->path, subflow->is_light);
	}
	trial_pass(play, WINDOW_MS, 100);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(trial_counters(play)->unjudged, 1);
	assert_string_equal(play_conn(play)->why,
		"the subflow from 10.0.0.1:40001 stays, whether it helps is not known: its path is "
		"its own, as is known by now");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, trial_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_asked_for_is_not_judged),
		TEST(nor_is_what_replaces_a_dead_one),
		TEST(the_policy_has_nothing_to_compare_with),
		TEST(nor_has_what_was_announced),
		TEST(off_is_off),
		TEST(a_path_of_its_own_is_not_judged),
		TEST(a_path_of_its_own_may_be_judged),
		TEST(the_only_path_is_not_judged),
		TEST(a_shared_path_is_judged_once),
		TEST(one_whose_path_proves_to_be_its_own_is_judged_no_more),
	};

	return cmocka_run_group_tests_name("plan_exempt", tests, NULL, NULL);
}
