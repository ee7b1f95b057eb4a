/* SPDX-License-Identifier: MIT */
/* How far it is: hop by hop, beyond a silent one, and not in circles. */
#include "core/walk.h"

#include "surveying.h"

/* The first three probes. */
static void ask_first(struct surveying *play, struct survey_probe probes[3])
{
	for (int i = 0; i < 3; i++)
		probes[i] = surveying_next(play);
}

/* Of a fabric of three hops at least. */
static void answer_first(struct surveying *play)
{
	struct survey_probe probes[3];

	ask_first(play, probes);
	for (uint8_t i = 0; i < 3; i++)
		surveying_answer(play, &probes[i], 1 + i);
}

static void two_hops_more_are_asked_than_have_answered(void **state)
{
	struct surveying *play = *state;
	struct survey_probe probe, first[3];

	ask_first(play, first);
	for (uint8_t i = 0; i < 3; i++) {
		assert_int_equal(first[i].ttl, 1 + i);
		assert_int_equal(first[i].port, first[0].port);
	}
	assert_false(survey_next(&play->survey, play->now_ns, &probe));
	surveying_answer(play, &first[0], 1);
	assert_false(survey_next(&play->survey, play->now_ns, &probe));
	surveying_answer(play, &first[1], 2);
	assert_int_equal(surveying_next(play).ttl, 4);
	assert_false(survey_next(&play->survey, play->now_ns, &probe));
}

/* It may be the destination, or a router that says nothing. */
static void beyond_a_silent_one_the_next_is_asked_once(void **state)
{
	struct surveying *play = *state;
	struct survey_probe probe, first[3];
	unsigned int asked[SURVEY_HOPS_MAX + 1] = {};

	ask_first(play, first);
	surveying_answer(play, &first[0], 1);
	while (play->survey.phase == SURVEY_HOPS) {
		surveying_wait(play);
		while (play->survey.phase == SURVEY_HOPS &&
			survey_next(&play->survey, play->now_ns, &probe))
			asked[probe.ttl]++;
	}
	assert_int_equal(asked[2], 2); /* and once before */
	assert_int_equal(asked[3], 0);
	assert_int_equal(play->survey.map->hops, 1);
}

static void what_answers_beyond_a_silent_one_is_on_the_way(void **state)
{
	struct surveying *play = *state;
	struct survey_probe first[3];

	ask_first(play, first);
	surveying_answer(play, &first[0], 1);
	surveying_answer(play, &first[2], 3);
	assert_int_equal(play->survey.heard_ttl, 3);
}

/* Nothing has answered in time: what comes after the first hop was not waited for. */
static void one_that_was_given_up_too_early_is_asked_again(void **state)
{
	struct surveying *play = *state;
	struct survey_probe probe, first[3];

	ask_first(play, first);
	surveying_wait(play);
	probe = surveying_next(play);
	assert_int_equal(probe.ttl, 1);
	assert_false(survey_next(&play->survey, play->now_ns, &first[0]));
	surveying_answer(play, &probe, 1);
	assert_int_equal(surveying_next(play).ttl, 2);
}

