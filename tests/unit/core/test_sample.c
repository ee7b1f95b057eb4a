/* SPDX-License-Identifier: MIT */
/* How many flows are looked at, from which ports, and what is asked again. */
#include "core/sample.h"

#include "core/volley.h"

#include "surveying.h"

/* Of a map whose deciding tier is 2: @port takes the router @way. */
static void learn(struct surveying *play, uint16_t port, uint8_t way)
{
	struct in6_addr first = surveying_router(1), address = surveying_router(way);
	struct survey *survey = &play->survey;

	survey->map->hops = 3;
	survey->map->depth = 2;
	assert_int_equal(path_learn(survey->table, survey->map, port, 1, &first), 0);
	assert_int_equal(path_learn(survey->table, survey->map, port, 2, &address), 0);
}

static void as_many_as_the_rule_asks_for(void **state)
{
	struct surveying *play = *state;
	struct survey *survey = &play->survey;

	for (uint8_t way = 0; way < 4; way++)
		learn(play, 4000 + way, 10 + way);
	assert_int_equal(sample_count_needed(survey), path_flows_enough(4));
	survey->is_thorough = true;
	assert_int_equal(sample_count_needed(survey), path_flows_sure(4));
	survey->is_thorough = false;
	/* What ports decide is one thing, and how many ways there are another. */
	survey->prefix->is_verified = true;
	assert_int_equal(sample_count_needed(survey), path_flows_enough(4));
	/* The prefix tells that these are all. */
	survey->prefix->paths = 4;
	assert_int_equal(sample_count_needed(survey), 8);
	survey->least_flows = 100;
	assert_int_equal(sample_count_needed(survey), 100);
}

static void what_is_seen_or_under_way_is_not_missing(void **state)
{
	struct surveying *play = *state;
	struct survey *survey = &play->survey;

	for (uint16_t port = 4000; port < 4005; port++)
		learn(play, port, 10); /* one way: 8 flows */
	sample_flows(survey);
	assert_int_equal(volley_count(survey, PURPOSE_FLOW), 3);
	sample_flows(survey);
	assert_int_equal(volley_count(survey, PURPOSE_FLOW), 3);
}

static void subflows_that_are_there_are_asked_about(void **state)
{
	struct surveying *play = *state;
	struct survey *survey = &play->survey;

	learn(play, 4000, 10);
	assert_int_equal(path_port_seek(survey->map, 5000), 0);
	sample_subflows(survey);
	sample_subflows(survey);
	assert_int_equal(volley_count(survey, PURPOSE_OWN), 1);
	assert_true(volley_has(survey, 5000));
}

static void some_are_asked_again(void **state)
{
	struct surveying *play = *state;
	struct survey *survey = &play->survey;

	learn(play, 4000, 10);
	survey->n_same = 2;
	sample_again(survey, play->now_ns);
	assert_int_equal(volley_count(survey, PURPOSE_SAME), 2);
	sample_again(survey, play->now_ns);
	assert_int_equal(volley_count(survey, PURPOSE_SAME), 2);
}

/* By chance at most one in a hundred fabrics that look at no ports sends all where they were. */
static void so_many_are_asked_again(void **state)
{
	static const unsigned int enough[] = {0, 0, 7, 7, 7};
	struct surveying *play = *state;

	for (uint16_t ways = 1; ways <= 4; ways++) {
		learn(play, 4000 + ways, 10 + ways);
		assert_int_equal(sample_count_again(&play->survey), enough[ways]);
	}
}

static void a_way_that_has_failed_is_asked_first(void **state)
{
	struct surveying *play = *state;
	struct survey *survey = &play->survey;
	struct path path;

	for (uint16_t i = 0; i < 8; i++)
		learn(play, 4000 + i, 10 + i);
	path = path_of(survey->map, path_port_find(survey->map, 4005));
	path.tiers[2]->shunned_until_ns = play->now_ns + 1;
	survey_begin(survey, SURVEY_CONFIRM);
	survey->n_same = 30;
	/* Not while it is avoided. */
	sample_again(survey, play->now_ns);
	assert_false(volley_has(survey, 4005));
	memset(survey->slots, 0, sizeof(survey->slots));
	survey->n_same = 1;
	sample_again(survey, play->now_ns + 1);
	assert_true(volley_has(survey, 4005));
}

static void ports_decide_or_they_do_not(void **state)
{
	struct surveying *play = *state;
	const struct survey_probe probe = {.port = 4000, .ttl = 2};
	struct in6_addr same = surveying_router(10), other = surveying_router(11);
	struct survey *survey = &play->survey;

	learn(play, 4000, 10);
	survey_begin(survey, SURVEY_VERIFY);
	sample_hear_again(survey, &probe, &same, play->now_ns);
	assert_int_equal(survey->phase, SURVEY_VERIFY);
	sample_hear_again(survey, &probe, &other, play->now_ns);
	assert_int_equal(survey->phase, SURVEY_DONE);
	assert_string_equal(survey->map->why, "ports do not decide the way there");
}

/* The map was true once. */
static void a_way_that_has_changed_begins_it_anew(void **state)
{
	struct surveying *play = *state;
	const struct survey_probe probe = {.port = 4000, .ttl = 2};
	struct in6_addr other = surveying_router(11);
	struct survey *survey = &play->survey;

	learn(play, 4000, 10);
	survey_begin(survey, SURVEY_CONFIRM);
	sample_hear_again(survey, &probe, &other, play->now_ns);
	assert_int_equal(survey->phase, SURVEY_HOPS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, surveying_begin, surveying_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(as_many_as_the_rule_asks_for),
		TEST(what_is_seen_or_under_way_is_not_missing),
		TEST(subflows_that_are_there_are_asked_about),
		TEST(some_are_asked_again),
		TEST(so_many_are_asked_again),
		TEST(a_way_that_has_failed_is_asked_first),
		TEST(ports_decide_or_they_do_not),
		TEST(a_way_that_has_changed_begins_it_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
