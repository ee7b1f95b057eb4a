/* SPDX-License-Identifier: MIT */
/* How far it is: hop by hop, beyond a silent one, and not in circles. */
#include "core/walk.h"

#include "surveying.h"

static void each_hop_is_asked_when_the_one_before_has_answered(void **state)
{
	struct surveying *play = *state;
	struct survey_probe probe, first = surveying_next(play);

	assert_int_equal(first.ttl, 1);
	assert_false(survey_next(&play->survey, play->now_ns, &probe));
	surveying_answer(play, &first, 1);
	probe = surveying_next(play);
	assert_int_equal(probe.ttl, 2);
	assert_int_equal(probe.port, first.port);
	surveying_answer(play, &probe, 2);
	assert_int_equal(surveying_next(play).ttl, 3);
}

/* It may be the destination, or a router that says nothing. */
static void beyond_a_silent_one_the_next_is_asked_once(void **state)
{
	struct surveying *play = *state;
	struct survey_probe probe = surveying_next(play);

	surveying_answer(play, &probe, 1);
	assert_int_equal(surveying_next(play).ttl, 2);
	surveying_wait(play);
	assert_int_equal(surveying_next(play).ttl, 2);
	probe = surveying_next(play);
	assert_int_equal(probe.ttl, 3);
	surveying_answer(play, &probe, 3);
	assert_int_equal(play->survey.heard_ttl, 3);
}

static void it_ends_before_the_destination(void **state)
{
	struct surveying *play = *state;
	struct survey_probe probe;

	for (uint8_t router = 1; router <= 3; router++) {
		probe = surveying_next(play);
		surveying_answer(play, &probe, router);
	}
	while (play->survey.phase == SURVEY_HOPS) {
		surveying_wait(play);
		while (play->survey.phase == SURVEY_HOPS &&
			survey_next(&play->survey, play->now_ns, &probe))
			;
	}
	assert_int_equal(play->survey.phase, SURVEY_FLOWS);
	assert_int_equal(play->survey.map->hops, 3);
	assert_int_equal(play->survey.map->depth, 2); /* the middle */
	assert_true(play->survey.has_walked);
}

static void a_circle_is_no_way(void **state)
{
	struct surveying *play = *state;
	struct survey_probe probe = surveying_next(play);

	surveying_answer(play, &probe, 1);
	probe = surveying_next(play);
	surveying_answer(play, &probe, 1);
	assert_int_equal(play->survey.phase, SURVEY_DONE);
	assert_string_equal(play->survey.map->why, "the way there runs in a circle");
}

static void without_a_free_port_there_is_no_walk(void **state)
{
	struct surveying *play = *state;
	struct survey_probe probe;

	play->survey.ports.reserved[0].first = play->survey.ports.low;
	play->survey.ports.reserved[0].last = play->survey.ports.high;
	play->survey.ports.n_reserved = 1;
	assert_false(survey_next(&play->survey, play->now_ns, &probe));
	assert_int_equal(play->survey.phase, SURVEY_DONE);
	assert_string_equal(play->survey.map->why, "no port is free to probe from");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, surveying_begin, surveying_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_hop_is_asked_when_the_one_before_has_answered),
		TEST(beyond_a_silent_one_the_next_is_asked_once),
		TEST(it_ends_before_the_destination),
		TEST(a_circle_is_no_way),
		TEST(without_a_free_port_there_is_no_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
