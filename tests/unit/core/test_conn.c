/* SPDX-License-Identifier: MIT */
/* The connection table: finding, limits, retries, and that it frees what it holds. */
#include "core/conn.h"

#include <errno.h>
#include <string.h>

#include "../unit.h"

static struct conn_table table;

static int begin(void **state)
{
	(void)state;
	conn_table_init(&table, 3);
	return 0;
}

static int end(void **state)
{
	(void)state;
	conn_table_done(&table);
	assert_int_equal(conn_table_count(&table), 0);
	return 0;
}

static struct conn *get(uint64_t netns, uint32_t token)
{
	struct conn_key key = {.netns = netns, .token = token};

	return conn_get(&table, &key);
}

static struct conn *find(uint64_t netns, uint32_t token)
{
	struct conn_key key = {.netns = netns, .token = token};

	return conn_find(&table, &key);
}

static struct endpoint endpoint(uint32_t address, uint16_t port)
{
	return (struct endpoint){.family = AF_INET, .port = port, .v4.s_addr = htonl(address)};
}

static struct subflow *add(struct conn *conn, uint16_t local_port, enum subflow_state state)
{
	struct subflow *subflow = conn_add_subflow(conn);

	assert_non_null(subflow);
	subflow->local = endpoint(1, local_port);
	subflow->remote = endpoint(2, 80);
	subflow->state = state;
	return subflow;
}

static void finds_by_namespace_and_token(void **state)
{
	struct conn *a = get(1, 7), *b = get(2, 7);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(get(1, 7), a);
	assert_ptr_equal(find(2, 7), b);
	assert_null(find(1, 8));
	assert_int_equal(conn_table_count(&table), 2);
	conn_free(&table, a);
	assert_null(find(1, 7));
	assert_ptr_equal(find(2, 7), b);
}

static void refuses_beyond_its_limit(void **state)
{
	struct conn *first = get(1, 1);

	(void)state;
	assert_non_null(get(1, 2));
	assert_non_null(get(1, 3));
	assert_null(get(1, 4));
	assert_int_equal(table.refused, 1);
	assert_ptr_equal(get(1, 1), first);
	assert_int_equal(table.refused, 1);
	conn_free(&table, first);
	assert_non_null(get(1, 4));
	assert_int_equal(table.refused, 1);
}

static void retries_are_listed_once(void **state)
{
	struct conn *a = get(1, 1), *b = get(1, 2);

	(void)state;
	conn_set_retry(&table, a, 0);
	assert_true(TAILQ_EMPTY(&table.retries));
	conn_set_retry(&table, a, 10);
	conn_set_retry(&table, b, 20);
	conn_set_retry(&table, a, 30);
	assert_ptr_equal(TAILQ_FIRST(&table.retries), b);
	assert_ptr_equal(TAILQ_NEXT(b, retry), a);
	assert_null(TAILQ_NEXT(a, retry));
	conn_free(&table, b);
	assert_ptr_equal(TAILQ_FIRST(&table.retries), a);
	conn_set_retry(&table, a, 0);
	assert_true(TAILQ_EMPTY(&table.retries));
	conn_set_retry(&table, a, 40);
}

static void subflows_are_found(void **state)
{
	struct conn *conn = get(1, 1);
	struct subflow *first = add(conn, 40000, SUBFLOW_ESTABLISHED);
	struct subflow *second = add(conn, 40001, SUBFLOW_ESTABLISHED);
	struct endpoint local = endpoint(1, 40001), remote = endpoint(2, 80);
	struct endpoint elsewhere = endpoint(2, 81);

	(void)state;
	assert_ptr_equal(conn_find_subflow(conn, &local, &remote), second);
	assert_null(conn_find_subflow(conn, &local, &elsewhere));
	local.port = 40002;
	assert_null(conn_find_subflow(conn, &local, &remote));
	assert_ptr_equal(conn_find_serial(conn, first->serial), first);
	assert_ptr_equal(conn_find_serial(conn, second->serial), second);
	conn_remove_subflow(conn, first);
	assert_ptr_equal(TAILQ_FIRST(&conn->subflows), second);
	assert_null(conn_find_serial(conn, second->serial - 1));
	assert_int_equal(conn->n_subflows, 1);
}

