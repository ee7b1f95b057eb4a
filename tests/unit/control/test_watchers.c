/* SPDX-License-Identifier: MIT */
/* Who is told what, and what the plan is to note for them. */
#include "control/watchers.h"

#include "../unit.h"
#include "kernel/served_list.h"

#include <stdlib.h>
#include <string.h>

#define COOKIE 4711

void __wrap_server_tell(struct server *server, const uint32_t *uid, const char *line);
void __wrap_server_tell_all(struct server *server, const char *line);
void __wrap_server_tell_lost(struct server *server, uint64_t count);
bool __wrap_server_is_heard(const struct server *server, const uint32_t *uid);

static struct {
	struct server server;
	struct plan plan;
	struct served served;
	struct served_netns netns;
	unsigned int lines, losts;
	bool is_deaf, has_uid;
	uint32_t uid; /* of the last line */
	char line[512];
} scene;

void __wrap_server_tell(struct server *server, const uint32_t *uid, const char *line)
{
	(void)server;
	scene.lines++;
	scene.has_uid = uid;
	scene.uid = uid ? *uid : 0;
	strncpy(scene.line, line, sizeof(scene.line) - 1);
}

void __wrap_server_tell_all(struct server *server, const char *line)
{
	__wrap_server_tell(server, NULL, line);
}

void __wrap_server_tell_lost(struct server *server, uint64_t count)
{
	(void)server;
	(void)count;
	scene.losts++;
}

bool __wrap_server_is_heard(const struct server *server, const uint32_t *uid)
{
	(void)server;
	(void)uid;
	return !scene.is_deaf;
}

static int begin(void **state)
{
	const struct elephant_rule rule = {.start_bytes = 1};

	(void)state;
	memset(&scene, 0, sizeof(scene));
	TAILQ_INIT(&scene.served.list);
	strcpy(scene.netns.name, "blue");
	scene.netns.cookie = COOKIE;
	served_list_insert(&scene.served, &scene.netns);
	return plan_init(&scene.plan, &rule, 8, 4);
}

static int end(void **state)
{
	(void)state;
	plan_done(&scene.plan);
	return 0;
}

static struct conn *connect_one(void)
{
	struct conn_key key = {.netns = COOKIE, .token = 7};
	struct event event = {.kind = EVENT_CREATED, .key = key};

	event.local.family = event.remote.family = AF_INET;
	plan_hear(&scene.plan, &event);
	return conn_find(&scene.plan.table, &key);
}

static void tell(void)
{
	watchers_tell_news(&scene.server, &scene.plan, &scene.served);
}

static void nothing_is_noted_for_nobody(void **state)
{
	(void)state;
	connect_one();
	tell();
	assert_int_equal(scene.lines, 0);
	assert_false(scene.plan.news.is_wanted);
	scene.server.watchers = 1;
	tell();
	assert_true(scene.plan.news.is_wanted);
	assert_false(scene.plan.wants_owners);
	scene.server.user_watchers = 1;
	tell();
	assert_true(scene.plan.wants_owners);
	scene.server.watchers = scene.server.user_watchers = 0;
	tell();
	assert_false(scene.plan.news.is_wanted);
	assert_false(scene.plan.wants_owners);
}

static void a_line_names_the_namespace(void **state)
{
	(void)state;
	scene.plan.news.is_wanted = true;
	connect_one();
	tell();
	assert_int_equal(scene.lines, 1);
	assert_non_null(strstr(scene.line, "\"blue\""));
	assert_false(scene.has_uid);
}

/* Those who watch are others: nothing is written, and nobody is kept waiting for it. */
static void what_nobody_is_told_is_not_written(void **state)
{
	(void)state;
	scene.plan.news.is_wanted = scene.is_deaf = true;
	connect_one();
	tell();
	assert_int_equal(scene.lines, 0);
	assert_null(news_next(&scene.plan.news));
}

/* It was not known yet when it was noted. */
static void owners_are_learned_meanwhile(void **state)
{
	struct conn *conn;

	(void)state;
	scene.plan.news.is_wanted = true;
	conn = connect_one();
	conn->has_uid = true;
	conn->uid = 1000;
	tell();
	assert_true(scene.has_uid);
	assert_int_equal(scene.uid, 1000);
}

static void what_found_no_room_is_told(void **state)
{
	(void)state;
	scene.plan.news.is_wanted = true;
	scene.plan.news.lost = 3;
	tell();
	assert_int_equal(scene.losts, 1);
	tell();
	assert_int_equal(scene.losts, 1);
}

static void namespaces_are_told_to_those_who_watch(void **state)
{
	(void)state;
	watchers_tell_netns(&scene.server, "namespace_served", &scene.netns);
	assert_int_equal(scene.lines, 0);
	scene.server.watchers = 1;
	watchers_tell_netns(&scene.server, "namespace_served", &scene.netns);
	assert_int_equal(scene.lines, 1);
	assert_non_null(strstr(scene.line, "namespace_served"));
	assert_non_null(strstr(scene.line, "blue"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_noted_for_nobody),
		TEST(a_line_names_the_namespace),
		TEST(what_nobody_is_told_is_not_written),
		TEST(owners_are_learned_meanwhile),
		TEST(what_found_no_room_is_told),
		TEST(namespaces_are_told_to_those_who_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