static void it_ends_before_the_destination(void **state)
{
	struct surveying *play = *state;
	struct survey_probe probe;

	answer_first(play);
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

/* The silence behind the last router takes longer than to see two ways. */
static void ways_are_looked_for_before_the_end_is_sure(void **state)
{
	struct surveying *play = *state;
	struct survey_probe hops[2], flow, other, again;
	struct path_map *map = play->survey.map;

	answer_first(play);
	assert_int_equal(play->survey.phase, SURVEY_HOPS);
	assert_int_equal(map->depth, 2);
	flow = surveying_next(play);
	for (int i = 0; i < 2; flow = surveying_next(play)) {
		if (flow.ttl > 3)
			hops[i++] = flow;
	}
	assert_int_equal(flow.ttl, 2);
	other = surveying_next(play);
	surveying_answer(play, &flow, 12);
	assert_int_equal(play->survey.phase, SURVEY_HOPS);
	assert_true(path_is_known(map, path_port_find(map, flow.port)));
	/* It is farther than that: what has been asked so far is asked at the middle, first of all.
	 */
	surveying_answer(play, &hops[0], 4);
	assert_int_equal(map->depth, 3);
	assert_false(path_is_known(map, path_port_find(map, flow.port)));
	surveying_answer(play, &other, 12);
	do
		again = surveying_next(play);
	while (again.port != flow.port);
	assert_int_equal(again.ttl, 3);
	surveying_answer(play, &again, 23);
	assert_true(path_is_known(map, path_port_find(map, flow.port)));
	assert_int_equal(play->survey.phase, SURVEY_HOPS);
}

/* However many ways are looked for. */
static void each_hop_finds_a_slot(void **state)
{
	struct surveying *play = *state;
	struct survey_probe probe, fifth = {};
	bool is_asked[SURVEY_HOPS_MAX + 1] = {};

	answer_first(play);
	while (survey_next(&play->survey, play->now_ns, &probe)) {
		if (probe.ttl == 5)
			fifth = probe;
	}
	surveying_answer(play, &fifth, 5);
	while (survey_next(&play->survey, play->now_ns, &probe))
		is_asked[probe.ttl] = true;
	assert_true(is_asked[6]);
	assert_true(is_asked[7]);
}

/* It may be on a way whose router in the middle is silent: others are tried. */
static void what_answers_nearer_only_is_given_up(void **state)
{
	struct surveying *play = *state;
	struct survey_probe probe, flow = {}, fourth = {};

	answer_first(play);
	while (survey_next(&play->survey, play->now_ns, &probe)) {
		if (probe.ttl == 4)
			fourth = probe;
		if (probe.ttl == 2)
			flow = probe;
	}
	surveying_answer(play, &flow, 12);
	surveying_answer(play, &fourth, 4);
	assert_non_null(path_port_find(play->survey.map, flow.port));
	for (int i = 0; i < 100 && path_port_find(play->survey.map, flow.port); i++) {
		surveying_wait(play);
		while (survey_next(&play->survey, play->now_ns, &probe))
			;
	}
	assert_null(path_port_find(play->survey.map, flow.port));
	assert_int_not_equal(play->survey.phase, SURVEY_DONE);
}

static void a_circle_is_no_way(void **state)
{
	struct surveying *play = *state;
	struct survey_probe first[3];

	ask_first(play, first);
	surveying_answer(play, &first[0], 1);
	surveying_answer(play, &first[1], 1);
	assert_int_equal(play->survey.phase, SURVEY_DONE);
	assert_string_equal(play->survey.map->why, "the way there runs in a circle");
}

static void without_a_free_port_there_is_no_walk(void **state)
{
	struct surveying *play = *state;
	struct survey_probe probe;

	ports_reserve(&play->ports, play->ports.low, play->ports.high);
	assert_false(survey_next(&play->survey, play->now_ns, &probe));
	assert_int_equal(play->survey.phase, SURVEY_DONE);
	assert_string_equal(play->survey.map->why, "no port is free to probe from");
}

/* They answer, and there is no room to remember who did. */
static void without_a_router_in_the_middle_there_is_no_map(void **state)
{
	struct surveying *play = *state;
	struct path_map *map = play->survey.map;
	struct survey_probe probe;
	struct router other = {};

	while (map->n_routers < PATH_ROUTERS_MAX)
		map->routers[map->n_routers++] = &other;
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
	map->n_routers = 0;
	assert_int_equal(play->survey.phase, SURVEY_DONE);
	assert_string_equal(map->why, "the routers in the middle do not answer");
}

static void so_many_routers_were_passed(void **state)
{
	(void)state;
	assert_int_equal(walk_count_passed(0), 0);
	assert_int_equal(walk_count_passed(1), 63);
	assert_int_equal(walk_count_passed(61), 3);
	assert_int_equal(walk_count_passed(64), 0);
	assert_int_equal(walk_count_passed(65), 63);
	assert_int_equal(walk_count_passed(123), 5);
	assert_int_equal(walk_count_passed(128), 0);
	assert_int_equal(walk_count_passed(129), 126);
	assert_int_equal(walk_count_passed(252), 3);
	assert_int_equal(walk_count_passed(255), 0);
}

/* One more is asked, and no second one. */
static void it_goes_as_far_as_the_peers_packets_have_come(void **state)
{
	struct surveying *play = *state;
	struct survey_probe probe, probes[4];

	survey_note_ttl(&play->survey, 60);
	for (uint8_t i = 0; i < 3; i++)
		probes[i] = surveying_next(play);
	surveying_answer(play, &probes[1], 2);
	probes[3] = surveying_next(play);
	assert_int_equal(probes[3].ttl, 4);
	assert_false(survey_next(&play->survey, play->now_ns, &probe));
	for (uint8_t i = 0; i < 4; i++) {
		assert_int_equal(play->survey.phase, SURVEY_HOPS);
		if (i != 1)
			surveying_answer(play, &probes[i], i + 1);
	}
	while (play->survey.phase == SURVEY_HOPS) {
		while (play->survey.phase == SURVEY_HOPS &&
			survey_next(&play->survey, play->now_ns, &probe))
			assert_int_not_equal(probe.ttl, 6);
		surveying_wait(play);
	}
	assert_int_equal(play->survey.phase, SURVEY_FLOWS);
	assert_int_equal(play->survey.map->hops, 4);
	assert_int_equal(play->survey.map->depth, 3);
}

/* The way back is another one: it says nothing of this. */
static void check_farther(struct surveying *play, uint8_t ttl)
{
	struct survey_probe probes[3], probe;

	survey_note_ttl(&play->survey, ttl);
	for (uint8_t i = 0; i < 3; i++)
		probes[i] = surveying_next(play);
	for (uint8_t i = 0; i < 3; i++)
		surveying_answer(play, &probes[i], i + 1);
	do {
		probe = surveying_next(play);
		if (probe.ttl == 4)
			surveying_answer(play, &probe, 4);
	} while (probe.ttl < 5);
	assert_int_equal(play->survey.phase, SURVEY_HOPS);
}

static void it_goes_on_where_it_is_farther(void **state)
{
	check_farther(*state, 63);
}

/* As long as a way through the smallest fabric: believed until the fourth router answers. */
static void it_goes_on_where_the_way_back_is_shorter(void **state)
{
	check_farther(*state, 61);
}

/* Up to its end; of each flow that is followed routers up to that hop answer. How many there are.
 */
static unsigned int follow(struct surveying *play, const uint8_t last[])
{
	unsigned int flows = 0;
	struct survey_probe probe;
	uint16_t port = 0;

	while (play->survey.phase == SURVEY_HOPS) {
		while (play->survey.phase == SURVEY_HOPS &&
			survey_next(&play->survey, play->now_ns, &probe)) {
			if (probe.port != play->survey.hop_port) {
				surveying_answer(play, &probe, 100 + probe.ttl);
				continue;
			}
			flows += probe.port != port;
			port = probe.port;
			if (probe.ttl <= last[flows - 1])
				surveying_answer(play, &probe, 10 * flows + probe.ttl);
		}
		surveying_wait(play);
	}
	return flows;
}

/* The peer's packets have passed more routers: what the flow has met may be dead. */
static void where_the_middle_is_not_reached_another_flow_is_followed(void **state)
{
	struct surveying *play = *state;
	const uint8_t last[] = {3, 5};

	survey_note_ttl(&play->survey, 59);
	assert_int_equal(follow(play, last), 2);
	assert_int_not_equal(play->survey.phase, SURVEY_DONE);
	assert_int_equal(play->survey.map->hops, 5);
	assert_int_equal(play->survey.map->depth, 3);
}

static void no_more_than_two_are(void **state)
{
	struct surveying *play = *state;
	const uint8_t last[] = {1, 1, 3};

	survey_note_ttl(&play->survey, 61);
	assert_int_equal(follow(play, last), 2);
	assert_int_equal(play->survey.map->hops, 1);
}

/* So far nobody is: the peer's packets began with another number. */
static void where_it_cannot_be_so_far_none_is(void **state)
{
	struct surveying *play = *state;
	const uint8_t last[] = {3, 5};

	survey_note_ttl(&play->survey, 100);
	assert_int_equal(follow(play, last), 1);
	assert_int_equal(play->survey.map->hops, 3);
}

/* The last router says nothing: it is none of those that matter. */
static void where_it_is_reached_none_is(void **state)
{
	struct surveying *play = *state;
	const uint8_t last[] = {4, 5};

	survey_note_ttl(&play->survey, 59);
	assert_int_equal(follow(play, last), 1);
	assert_int_equal(play->survey.map->hops, 4);
	assert_int_equal(play->survey.map->depth, 3);
}

/* It is nobody's way, or all are dead. */
static void where_nothing_answers_none_is(void **state)
{
	struct surveying *play = *state;
	const uint8_t last[] = {0, 3};

	survey_note_ttl(&play->survey, 61);
	assert_int_equal(follow(play, last), 1);
	assert_string_equal(play->survey.map->why, "no router on the way answers");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, surveying_begin, surveying_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_hops_more_are_asked_than_have_answered),
		TEST(so_many_routers_were_passed),
		TEST(it_goes_as_far_as_the_peers_packets_have_come),
		TEST(it_goes_on_where_it_is_farther),
		TEST(it_goes_on_where_the_way_back_is_shorter),
		TEST(beyond_a_silent_one_the_next_is_asked_once),
		TEST(what_answers_beyond_a_silent_one_is_on_the_way),
		TEST(one_that_was_given_up_too_early_is_asked_again),
		TEST(it_ends_before_the_destination),
		TEST(ways_are_looked_for_before_the_end_is_sure),
		TEST(each_hop_finds_a_slot),
		TEST(what_answers_nearer_only_is_given_up),
		TEST(where_the_middle_is_not_reached_another_flow_is_followed),
		TEST(no_more_than_two_are),
		TEST(where_it_cannot_be_so_far_none_is),
		TEST(where_it_is_reached_none_is),
		TEST(where_nothing_answers_none_is),
		TEST(a_circle_is_no_way),
		TEST(without_a_free_port_there_is_no_walk),
		TEST(without_a_router_in_the_middle_there_is_no_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
