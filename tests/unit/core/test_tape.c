/* SPDX-License-Identifier: MIT */
/* What is noted of what a plan hears and wants, and when. */
#include "core/tape.h"

#include "core/plan.h"

#include "../unit.h"

#include <stdlib.h>
#include <string.h>

static struct {
	struct plan plan;
	struct tape tape;
} scene;

static int set_up(void **state)
{
	const struct elephant_rule rule = {
		.start_bytes = 100, .step_bytes = 50, .stop_bytes = 300, .max_subflows = 4};

	(void)state;
	memset(&scene, 0, sizeof(scene));
	return plan_init(&scene.plan, &rule, 8, 3);
}

static int clean_up(void **state)
{
	(void)state;
	plan_done(&scene.plan);
	tape_done(&scene.tape);
	return 0;
}

/* What was noted since the last time. */
static void assert_noted(const char *lines)
{
	assert_string_equal(text_of(&scene.tape.text), lines);
	text_clear(&scene.tape.text);
}

static void begin(void)
{
	tape_begin(&scene.tape, &scene.plan, "a test");
	assert_non_null(strstr(
		text_of(&scene.tape.text), "subflow-recording 1 of a test\nsettings start=100 "));
	text_clear(&scene.tape.text);
}

static void without_one_nothing_is_noted(void **state)
{
	(void)state;
	plan_tick(&scene.plan, 1);
	assert_null(plan_next(&scene.plan));
	assert_noted("");
}

static void settings_are_noted_when_they_have_changed(void **state)
{
	(void)state;
	begin();
	plan_tick(&scene.plan, 1);
	assert_noted("tick at=1\n");
	scene.plan.does_repair = true;
	plan_tick(&scene.plan, 2);
	assert_non_null(strstr(text_of(&scene.tape.text), " repair=1 "));
	assert_non_null(strstr(text_of(&scene.tape.text), "\ntick at=2\n"));
	text_clear(&scene.tape.text);
	plan_tick(&scene.plan, 3);
	assert_noted("tick at=3\n");
	/* To ask when to call next is no event. */
	plan_tick(&scene.plan, 0);
	assert_noted("");
}

static void nothing_more_is_noted_once(void **state)
{
	(void)state;
	begin();
	assert_null(plan_next(&scene.plan));
	assert_noted("");
	plan_tick(&scene.plan, 1);
	assert_null(plan_next(&scene.plan));
	assert_null(plan_next(&scene.plan));
	assert_noted("tick at=1\nrest\n");
}

static void maps_are_noted_when_a_survey_has_changed_them(void **state)
{
	const struct endpoint near = {.family = AF_INET, .v4.s_addr = htonl(0x0a000001)},
			      far = {.family = AF_INET, .port = 80, .v4.s_addr = htonl(0x0a000002)};
	struct path_key key = path_key_of(1, &near, &far);
	struct in6_addr router = {.s6_addr = {[15] = 1}};
	struct path_map *map;

	(void)state;
	begin();
	map = path_table_get(&scene.plan.steer.paths, &key);
	assert_non_null(map);
	plan_tick(&scene.plan, 1);
	assert_noted("tick at=1\n");
	assert_int_equal(path_learn(&scene.plan.steer.paths, map, 40000, 2, &router), 0);
	plan_tick(&scene.plan, 2);
	assert_noted("map netns=1 local=10.0.0.1:0 remote=10.0.0.2:80 routers=[::1]:0 "
		     "ports=40000/0/0/1/0/0\n"
		     "tick at=2\n");
	path_map_silence(map, "no router", 3);
	plan_tick(&scene.plan, 3);
	assert_noted("map netns=1 local=10.0.0.1:0 remote=10.0.0.2:80 state=silent "
		     "why=no%20router learned=3 routers=[::1]:0 ports=40000/0/0/1/0/0\n"
		     "tick at=3\n");
	plan_tick(&scene.plan, 4);
	assert_noted("tick at=4\n");
}

static void ports_and_rules_are_noted(void **state)
{
	const struct ports ports = {.low = 1, .high = 2};
	struct rule *rule = calloc(1, sizeof(*rule));

	(void)state;
	assert_non_null(rule);
	begin();
	assert_int_equal(steer_set_ports(&scene.plan.steer, 1, &ports, 0), 0);
	*rule = (struct rule){.name = "one", .is_never = true};
	rules_set(&scene.plan, rule, 1);
	assert_noted("rules count=1\n"
		     "rule name=one never=1\n"
		     "ports netns=1 low=1 high=2\n");
	plan_forget_netns(&scene.plan, 1);
	assert_noted("end netns=1\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_one_nothing_is_noted),
		TEST(settings_are_noted_when_they_have_changed),
		TEST(nothing_more_is_noted_once),
		TEST(maps_are_noted_when_a_survey_has_changed_them),
		TEST(ports_and_rules_are_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
