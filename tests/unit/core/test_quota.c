/* SPDX-License-Identifier: MIT */
/* What a user's connections may cost. */
#include "core/quota.h"

#include <sys/param.h>

#include "../unit.h"

#define SECOND_NS 1000000000ull

static unsigned int spend_all(struct quota *quota, uint32_t uid, uint64_t now_ns)
{
	unsigned int count = 0;

	for (; count < 10000 && quota_has(quota, uid, now_ns); count++)
		quota_spend(quota, uid);
	return count;
}

static void a_second_is_saved_and_no_more(void **state)
{
	struct quota quota = {.per_second = 500};

	(void)state;
	assert_int_equal(spend_all(&quota, 1000, SECOND_NS), 500);
	assert_int_equal(spend_all(&quota, 1000, SECOND_NS), 0);
	assert_int_equal(spend_all(&quota, 1000, SECOND_NS + SECOND_NS / 10), 50);
	assert_int_equal(spend_all(&quota, 1000, 100 * SECOND_NS), 500);
	/* A clock that was read earlier gives nothing, and takes nothing. */
	assert_int_equal(spend_all(&quota, 1000, 99 * SECOND_NS), 0);
	assert_int_equal(spend_all(&quota, 1000, 100 * SECOND_NS), 0);
	quota_done(&quota);
}

static void few_a_second_are_saved_longer(void **state)
{
	struct quota quota = {.per_second = 1};

	(void)state;
	assert_int_equal(spend_all(&quota, 1000, SECOND_NS), QUOTA_BURST_MIN);
	assert_int_equal(spend_all(&quota, 1000, 2 * SECOND_NS), 1);
	quota_done(&quota);
}

static void one_user_takes_nothing_from_another(void **state)
{
	struct quota quota = {.per_second = 100};

	(void)state;
	assert_int_equal(spend_all(&quota, 1000, SECOND_NS), 100);
	assert_int_equal(spend_all(&quota, 1001, SECOND_NS), 100);
	assert_int_equal(spend_all(&quota, QUOTA_NOBODY, SECOND_NS), 100);
	assert_int_equal(spend_all(&quota, 0, SECOND_NS), 10000);
	quota_done(&quota);
}

/* Those who have all of it left make room; those who find none share what nobody's are given. */
static void the_table_is_bounded(void **state)
{
	struct quota quota = {.per_second = 100};

	(void)state;
	for (uint32_t uid = 1; uid <= QUOTA_USERS_MAX; uid++)
		assert_int_equal(spend_all(&quota, uid, SECOND_NS), 100);
	assert_int_equal(spend_all(&quota, 1000, SECOND_NS), 100);
	assert_int_equal(spend_all(&quota, 1001, SECOND_NS), 0);
	assert_int_equal(spend_all(&quota, QUOTA_NOBODY, SECOND_NS), 0);
	assert_int_equal(HASH_COUNT(quota.users), QUOTA_USERS_MAX);
	assert_true(quota_has(&quota, 0, SECOND_NS));
	assert_true(quota_has(&quota, 1000, 2 * SECOND_NS));
	assert_int_equal(HASH_COUNT(quota.users), 1);
	quota_done(&quota);
	assert_null(quota.users);
}

/* One a second each is enough to keep all places; the others have something nevertheless. */
static void places_that_are_held_leave_something(void **state)
{
	struct quota quota = {.per_second = 100};
	uint64_t now_ns = SECOND_NS;

	(void)state;
	for (int second = 0; second < 3; second++, now_ns += SECOND_NS) {
		for (uint32_t uid = 1; uid <= QUOTA_USERS_MAX; uid++) {
			assert_true(quota_has(&quota, uid, now_ns + SECOND_NS - uid));
			quota_spend(&quota, uid);
		}
		assert_int_equal(spend_all(&quota, 1000, now_ns + SECOND_NS - 1), 100);
	}
	quota_done(&quota);
}

/* Who had nothing left when it was their turn pays when they have. */
static void any_payer_with_something_left_pays(void **state)
{
	struct quota quota = {.per_second = 100};
	struct quota_payers payers = {};

	(void)state;
	assert_false(quota_find_payer(&quota, &payers, SECOND_NS));
	quota_add_payer(&payers, 1000);
	quota_add_payer(&payers, 1001);
	quota_add_payer(&payers, 1000);
	assert_int_equal(payers.count, 2);
	spend_all(&quota, 1000, SECOND_NS);
	assert_true(quota_find_payer(&quota, &payers, SECOND_NS));
	assert_int_equal(quota_payer(&payers), 1001);
	spend_all(&quota, 1001, SECOND_NS);
	assert_false(quota_find_payer(&quota, &payers, SECOND_NS));
	spend_all(&quota, 1001, 2 * SECOND_NS);
	assert_true(quota_find_payer(&quota, &payers, 2 * SECOND_NS));
	assert_int_equal(quota_payer(&payers), 1000);
	for (uint32_t uid = 1; uid <= QUOTA_PAYERS_MAX; uid++)
		quota_add_payer(&payers, uid);
	assert_int_equal(payers.count, QUOTA_PAYERS_MAX);
	quota_done(&quota);
}

/* In turn, until nobody gets any more; what each has differs by one. */
static void fill_evenly(unsigned int users, unsigned int *count)
{
	unsigned int held[64] = {}, least = 256, before;

	do {
		before = *count;
		for (unsigned int i = 0; i < users; i++) {
			if (!quota_has_room(1 + i, held[i], *count, 256))
				continue;
			held[i]++;
			++*count;
		}
	} while (*count > before);
	for (unsigned int i = 0; i < users; i++)
		least = MIN(least, held[i]);
	for (unsigned int i = 0; i < users; i++)
		assert_in_range(held[i], least, least + 1);
}

static unsigned int fill_up(uint32_t uid, unsigned int *count)
{
	unsigned int held = 0;

	for (; quota_has_room(uid, held, *count, 256); held++)
		++*count;
	return held;
}

static void those_who_come_later_find_room(void **state)
{
	unsigned int count = 0, held, before = 256;

	(void)state;
	for (uint32_t uid = 1; uid <= 7; uid++) {
		held = fill_up(uid, &count);
		assert_in_range(held, 1, before);
		before = held;
	}
	for (unsigned int users = 1; users <= 64; users *= 2) {
		count = 0;
		fill_evenly(users, &count);
		assert_in_range(fill_up(100, &count), 1, 256);
	}
	while (quota_has_room(1, 0, count, 256))
		count++;
	assert_int_equal(fill_up(0, &count), 16);
	assert_int_equal(count, 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_is_saved_and_no_more),
		cmocka_unit_test(few_a_second_are_saved_longer),
		cmocka_unit_test(one_user_takes_nothing_from_another),
		cmocka_unit_test(the_table_is_bounded),
		cmocka_unit_test(places_that_are_held_leave_something),
		cmocka_unit_test(any_payer_with_something_left_pays),
		cmocka_unit_test(those_who_come_later_find_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
