/* SPDX-License-Identifier: MIT */
/* The operator's orders: within the limits, all or nothing, and no receipt of the application's. */
#include "core/order.h"
#include "play.h"

#include <errno.h>
#include <string.h>

static int add(struct play *play, uint32_t n)
{
	const char *why = "";
	int err = order_add(&play->plan, play_conn(play), n, play->now_ns, &why);

	assert_int_equal(!err, !*why);
	play_act(play);
	return err;
}

static int take(struct play *play, uint32_t n)
{
	const char *why = "";
	int err = order_remove(&play->plan, play_conn(play), n, play->now_ns, &why);

	assert_int_equal(!err, !*why);
	play_act(play);
	return err;
}

static void an_order_opens_subflows(void **state)
{
	struct play *play = *state;

	play_connect(play);
	assert_int_equal(add(play, 2), 0);
	assert_int_equal(play->creates, 2);
	play_joined(play, LOCAL_PORT + 1);
	play_joined(play, LOCAL_PORT + 2);
	play_assert_subflows(play, 3, 0, 0);
	assert_string_equal(
		conn_asker_text(TAILQ_LAST(&play_conn(play)->subflows, subflow_list)->asker),
		"operator");
	assert_string_equal(play_conn(play)->why, "as the operator asked: 3 in all");
	assert_int_equal(play->plan.counters.orders, 2);
	play_assert_receipt(play, 0, 0);
}

static void an_order_waits_for_its_connection(void **state)
{
	struct play *play = *state;

	play_created(play);
	assert_int_equal(add(play, 1), 0);
	assert_int_equal(play->creates, 0);
	play_established(play);
	assert_int_equal(play->creates, 1);
}

static void orders_keep_to_the_limit(void **state)
{
	struct play *play = *state;

	play_connect(play);
	assert_int_equal(add(play, 8), -EDQUOT);
	assert_int_equal(add(play, UINT32_MAX), -EDQUOT);
	assert_int_equal(play->creates, 0);
	assert_int_equal(add(play, 7), 0);
	assert_int_equal(play->creates, 7);
	assert_int_equal(add(play, 1), -EDQUOT);
}

static void only_clients_that_are_ours_are_given_more(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_hear(play, (struct event){.kind = EVENT_FOREIGN});
	assert_int_equal(add(play, 1), -EOPNOTSUPP);
	assert_int_equal(take(play, 1), -EOPNOTSUPP);
	play_closed(play);
	play_hear(play, (struct event){.kind = EVENT_ESTABLISHED,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.is_server = true});
	assert_int_equal(add(play, 1), -EOPNOTSUPP);
	assert_int_equal(play->creates, 0);
}

static void the_youngest_go(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 2, 0);
	play_joined(play, LOCAL_PORT + 1);
	play_joined(play, LOCAL_PORT + 2);
	play_assert_receipt(play, 2, 0);
	assert_int_equal(take(play, 3), -EBUSY);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(take(play, 1), 0);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 2);
	play_left(play, LOCAL_PORT + 2);
	assert_int_equal(take(play, 1), 0);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 1);
	play_left(play, LOCAL_PORT + 1);
	assert_int_equal(take(play, 1), -EBUSY);
	play_assert_subflows(play, 1, 0, 0);
	/* The application's own count is as before, and nothing is opened instead. */
	play_assert_receipt(play, 2, 0);
	assert_int_equal(play->creates, 2);
}

/* Its port is not known: it cannot be named to the kernel. */
static void what_is_being_opened_stays(void **state)
{
	struct play *play = *state;

	play_connect(play);
	assert_int_equal(add(play, 1), 0);
	assert_int_equal(take(play, 1), -EBUSY);
	play_joined(play, LOCAL_PORT + 1);
	assert_int_equal(take(play, 1), 0);
}

static void what_was_not_opened_yet_goes_first(void **state)
{
	struct play *play = *state;

	play_created(play);
	assert_int_equal(add(play, 3), 0);
	assert_int_equal(take(play, 2), 0);
	play_established(play);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->destroys, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_order_opens_subflows),
		TEST(an_order_waits_for_its_connection),
		TEST(orders_keep_to_the_limit),
		TEST(only_clients_that_are_ours_are_given_more),
		TEST(the_youngest_go),
		TEST(what_is_being_opened_stays),
		TEST(what_was_not_opened_yet_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
