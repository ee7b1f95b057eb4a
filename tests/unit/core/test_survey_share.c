/* SPDX-License-Identifier: MIT */
/* Surveys that share what may be sent: one that has to wait, and one that goes first. */
#include "fabric.h"

/* As long as it lives its owner may send nothing. */
static void hold(struct fabric_play *play)
{
	unsigned int holds = 0;

	for (; play->survey.phase != SURVEY_DONE && holds < 100000; holds++) {
		survey_hold(&play->survey, play->now_ns, play->now_ns + MS);
		play->now_ns = survey_deadline(&play->survey);
		survey_tick(&play->survey, play->now_ns);
	}
	assert_int_equal(play->survey.phase, SURVEY_DONE);
	assert_true(play->survey.has_news);
}

/* Others may ask at once. */
static void one_that_may_not_send_says_nothing_of_the_routers(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	struct fabric_play play;
	struct survey_probe probe;

	(void)state;
	fabric_begin(&play, &fabric, 1);
	fabric_survey(&play, FABRIC_PEER);
	hold(&play);
	assert_int_equal(play.survey.map->state, PATH_UNKNOWN);
	assert_string_equal(play.survey.map->why, "");
	/* The same when it could send a few. */
	fabric_survey(&play, FABRIC_PEER);
	assert_true(survey_next(&play.survey, play.now_ns, &probe));
	fabric_answer(&play, &probe);
	play.now_ns = play.flights[0].due_ns;
	fabric_hear(&play);
	hold(&play);
	assert_int_equal(play.survey.map->state, PATH_UNKNOWN);
	fabric_look(&play, FABRIC_PEER);
	assert_int_equal(play.survey.map->state, PATH_KNOWN);
	/* What is known of the prefix stays, and so does a map. */
	fabric_survey(&play, FABRIC_PEER);
	play.survey.n_same = 1;
	hold(&play);
	assert_int_equal(play.survey.map->state, PATH_KNOWN);
	fabric_survey(&play, FABRIC_PEER + 1);
	hold(&play);
	assert_int_equal(play.survey.map->state, PATH_UNKNOWN);
	assert_int_equal(play.survey.prefix->hops, 3);
	path_table_done(&play.table);
}

static void one_that_may_not_send_confirms_nothing(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	struct conn_key key = {.netns = 1, .token = 7};
	struct fabric_play play;
	struct path_map *map;
	uint64_t confirmed_ns;

	(void)state;
	map = fabric_explore(&play, &fabric, 1);
	confirmed_ns = map->confirmed_ns;
	play.now_ns += 100 * SECOND_NS;
	fabric_survey(&play, FABRIC_PEER);
	assert_int_equal(survey_ask(&play.survey, &key, WANT_ALL), 0);
	hold(&play);
	assert_int_equal(map->state, PATH_KNOWN);
	assert_int_equal(map->confirmed_ns, confirmed_ns);
	assert_false(map->is_thorough);
	assert_false(map->is_partial);
	path_table_done(&play.table);
}

/* One wakes up when it may send, not before, and when something is due, not later. */
static void each_waits_for_itself(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	struct fabric_play play;
	struct survey_probe probe;
	uint64_t due_ns;

	(void)state;
	fabric_begin(&play, &fabric, 1);
	fabric_survey(&play, FABRIC_PEER);
	assert_true(survey_hold(&play.survey, play.now_ns, play.now_ns + 50 * MS));
	assert_int_equal(survey_deadline(&play.survey), play.now_ns + 50 * MS);
	play.now_ns += 50 * MS;
	assert_true(survey_next(&play.survey, play.now_ns, &probe));
	while (survey_next(&play.survey, play.now_ns, &probe))
		;
	due_ns = survey_deadline(&play.survey);
	assert_in_range(due_ns, play.now_ns + MS, play.now_ns + SECOND_NS);
	assert_false(survey_hold(&play.survey, play.now_ns, play.now_ns + MS / 2));
	assert_int_equal(survey_deadline(&play.survey), due_ns);
	path_table_done(&play.table);
}