static void serials_are_not_used_again(void **state)
{
	struct conn *conn = get(1, 1);
	uint32_t serial = add(conn, 1, SUBFLOW_OPENING)->serial;

	(void)state;
	conn_remove_subflow(conn, TAILQ_FIRST(&conn->subflows));
	assert_int_not_equal(add(conn, 1, SUBFLOW_OPENING)->serial, serial);
}

/* Its port is not known: the address of this end and the whole of the other one must agree. */
static void opening_ones_are_found_without_their_port(void **state)
{
	struct conn *conn = get(1, 1);
	struct endpoint local = endpoint(1, 40000), remote = endpoint(2, 80);
	struct endpoint elsewhere = endpoint(3, 40000), other_port = endpoint(2, 81);
	struct subflow *older, *younger;

	(void)state;
	add(conn, 0, SUBFLOW_ESTABLISHED);
	add(conn, 0, SUBFLOW_CLOSING);
	assert_null(conn_find_opening(conn, &local, &remote));
	older = add(conn, 0, SUBFLOW_OPENING);
	younger = add(conn, 0, SUBFLOW_OPENING);
	assert_ptr_equal(conn_find_opening(conn, &local, &remote), older);
	assert_null(conn_find_opening(conn, &elsewhere, &remote));
	assert_null(conn_find_opening(conn, &local, &other_port));
	conn_remove_subflow(conn, older);
	assert_ptr_equal(conn_find_opening(conn, &local, &remote), younger);
}

static void counts_what_stays(void **state)
{
	struct conn *conn = get(1, 1);

	(void)state;
	assert_int_equal(conn_count_live(conn), 0);
	add(conn, 1, SUBFLOW_ESTABLISHED);
	add(conn, 0, SUBFLOW_OPENING);
	add(conn, 2, SUBFLOW_CLOSING);
	add(conn, 0, SUBFLOW_OPENING)->is_doomed = true;
	assert_int_equal(conn_count_live(conn), 2);
	assert_int_equal(conn_count_wanted(conn), 0);
	conn->wanted_application = 2;
	conn->wanted_elephant = 1;
	assert_int_equal(conn_count_wanted(conn), 3);
}

static void passed_thresholds_stay_in_order(void **state)
{
	struct conn *conn = get(1, 1);

	(void)state;
	for (uint64_t i = 0; i < 100 + CONN_PASSED_MAX; i++)
		assert_int_equal(conn_add_passed(conn, i - 100, 900 + i, 0), 0);
	assert_int_equal(conn->n_passed, CONN_PASSED_MAX);
	for (uint64_t i = 0; i < CONN_PASSED_MAX; i++) {
		assert_int_equal(conn->passed[i].threshold, i);
		assert_int_equal(conn->passed[i].bytes, 1000 + i);
		assert_int_equal(conn->passed[i].subflows, 0);
	}
}

/* What waits to be sent is no announcement, also before a byte was sent. */
static void a_backlog_is_not_foreseen(void **state)
{
	struct conn *conn = get(1, 7);

	(void)state;
	assert_false(conn_is_foreseen(conn));
	assert_int_equal(conn_add_passed(conn, 100, 0, 4000000), 0);
	assert_false(conn_is_foreseen(conn));
	conn->passed[0].subflows = 2;
	assert_int_equal(conn_add_passed(conn, 150, 0, 0), 0);
	assert_true(conn_is_foreseen(conn));
}

static void long_words_are_cut(void **state)
{
	struct conn *conn = get(1, 1);
	char words[2 * CONN_WHY_MAX];

	(void)state;
	memset(words, 'x', sizeof(words));
	words[sizeof(words) - 1] = '\0';
	conn_say(conn, "%s %d", words, 1);
	assert_int_equal(strlen(conn->why), CONN_WHY_MAX - 1);
	conn_say(conn, "%d", 2);
	assert_string_equal(conn->why, "2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(finds_by_namespace_and_token),
		TEST(refuses_beyond_its_limit),
		TEST(retries_are_listed_once),
		TEST(subflows_are_found),
		TEST(serials_are_not_used_again),
		TEST(opening_ones_are_found_without_their_port),
		TEST(counts_what_stays),
		TEST(passed_thresholds_stay_in_order),
		TEST(a_backlog_is_not_foreseen),
		TEST(long_words_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
