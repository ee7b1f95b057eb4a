/* SPDX-License-Identifier: MIT */
/* Whose question is answered when. */
#include "control/turns.h"

#include "../unit.h"

#define MS 1000000ull

static void who_costs_much_waits(void **state)
{
	struct turns turns = {};

	(void)state;
	assert_int_equal(turns_due_ns(&turns, 1, MS), 0);
	turns_spend(&turns, 1, MS, MS);
	assert_int_equal(turns_due_ns(&turns, 1, MS), 10 * MS);
	assert_int_equal(turns_due_ns(&turns, 1, 10 * MS - 1), 10 * MS);
	assert_int_equal(turns_due_ns(&turns, 1, 10 * MS), 0);
	turns_spend(&turns, 1, MS, 20 * MS);
	assert_int_equal(turns_due_ns(&turns, 1, 20 * MS), 29 * MS);
	assert_int_equal(turns.count, 1);
}

static void what_costs_adds_up(void **state)
{
	struct turns turns = {};

	(void)state;
	turns_spend(&turns, 1, MS, MS);
	turns_spend(&turns, 1, MS, 2 * MS);
	assert_int_equal(turns_due_ns(&turns, 1, 2 * MS), 19 * MS);
	assert_int_equal(turns_after_ns(0, MS, 3 * MS), 12 * MS);
	assert_int_equal(turns_after_ns(5 * MS, MS, 3 * MS), 14 * MS);
}

static void others_do_not(void **state)
{
	struct turns turns = {};

	(void)state;
	turns_spend(&turns, 1, 1000 * MS, MS);
	assert_int_equal(turns_due_ns(&turns, 2, MS), 0);
	turns_spend(&turns, 2, MS, MS);
	assert_int_equal(turns_due_ns(&turns, 2, MS), 10 * MS);
	assert_true(turns_due_ns(&turns, 1, MS) > 1000 * MS);
}

static void many_users_take_the_places_of_those_who_are_due(void **state)
{
	struct turns turns = {};

	(void)state;
	turns_spend(&turns, 7, 1000 * MS, MS);
	for (uint32_t uid = 100; uid < 100 + 3 * TURNS_MAX; uid++)
		turns_spend(&turns, uid, uid, MS);
	assert_int_equal(turns.count, TURNS_MAX);
	assert_int_equal(turns.displaced, 2 * TURNS_MAX + 1);
	assert_true(turns_due_ns(&turns, 7, MS) > 0);
	assert_int_equal(turns_due_ns(&turns, 100, MS), 0);
	/* Whoever takes a place owes nothing of what was owed there. */
	turns_spend(&turns, 100, 1, MS);
	assert_int_equal(turns_due_ns(&turns, 100, MS), MS + 9);
}

/* A user who could ask again anyway has lost nothing. */
static void who_is_due_is_not_counted(void **state)
{
	struct turns turns = {};

	(void)state;
	for (uint32_t uid = 0; uid < 3 * TURNS_MAX; uid++)
		turns_spend(&turns, uid, MS, uid * MS);
	assert_int_equal(turns.count, TURNS_MAX);
	assert_int_equal(turns.displaced, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_costs_much_waits),
		cmocka_unit_test(what_costs_adds_up),
		cmocka_unit_test(others_do_not),
		cmocka_unit_test(many_users_take_the_places_of_those_who_are_due),
		cmocka_unit_test(who_is_due_is_not_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
