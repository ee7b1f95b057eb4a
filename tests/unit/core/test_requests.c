/* SPDX-License-Identifier: MIT */
/* Users who have asked for anything take turns, and so do the connections of each. */
#include "core/requests.h"

#include "../unit.h"

#include <errno.h>

static struct requests requests;

static int begin(void **state)
{
	(void)state;
	requests_init(&requests);
	return 0;
}

static int end(void **state)
{
	(void)state;
	requests_done(&requests);
	assert_null(requests.users);
	assert_null(requests.conns);
	assert_int_equal(requests.count, 0);
	return 0;
}

static struct event intent(uint32_t uid, uint32_t token, uint32_t generation)
{
	return (struct event){.kind = EVENT_INTENT,
		.uid = uid,
		.key = {.netns = 1, .token = token},
		.generation = generation,
		.adds = generation};
}

static struct event backup(uint32_t uid, uint32_t token, uint16_t port, bool is_backup)
{
	return (struct event){.kind = EVENT_BACKUP,
		.uid = uid,
		.key = {.netns = 1, .token = token},
		.local = {.family = AF_INET, .port = port},
		.is_backup = is_backup};
}

static void add(struct event event)
{
	assert_int_equal(requests_add(&requests, &event), 0);
}

/* The token of the next one in turn; 0 = none is left. */
static uint32_t next(void)
{
	struct event event;

	return requests_next(&requests, &event) ? event.key.token : 0;
}

static void users_take_turns(void **state)
{
	(void)state;
	for (uint32_t token = 10; token < 15; token++)
		add(intent(1, token, 1));
	add(intent(2, 20, 1));
	add(intent(2, 21, 1));
	add(intent(0, 30, 1));
	assert_int_equal(next(), 10);
	assert_int_equal(next(), 20);
	assert_int_equal(next(), 30);
	assert_int_equal(next(), 11);
	/* Who comes now has not to wait for more than one of each. */
	add(intent(3, 40, 1));
	assert_int_equal(next(), 21);
	assert_int_equal(next(), 12);
	assert_int_equal(next(), 40);
	assert_int_equal(next(), 13);
	assert_int_equal(next(), 14);
	assert_int_equal(next(), 0);
}

/* To ask again right after one's turn is no way to be first. */
static void who_was_served_is_last(void **state)
{
	(void)state;
	add(intent(1, 10, 1));
	add(intent(2, 20, 1));
	add(intent(3, 30, 1));
	assert_int_equal(next(), 10);
	add(intent(1, 10, 2));
	assert_int_equal(next(), 20);
	assert_int_equal(next(), 30);
	assert_int_equal(next(), 10);
}

static void connections_of_a_user_take_turns(void **state)
{
	(void)state;
	for (uint16_t port = 1; port <= 3; port++)
		add(backup(1, 10, port, true));
	add(intent(1, 11, 1));
	assert_int_equal(next(), 10);
	assert_int_equal(next(), 11);
	assert_int_equal(next(), 10);
	assert_int_equal(next(), 10);
	assert_int_equal(next(), 0);
}

/* In which order something was added and removed makes a difference. */
static void what_a_connection_asks_for_keeps_its_order(void **state)
{
	struct event event;

	(void)state;
	for (uint32_t generation = 1; generation <= REQUESTS_OF_CONN_MAX; generation++)
		add(intent(1, 10, generation));
	for (uint32_t generation = 1; generation <= REQUESTS_OF_CONN_MAX; generation++) {
		assert_true(requests_next(&requests, &event));
		assert_int_equal(event.generation, generation);
	}
}

/* Totals only grow: none is lost by it. */
static void of_a_flood_the_last_word_counts(void **state)
{
	struct event event;

	(void)state;
	for (uint16_t port = 1; port < REQUESTS_OF_CONN_MAX; port++)
		add(backup(1, 10, port, true));
	add(intent(1, 10, UINT32_MAX - 1));
	add(intent(1, 10, 1));
	add(intent(1, 10, UINT32_MAX)); /* a walk was ahead of it */
	add(backup(1, 10, 2, false));
	assert_int_equal(requests.count, REQUESTS_OF_CONN_MAX);
	/* What no other says goes to the end. */
	add(backup(1, 10, 99, true));
	assert_int_equal(requests.count, REQUESTS_OF_CONN_MAX + 1);
	for (uint16_t port = 1; port < REQUESTS_OF_CONN_MAX; port++) {
		assert_true(requests_next(&requests, &event));
		assert_int_equal(event.local.port, port);
		assert_int_equal(event.is_backup, port != 2);
	}
	assert_true(requests_next(&requests, &event));
	assert_int_equal(event.generation, 1);
	assert_int_equal(next(), 10);
	assert_int_equal(next(), 0);
}

static void those_of_one_connection_are_taken(void **state)
{
	struct conn_key key = {.netns = 1, .token = 10};
	struct event event;

	(void)state;
	assert_false(requests_has(&requests, &key));
	assert_false(requests_take(&requests, &key, &event));
	add(intent(1, 10, 1));
	add(backup(1, 10, 1, true));
	add(intent(1, 11, 1));
	add(intent(2, 20, 1));
	assert_true(requests_has(&requests, &key));
	assert_true(requests_take(&requests, &key, &event));
	assert_int_equal(event.kind, EVENT_INTENT);
	assert_true(requests_take(&requests, &key, &event));
	assert_int_equal(event.kind, EVENT_BACKUP);
	assert_false(requests_take(&requests, &key, &event));
	/* That was nobody's turn. */
	assert_int_equal(next(), 11);
	key.token = 20;
	assert_true(requests_take(&requests, &key, &event));
	assert_int_equal(next(), 0);
}

static void there_is_a_limit(void **state)
{
	struct event more = intent(1, REQUESTS_MAX + 1, 1);

	(void)state;
	for (uint32_t token = 1; token <= REQUESTS_MAX; token++)
		add(intent(1, token, 1));
	assert_int_equal(requests_add(&requests, &more), -ENOSPC);
	assert_int_equal(requests.refused, 1);
	assert_int_equal(next(), 1);
	add(more);
	assert_int_equal(requests.count, REQUESTS_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(users_take_turns),
		TEST(who_was_served_is_last),
		TEST(connections_of_a_user_take_turns),
		TEST(what_a_connection_asks_for_keeps_its_order),
		TEST(of_a_flood_the_last_word_counts),
		TEST(those_of_one_connection_are_taken),
		TEST(there_is_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
