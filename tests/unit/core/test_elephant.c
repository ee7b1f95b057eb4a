/* SPDX-License-Identifier: MIT */
/* The elephant rule at each of its boundaries. */
#include "core/elephant.h"

#include "../unit.h"

static const struct elephant_rule paper = {
	.start_bytes = 100000000,
	.step_bytes = 50000000,
	.stop_bytes = 300000000,
	.max_subflows = 4,
};

static void assert_decision(const struct elephant_rule *rule, uint64_t bytes, uint32_t subflows,
	uint32_t expected, const char *expected_why)
{
	const char *why = NULL;

	assert_int_equal(elephant_decide(rule, bytes, subflows, &why), expected);
	assert_string_equal(why, expected_why);
}

static void starts_at_start(void **state)
{
	(void)state;
	assert_decision(&paper, 0, 1, 0, "it is not an elephant yet");
	assert_decision(&paper, 99999999, 1, 0, "it is not an elephant yet");
	assert_decision(&paper, 100000000, 1, 1, "one more subflow");
}

static void ends_before_stop(void **state)
{
	(void)state;
	assert_decision(&paper, 299999999, 1, 1, "one more subflow");
	assert_decision(&paper, 300000000, 1, 0, "it has passed stop");
	assert_decision(&paper, UINT64_MAX, 1, 0, "it has passed stop");
}

static void max_subflows_is_in_all(void **state)
{
	(void)state;
	assert_decision(&paper, 150000000, 0, 1, "one more subflow");
	assert_decision(&paper, 150000000, 3, 1, "one more subflow");
	assert_decision(&paper, 150000000, 4, 0, "it has max_subflows");
	assert_decision(&paper, 150000000, UINT32_MAX, 0, "it has max_subflows");
}

/* Plays a whole transfer, threshold by threshold: how many subflows it ends with. */
static uint32_t play(const struct elephant_rule *rule)
{
	uint32_t subflows = 1;
	const char *why;

	for (uint64_t bytes = rule->start_bytes; bytes < 10 * paper.stop_bytes;
		bytes += rule->step_bytes)
		subflows += elephant_decide(rule, bytes, subflows, &why);
	return subflows;
}

static void whichever_binds_first_ends_it(void **state)
{
	struct elephant_rule rule = paper;

	(void)state;
	assert_int_equal(play(&rule), 4);
	rule.max_subflows = 64; /* 100, 150, 200, 250 MB; 300 is stop */
	assert_int_equal(play(&rule), 5);
	rule.stop_bytes = 200000000;
	assert_int_equal(play(&rule), 3);
	rule.stop_bytes = 200000001;
	assert_int_equal(play(&rule), 4);
	rule.stop_bytes = rule.start_bytes;
	assert_int_equal(play(&rule), 1);
	rule = paper;
	rule.max_subflows = 1;
	assert_int_equal(play(&rule), 1);
}

static void assert_foreseen(const struct elephant_rule *rule, uint64_t bytes, uint32_t subflows,
	uint64_t expected_threshold)
{
	uint64_t threshold = 77;

	assert_int_equal(elephant_foresee(rule, bytes, &threshold), subflows);
	assert_int_equal(threshold, expected_threshold);
}

static void foresees_what_the_rule_will_give(void **state)
{
	struct elephant_rule rule = paper;

	(void)state;
	assert_foreseen(&paper, 0, 1, 0);
	assert_foreseen(&paper, 99999999, 1, 0);
	assert_foreseen(&paper, 100000000, 2, 100000000);
	assert_foreseen(&paper, 149999999, 2, 100000000);
	assert_foreseen(&paper, 200000000, 4, 200000000);
	assert_foreseen(&paper, UINT64_MAX, 4, 250000000);
	rule.max_subflows = 1;
	assert_foreseen(&rule, UINT64_MAX, 1, 250000000);
	rule = (struct elephant_rule){
		.start_bytes = 1, .step_bytes = 1, .stop_bytes = UINT64_MAX, .max_subflows = 64};
	assert_foreseen(&rule, UINT64_MAX, 64, UINT64_MAX - 1);
	rule.stop_bytes = 1;
	assert_foreseen(&rule, UINT64_MAX, 1, 0);
	rule = paper;
	rule.max_subflows = 64;
	rule.stop_bytes = 10 * paper.stop_bytes;
	assert_foreseen(&rule, UINT64_MAX, play(&rule), 2950000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_at_start),
		cmocka_unit_test(ends_before_stop),
		cmocka_unit_test(max_subflows_is_in_all),
		cmocka_unit_test(whichever_binds_first_ends_it),
		cmocka_unit_test(foresees_what_the_rule_will_give),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
