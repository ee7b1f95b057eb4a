/* SPDX-License-Identifier: MIT */
/* What is due comes in the order of its time, and of what was set first. */
#include "core/agenda.h"

#include "../unit.h"

struct task {
	int number;
	struct agenda_entry due;
};

static struct agenda agenda;
static struct task tasks[4];

static int begin(void **state)
{
	(void)state;
	agenda_init(&agenda);
	for (int i = 0; i < 4; i++)
		tasks[i] = (struct task){.number = i};
	return 0;
}

static int take(uint64_t now_ns)
{
	struct agenda_entry *due = agenda_find_due(&agenda, now_ns);
	struct task *task;

	if (!due)
		return -1;
	task = AGENDA_OWNER(due, struct task, due);
	agenda_set(&agenda, due, 0);
	return task->number;
}

static void the_first_is_first(void **state)
{
	(void)state;
	assert_int_equal(agenda_next_ns(&agenda), 0);
	agenda_set(&agenda, &tasks[0].due, 30);
	agenda_set(&agenda, &tasks[1].due, 10);
	agenda_set(&agenda, &tasks[2].due, 20);
	agenda_set(&agenda, &tasks[3].due, 10);
	assert_int_equal(agenda_next_ns(&agenda), 10);
	assert_int_equal(take(9), -1);
	assert_int_equal(take(10), 1);
	assert_int_equal(take(30), 3);
	assert_int_equal(take(30), 2);
	assert_int_equal(take(30), 0);
	assert_int_equal(take(30), -1);
	assert_int_equal(agenda_next_ns(&agenda), 0);
}

static void what_is_set_again_moves(void **state)
{
	(void)state;
	agenda_set(&agenda, &tasks[0].due, 10);
	agenda_set(&agenda, &tasks[1].due, 20);
	agenda_set(&agenda, &tasks[0].due, 30);
	assert_int_equal(agenda_next_ns(&agenda), 20);
	agenda_set(&agenda, &tasks[1].due, 0);
	agenda_set(&agenda, &tasks[1].due, 0);
	assert_int_equal(agenda_next_ns(&agenda), 30);
	assert_int_equal(take(30), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_is_first),
		TEST(what_is_set_again_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
