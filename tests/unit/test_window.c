/* SPDX-License-Identifier: MIT */
/* Each request has its answer, and who may ask what. */
#include "window.h"

#include "kernel/served_list.h"
#include "stage.h"

#include <stdlib.h>
#include <string.h>

static const struct peer operator= {.uid = 0, .is_operator = true}, user = {.uid = 1000};
static bool stays;

static void assert_answer(const struct peer *peer, const char *request, const char *says)
{
	struct server_answer answer = window_answer(&stage.daemon, peer, request);

	stays = answer.stays;
	assert_non_null(answer.text);
	if (!strstr(answer.text, says))
		fail_msg("to %s: \"%s\" does not say \"%s\"", request, answer.text, says);
	free(answer.text);
	if (answer.rest)
		window_give_up(answer.rest);
}

static void users_change_nothing(void **state)
{
	(void)state;
	stage_connect();
	assert_answer(&user, "add 7 1", "not permitted");
	assert_answer(&user, "remove 7 1", "not permitted");
	assert_answer(&user, "set elephant.start 1MB", "not permitted");
	assert_answer(&user, "reload", "not permitted");
	assert_int_equal(stage.creates, 0);
	assert_int_equal(stage.configs, 0);
}

static void operators_do(void **state)
{
	(void)state;
	stage_connect();
	assert_answer(&operator, "add 7 2", "\"done\"");
	assert_int_equal(stage.creates, 2);
	assert_answer(&operator, "remove own/7 1", "cannot be closed yet");
	assert_answer(&operator, "add 7 100", "[limits] max_subflows");
	assert_answer(&operator, "set elephant.start 1MB", "\"set\"");
	assert_int_equal(stage.config.start, 1000000);
	assert_answer(&operator, "reload",
		"subflowd was started without --config: there is no file to read; `subflow set` "
		"changes a setting");
}

static void a_connection_has_one_name(void **state)
{
	struct served_netns other = {.cookie = STAGE_COOKIE + 1, .nsid = 5, .name = "blue"};
	struct event event = {.kind = EVENT_CREATED,
		.key = {.netns = STAGE_COOKIE + 1, .token = STAGE_TOKEN},
		.local = stage_local(),
		.remote = stage_remote()};

	(void)state;
	assert_answer(&operator, "add 7 1", "no connection 00000007 that can be changed");
	stage_connect();
	served_list_insert(&stage.daemon.served, &other);
	plan_hear(&stage.daemon.plan, &event);
	assert_answer(&operator, "add 7 1", "several namespaces have a connection 00000007");
	assert_answer(&operator, "add own/7 1", "\"done\"");
	assert_answer(&operator, "add red/7 1", "no connection 00000007");
	served_list_remove(&stage.daemon.served, &other);
}

/* Of what is theirs: so it is found out whose each connection is. */
static void users_may_watch(void **state)
{
	(void)state;
	stage_connect();
	stage_list(STAGE_TOKEN, 1000);
	assert_answer(&operator, "watch", "\"watching\"");
	assert_true(stays);
	assert_true(stage.daemon.plan.news.is_wanted);
	assert_false(stage_conn()->has_uid);
	assert_answer(&user, "watch", "\"watching\"");
	assert_true(stays);
	assert_int_equal(stage_conn()->uid, 1000);
	assert_true(stage.daemon.plan.wants_owners);
}

static void whoever_asks_is_answered(void **state)
{
	(void)state;
	assert_answer(&user, "status", "\"version\"");
	assert_answer(&user, "paths", "{");
	assert_answer(&user, "dance", "unknown request");
	assert_false(stays);
}

/* Its reader may be slow; the namespace is free to go, and to end, meanwhile. */
static void no_listing_keeps_a_namespace(void **state)
{
	struct served_netns *netns = TAILQ_FIRST(&stage.daemon.served.list);
	struct served *served = &stage.daemon.served;
	struct server_answer answer;
	bool is_last;

	(void)state;
	for (int round = 0; round < 2; round++) {
		answer = window_answer(&stage.daemon, &operator, "status");
		free(answer.text);
		free(window_go_on(answer.rest, &is_last));
		assert_int_equal(stage.listings, 1);
		(round ? served->ended : served->vanished)(served->owner, netns);
		assert_int_equal(stage.listings, 0);
		window_give_up(answer.rest);
	}
}

static int begin(void **state)
{
	stays = false;
	return stage_begin(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, stage_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(users_change_nothing),
		TEST(operators_do),
		TEST(a_connection_has_one_name),
		TEST(users_may_watch),
		TEST(whoever_asks_is_answered),
		TEST(no_listing_keeps_a_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
