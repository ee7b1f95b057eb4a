/* SPDX-License-Identifier: MIT */
/* Destinations that refuse joins: how many in a row, for how long, and what is forgotten. */
#include "core/refusals.h"

#include "../unit.h"

#include <arpa/inet.h>
#include <errno.h>

#define SECOND 1000000000ull
#define START  (100 * SECOND)

static const struct refusal refused = {.error = ECONNREFUSED, .reset_reason = -1};

static struct endpoint at(const char *address, uint16_t port)
{
	struct endpoint endpoint = {.family = AF_INET6, .port = port};

	if (inet_pton(AF_INET6, address, &endpoint.v6) == 1)
		return endpoint;
	endpoint.family = AF_INET;
	inet_pton(AF_INET, address, &endpoint.v4);
	return endpoint;
}

static struct refusals three_for_ten_seconds(void)
{
	return (struct refusals){.rule = {.most = 3, .hold_ns = 10 * SECOND}};
}

static void note(struct refusals *refusals, const struct endpoint *remote, uint64_t now_ns)
{
	refusals_note(refusals, 1, remote, &refused, now_ns);
}

static bool holds(struct refusals *refusals, const struct endpoint *remote, uint64_t now_ns)
{
	return refusals_find_held(refusals, 1, remote, now_ns);
}

static void a_destination_is_held_after_so_many_in_a_row(void **state)
{
	struct refusals refusals = three_for_ten_seconds();
	struct endpoint remote = at("10.0.0.2", 80);

	(void)state;
	assert_null(refusals_find(&refusals, 1, &remote, START));
	note(&refusals, &remote, START);
	note(&refusals, &remote, START);
	assert_false(holds(&refusals, &remote, START));
	assert_int_equal(refusals_find(&refusals, 1, &remote, START)->in_a_row, 2);
	note(&refusals, &remote, START);
	assert_true(holds(&refusals, &remote, START));
	assert_true(holds(&refusals, &remote, START + 10 * SECOND - 1));
	assert_false(holds(&refusals, &remote, START + 10 * SECOND));
	/* It is still remembered: the next one is enough. */
	note(&refusals, &remote, START + 11 * SECOND);
	assert_true(holds(&refusals, &remote, START + 12 * SECOND));
	refusals_done(&refusals);
}

static void a_join_that_comes_up_clears_the_destination(void **state)
{
	struct refusals refusals = three_for_ten_seconds();
	struct endpoint remote = at("10.0.0.2", 80);

	(void)state;
	for (int i = 0; i < 2; i++) {
		note(&refusals, &remote, START);
		note(&refusals, &remote, START);
		refusals_clear(&refusals, 1, &remote);
		assert_null(refusals_find(&refusals, 1, &remote, START));
	}
	assert_false(holds(&refusals, &remote, START));
	refusals_done(&refusals);
}

static void destinations_are_told_apart(void **state)
{
	struct refusals refusals = three_for_ten_seconds();
	struct endpoint remote = at("10.0.0.2", 80), port = at("10.0.0.2", 81),
			address = at("10.0.0.3", 80), six = at("fd00::2", 80),
			mapped = at("::ffff:10.0.0.2", 80);

	(void)state;
	for (int i = 0; i < 3; i++)
		note(&refusals, &remote, START);
	assert_true(holds(&refusals, &mapped, START));
	assert_false(holds(&refusals, &port, START));
	assert_false(holds(&refusals, &address, START));
	assert_false(holds(&refusals, &six, START));
	assert_null(refusals_find_held(&refusals, 2, &remote, START));
	refusals_forget(&refusals, 2);
	assert_true(holds(&refusals, &remote, START));
	refusals_forget(&refusals, 1);
	assert_false(holds(&refusals, &remote, START));
	refusals_done(&refusals);
}

static void what_is_old_is_forgotten(void **state)
{
	struct refusals refusals = three_for_ten_seconds();
	struct endpoint remote = at("10.0.0.2", 80), other = at("10.0.0.3", 80);

	(void)state;
	note(&refusals, &remote, START);
	note(&refusals, &remote, START);
	assert_non_null(refusals_find(&refusals, 1, &remote, START + 20 * SECOND - 1));
	assert_null(refusals_find(&refusals, 1, &remote, START + 20 * SECOND));
	/* Two that old and one new are not three in a row. */
	note(&refusals, &remote, START + 20 * SECOND);
	assert_int_equal(refusals_find(&refusals, 1, &remote, START + 20 * SECOND)->in_a_row, 1);
	note(&refusals, &other, START + 30 * SECOND);
	refusals_expire(&refusals, START + 40 * SECOND);
	assert_int_equal(HASH_COUNT(refusals.entries), 1);
	refusals_done(&refusals);
}

static void a_full_table_displaces_the_one_that_refused_longest_ago(void **state)
{
	struct refusals refusals = three_for_ten_seconds();
	struct endpoint remote = at("10.0.0.2", 0);

	(void)state;
	for (remote.port = 1; remote.port <= REFUSALS_MAX; remote.port++)
		note(&refusals, &remote, START);
	remote.port = 1;
	note(&refusals, &remote, START);
	assert_int_equal(refusals.displaced, 0);
	remote.port = REFUSALS_MAX + 1;
	note(&refusals, &remote, START);
	assert_int_equal(refusals.displaced, 1);
	assert_int_equal(HASH_COUNT(refusals.entries), REFUSALS_MAX);
	remote.port = 1;
	assert_int_equal(refusals_find(&refusals, 1, &remote, START)->in_a_row, 2);
	remote.port = 2;
	assert_null(refusals_find(&refusals, 1, &remote, START));
	refusals_done(&refusals);
}

static void no_rule_holds_nothing(void **state)
{
	struct refusals refusals = {.rule = {.most = 0, .hold_ns = SECOND}};
	struct endpoint remote = at("10.0.0.2", 80);

	(void)state;
	for (int i = 0; i < 100; i++)
		note(&refusals, &remote, START);
	assert_false(holds(&refusals, &remote, START));
	assert_int_equal(refusals_find(&refusals, 1, &remote, START)->in_a_row, 100);
	refusals_done(&refusals);
}

static void reasons_are_named(void **state)
{
	char text[REFUSALS_TEXT_MAX];

	(void)state;
	assert_string_equal(refusal_text(&refused, text), "Connection refused");
	assert_string_equal(refusal_text(&(struct refusal){.error = 1, .reset_reason = 3}, text),
		"MPTCP reset reason 3");
	assert_string_equal(refusal_text(&(struct refusal){.reset_reason = -1}, text), "reset");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_destination_is_held_after_so_many_in_a_row),
		cmocka_unit_test(a_join_that_comes_up_clears_the_destination),
		cmocka_unit_test(destinations_are_told_apart),
		cmocka_unit_test(what_is_old_is_forgotten),
		cmocka_unit_test(a_full_table_displaces_the_one_that_refused_longest_ago),
		cmocka_unit_test(no_rule_holds_nothing),
		cmocka_unit_test(reasons_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