/* One that has found the ways lets others go first, and so does one that is sure of one. */
static void two_ways_or_many_flows_are_no_more_blind(void **state)
{
	static const struct fabric many = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	static const struct fabric one = {.hops = 3, .ways = 1, .rtt_ns = MS / 10};
	struct fabric_play play;
	struct in6_addr device = {};

	(void)state;
	fabric_begin(&play, &many, 1);
	fabric_survey(&play, FABRIC_PEER);
	assert_true(survey_is_blind(&play.survey));
	/* Two devices of its own are no two ways yet. */
	for (uint16_t i = 0; i < 2; i++) {
		device.s6_addr[15] = i;
		path_learn(&play.table, play.survey.map, 1000 + i, 0, &device);
	}
	assert_true(survey_is_blind(&play.survey));
	fabric_run(&play);
	assert_false(survey_is_blind(&play.survey));
	fabric_survey(&play, FABRIC_PEER + 1);
	assert_true(survey_is_blind(&play.survey));
	path_table_done(&play.table);
	fabric_explore(&play, &one, 1);
	assert_false(survey_is_blind(&play.survey));
	path_table_done(&play.table);
}

/* Whatever port of whatever host of the prefix: so many at once, and so many a second. */
static void surveys_of_one_prefix_share_what_may_be_sent_there(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	struct fabric_play play;
	unsigned int sent = 0;

	(void)state;
	fabric_begin(&play, &fabric, 1);
	for (unsigned int i = 0; i < 2 * PATH_PREFIX_PER_SECOND; i++) {
		fabric_survey(&play, FABRIC_PEER + i % 8);
		if (!path_prefix_may_send(play.survey.prefix, play.now_ns))
			continue;
		path_prefix_spend(play.survey.prefix);
		sent++;
	}
	assert_int_equal(sent, PATH_PREFIX_PER_SECOND);
	assert_false(path_prefix_may_send(
		play.survey.prefix, play.now_ns + SECOND_NS / PATH_PREFIX_PER_SECOND - 1));
	assert_true(path_prefix_may_send(
		play.survey.prefix, play.now_ns + SECOND_NS / PATH_PREFIX_PER_SECOND));
	fabric_survey(&play, FABRIC_PEER + 256);
	assert_true(path_prefix_may_send(play.survey.prefix, play.now_ns));
	path_table_done(&play.table);
}

/* Of the table of prefixes, by as many others. */
static void fill_prefixes(struct fabric_play *play)
{
	struct path_key key = play->survey.map->key;

	for (uint32_t i = 0; i < PATH_TABLE_PREFIXES_MAX; i++) {
		key.remote.s6_addr[13] = 100 + i / 256;
		key.remote.s6_addr[14] = i % 256;
		path_table_get_prefix(&play->table, &key);
	}
}

/* What it knows of its prefix is its own as long as it lasts, and makes room then. */
static void a_survey_keeps_its_prefix(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	struct path_prefix *prefix;
	struct fabric_play play;

	(void)state;
	fabric_begin(&play, &fabric, 1);
	fabric_survey(&play, FABRIC_PEER);
	prefix = play.survey.prefix;
	fill_prefixes(&play);
	assert_ptr_equal(path_table_get_prefix(&play.table, &play.survey.map->key), prefix);
	fabric_run(&play);
	assert_int_equal(play.survey.map->state, PATH_KNOWN);
	assert_int_equal(prefix->hops, 3);
	assert_int_equal(prefix->surveys, 1);
	survey_done(&play.survey);
	play.survey.prefix = NULL;
	fill_prefixes(&play);
	/* It is looked at anew. */
	fabric_survey(&play, FABRIC_PEER + 1);
	assert_int_equal(play.survey.phase, SURVEY_HOPS);
	assert_int_equal(play.table.counters.prefixes_refused, 0);
	path_table_done(&play.table);
}

/* Its namespace has lost its name: whoever asks again begins anew, and others find room. */
static void one_that_is_given_up_leaves_nothing_being_asked(void **state)
{
	static const struct fabric fabric = {.hops = 3, .ways = 4, .rtt_ns = MS / 10};
	struct fabric_play play;
	struct survey_probe probe;
	struct path_map *map;

	(void)state;
	fabric_begin(&play, &fabric, 1);
	fabric_survey(&play, FABRIC_PEER);
	map = play.survey.map;
	assert_true(survey_next(&play.survey, play.now_ns, &probe));
	assert_int_equal(map->state, PATH_ASKING);
	survey_done(&play.survey);
	assert_int_equal(map->state, PATH_UNKNOWN);
	assert_int_equal(play.survey.prefix->surveys, 0);
	path_table_done(&play.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_may_not_send_says_nothing_of_the_routers),
		cmocka_unit_test(one_that_may_not_send_confirms_nothing),
		cmocka_unit_test(each_waits_for_itself),
		cmocka_unit_test(two_ways_or_many_flows_are_no_more_blind),
		cmocka_unit_test(surveys_of_one_prefix_share_what_may_be_sent_there),
		cmocka_unit_test(a_survey_keeps_its_prefix),
		cmocka_unit_test(one_that_is_given_up_leaves_nothing_being_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
