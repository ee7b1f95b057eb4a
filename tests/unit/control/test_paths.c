/* SPDX-License-Identifier: MIT */
/* The answer about path maps: what it says of each, of who takes which way, and to whom. */
#include "control/paths.h"

#include "../unit.h"

#include "base/loop.h"
#include "kernel/served_list.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define COOKIE 4711

struct scene {
	struct plan plan;
	struct served served;
	struct served_netns netns;
	struct path_map *map;
};

static struct endpoint endpoint(uint32_t address, uint16_t port)
{
	return (struct endpoint){.family = AF_INET, .port = port, .v4.s_addr = htonl(address)};
}

static void learn(struct scene *scene, uint16_t port, unsigned int tier, uint32_t router)
{
	struct endpoint end = endpoint(router, 0);
	struct in6_addr address = path_address(&end);

	assert_int_equal(path_learn(&scene->plan.steer.paths, scene->map, port, tier, &address), 0);
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	const struct elephant_rule rule = {.max_subflows = 4};
	struct endpoint local = endpoint(0x0a000101, 0), remote = endpoint(0x0a000201, 7000);
	struct path_key key = path_key_of(COOKIE, &local, &remote);

	assert_int_equal(plan_init(&scene->plan, &rule, 8, 16), 0);
	TAILQ_INIT(&scene->served.list);
	strcpy(scene->netns.name, "web");
	scene->netns.cookie = COOKIE;
	served_list_insert(&scene->served, &scene->netns);
	scene->map = path_table_get(&scene->plan.steer.paths, &key);
	assert_non_null(scene->map);
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	plan_done(&scene->plan);
	free(scene);
	return 0;
}

static struct json_object *ask(struct scene *scene, bool is_operator, const char *expected)
{
	struct peer peer = {.is_operator = is_operator};
	char *text = paths_write(&peer, &scene->plan, &scene->served);
	struct json_object *root = json_tokener_parse(text);

	assert_non_null(root);
	assert_null(strchr(text, '\n'));
	if (!strstr(text, expected))
		fail_msg("no \"%s\" in:\n%s", expected, text);
	free(text);
	return root;
}

static void play_known(struct scene *scene)
{
	scene->map->depth = 2;
	scene->map->hops = 3;
	scene->map->probes = 9;
	for (uint16_t i = 0; i < 4; i++) {
		learn(scene, 40000 + i, 1, 0x0a000102);
		learn(scene, 40000 + i, 2, 0x0a000302 + (i % 2 << 8));
	}
	scene->map->state = PATH_KNOWN;
	scene->map->learned_ns = scene->map->confirmed_ns = loop_now_ns() - 5000000000ull;
}

static void says_what_is_known(void **state)
{
	struct scene *scene = *state;

	play_known(scene);
	json_object_put(ask(scene, true,
		"{\"paths\":[{\"namespace\":\"web\",\"local\":\"10.0.1.1\",\"remote\":\"10.0.2.1:"
		"7000\",\"state\":\"known\",\"reason\":null,\"hops\":3,\"flows\":4,"));
	json_object_put(ask(scene, true, "\"age_s\":5,\"confirmed_s\":5,\"probes\":9,\"ways\":["));
	json_object_put(ask(scene, true,
		"{\"routers\":[\"10.0.1.2\",\"10.0.4.2\"],\"load\":0,\"unsplit\":0,\"shunned_s\":"
		"0,\"ports\":[40001,40003]}],\"subflows\":[]}]}"));
}

static void says_who_takes_which(void **state)
{
	struct scene *scene = *state;
	struct conn_key key = {.netns = COOKIE, .token = 11};
	struct conn *conn = conn_get(&scene->plan.table, &key);
	struct subflow *subflow = conn_add_subflow(conn);

	play_known(scene);
	subflow->local = endpoint(0x0a000101, 40001);
	subflow->remote = endpoint(0x0a000201, 7000);
	subflow->path = path_of(scene->map, path_port_find(scene->map, 40001));
	path_load(&subflow->path, false);
	subflow = conn_add_subflow(conn);
	subflow->local = endpoint(0x0a000101, 40001);
	subflow->remote = endpoint(0x0a000201, 7001); /* elsewhere */
	json_object_put(ask(scene, true, "\"10.0.4.2\"],\"load\":1,\"unsplit\":0,"));
	json_object_put(ask(scene, true,
		"\"subflows\":[{\"token\":11,\"port\":40001,\"asked_by\":null,\"routers\":[\"10.0."
		"1.2\",\"10.0.4.2\"]}]}]}"));
}

static void says_why_nothing_is_known(void **state)
{
	struct scene *scene = *state;

	path_map_silence(scene->map, "no router on the way answers", loop_now_ns());
	json_object_put(ask(scene, true,
		"\"state\":\"silent\",\"reason\":\"no router on the way answers\",\"hops\":0,"
		"\"flows\":0,\"missed\":1.0,"));
	json_object_put(
		ask(scene, true, "\"confirmed_s\":null,\"probes\":0,\"ways\":[],\"subflows\":[]"));
}

static void others_are_shown_nothing(void **state)
{
	struct scene *scene = *state;

	play_known(scene);
	json_object_put(ask(scene, false, "{\"paths\":[]}"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(says_what_is_known),
		TEST(says_who_takes_which),
		TEST(says_why_nothing_is_known),
		TEST(others_are_shown_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
