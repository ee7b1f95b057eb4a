/* SPDX-License-Identifier: MIT */
/* The probes that are under way: how many, for how long, and which answer is whose. */
#include "core/volley.h"

#include "../unit.h"

#define MS 1000000ull

static struct path_prefix prefix;

static struct survey begin(void)
{
	prefix = (struct path_prefix){};
	return (struct survey){.prefix = &prefix, .random = 1};
}

static void there_are_so_many_slots(void **state)
{
	struct survey survey = begin();

	(void)state;
	for (unsigned int i = 0; i < SURVEY_WINDOW + 4; i++)
		volley_add(&survey, i % 2 ? PURPOSE_FLOW : PURPOSE_OWN, 4000 + i, 2);
	assert_int_equal(volley_count(&survey, -1), SURVEY_WINDOW);
	assert_int_equal(volley_count(&survey, PURPOSE_FLOW), SURVEY_WINDOW / 2);
	assert_true(volley_has(&survey, 4000));
	assert_false(volley_has(&survey, 4000 + SURVEY_WINDOW));
}

static void hops_are_found(void **state)
{
	struct survey survey = begin();

	(void)state;
	volley_add(&survey, PURPOSE_FILL, 4000, 2);
	assert_null(volley_find_hop(&survey, 2));
	volley_add(&survey, PURPOSE_HOP, 4000, 2);
	assert_non_null(volley_find_hop(&survey, 2));
	assert_null(volley_find_hop(&survey, 3));
}

/* A machine that is busy answers late. */
static void each_try_waits_longer(void **state)
{
	struct survey survey = begin();
	struct survey_slot slot = {.tries = 1, .sent_ns = {100 * MS, 200 * MS, 300 * MS, 400 * MS}};

	(void)state;
	assert_int_equal(volley_deadline_ns(&survey, &slot), 148 * MS); /* nothing was heard yet */
	prefix.rtt_ns = MS;
	assert_int_equal(volley_deadline_ns(&survey, &slot), 110 * MS);
	prefix.rtt_ns = 20 * MS;
	assert_int_equal(volley_deadline_ns(&survey, &slot), 180 * MS);
	slot.tries = 2;
	assert_int_equal(volley_deadline_ns(&survey, &slot), 360 * MS);
	slot.tries = 4;
	assert_int_equal(volley_deadline_ns(&survey, &slot), 900 * MS);
}

static void answers_are_to_a_try_that_was_sent(void **state)
{
	const struct survey_slot slot = {.tries = 2, .probe = {.port = 4000, .cookie = 0xab00}};
	const struct survey_slot none = {.probe = {.port = 4000, .cookie = 0xab00}};

	(void)state;
	assert_true(volley_is_answered(&slot, 4000, 0xab00));
	assert_true(volley_is_answered(&slot, 4000, 0xab01));
	assert_false(volley_is_answered(&slot, 4000, 0xab02)); /* not sent yet */
	assert_false(volley_is_answered(&slot, 4000, 0xab04));
	assert_false(volley_is_answered(&slot, 4001, 0xab00));
	assert_false(volley_is_answered(&none, 4000, 0xab00));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_are_so_many_slots),
		cmocka_unit_test(hops_are_found),
		cmocka_unit_test(each_try_waits_longer),
		cmocka_unit_test(answers_are_to_a_try_that_was_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
