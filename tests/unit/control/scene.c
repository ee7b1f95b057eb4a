/* SPDX-License-Identifier: MIT */
/* A daemon without a kernel, whose status is asked for. */
#include "scene.h"

#include "base/loop.h"
#include "kernel/served_list.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int __wrap_diag_walk_begin(struct diag_walk *walk);
int __wrap_diag_walk_next(
	struct diag_walk *walk, void (*each)(void *arg, const struct diag_conn *conn), void *arg);
void __wrap_diag_walk_end(struct diag_walk *walk);
int __wrap_diag_find(uint32_t token, struct diag_conn *ret_conn);

struct scene_kernel scene_kernel;

/* Its socket only says whether it is over. */
int __wrap_diag_walk_begin(struct diag_walk *walk)
{
	walk->socket = (struct mnl_socket *)&scene_kernel;
	walk->sequence = 0;
	scene_kernel.walks++;
	return 0;
}

/* One at a time. */
int __wrap_diag_walk_next(
	struct diag_walk *walk, void (*each)(void *arg, const struct diag_conn *conn), void *arg)
{
	if (walk->sequence < scene_kernel.n) {
		each(arg, &scene_kernel.conns[walk->sequence++]);
		return 1;
	}
	__wrap_diag_walk_end(walk);
	return scene_kernel.err;
}

void __wrap_diag_walk_end(struct diag_walk *walk)
{
	scene_kernel.walks -= walk->socket != NULL;
	walk->socket = NULL;
}

int __wrap_diag_find(uint32_t token, struct diag_conn *ret_conn)
{
	for (size_t i = 0; i < scene_kernel.n; i++) {
		if (scene_kernel.conns[i].token != token)
			continue;
		*ret_conn = scene_kernel.conns[i];
		return 0;
	}
	return -ENOENT;
}

struct hook_counters hooks_counters(const struct hooks *hooks)
{
	(void)hooks;
	return (struct hook_counters){
		.lost = 1, .deferred = 2, .refused = 3, .users = 5000, .strangers = 1, .peers = 9};
}

struct maps_usage maps_usage(const struct hooks *hooks)
{
	(void)hooks;
	return (struct maps_usage){.users = 4000, .strangers = 1, .peers = 7};
}

struct endpoint scene_at(const char *address, uint16_t port)
{
	struct endpoint endpoint = {.family = AF_INET, .port = port};

	inet_pton(AF_INET, address, &endpoint.v4);
	return endpoint;
}

int scene_begin(void **state)
{
	const struct elephant_rule rule = {
		.start_bytes = 100, .step_bytes = 50, .stop_bytes = 300, .max_subflows = 4};
	struct scene *scene = calloc(1, sizeof(*scene));

	memset(&scene_kernel, 0, sizeof(scene_kernel));
	assert_int_equal(plan_init(&scene->plan, &rule, 8, 16), 0);
	TAILQ_INIT(&scene->served.list);
	strcpy(scene->netns.name, "own");
	scene->netns.cookie = SCENE_NETNS;
	served_list_insert(&scene->served, &scene->netns);
	scene->hooks.records = 7;
	scene->monitor.overruns = 8;
	scene->monitor.malformed = 9;
	histogram_add(&scene->create_us, 15);
	scene->peer.is_operator = true;
	scene->server.refused = 10;
	scene->server.untold = 11;
	scene->census.looks = 12;
	scene->view = (struct status_view){.peer = &scene->peer,
		.is_recording_short = true,
		.settings = &scene->settings,
		.cgroup = "/cgroup",
		.plan = &scene->plan,
		.requests = &scene->requests,
		.served = &scene->served,
		.hooks = &scene->hooks,
		.monitor = &scene->monitor,
		.scout = &scene->scout,
		.reach = &scene->reach,
		.scope = &scene->scope,
		.locals = &scene->locals,
		.census = &scene->census,
		.flows = &scene->flows,
		.capture = &scene->capture,
		.wire = &scene->wire,
		.server = &scene->server,
		.rules_refused = 12,
		.receipts_refused = 13,
		.create_us = &scene->create_us};
	*state = scene;
	return 0;
}

int scene_end(void **state)
{
	struct scene *scene = *state;

	plan_done(&scene->plan);
	flows_done(&scene->flows);
	free(scene);
	return 0;
}

static struct json_object *parse(char *text)
{
	struct json_object *root = json_tokener_parse(text);

	assert_non_null(root);
	assert_null(strchr(text, '\n'));
	free(text);
	return root;
}

char *scene_gather(struct listing *listing)
{
	char *whole = calloc(1, 1), *part;
	bool is_last = false;

	while (!is_last) {
		part = listing_next(listing, &is_last);
		assert_non_null(part);
		whole = realloc(whole, strlen(whole) + strlen(part) + 1);
		strcat(whole, part);
		free(part);
	}
	return whole;
}

struct json_object *scene_read(struct scene *scene)
{
	struct listing *listing = listing_begin(&scene->listings, &scene->view);
	char *text = scene_gather(listing);

	listing_end(listing);
	assert_int_equal(scene_kernel.walks, 0);
	return parse(text);
}

struct json_object *scene_read_one(const struct scene *scene, const struct command *named)
{
	return parse(status_write_one(&scene->view, named));
}

struct json_object *scene_find(struct json_object *object, const char *path)
{
	char key[64];
	size_t len;

	for (; *path; path += len + (path[len] == '.')) {
		len = strcspn(path, ".");
		snprintf(key, sizeof(key), "%.*s", (int)len, path);
		if (json_object_is_type(object, json_type_array))
			object = json_object_array_get_idx(object, atoi(key));
		else if (!json_object_object_get_ex(object, key, &object))
			fail_msg("no %s", path);
	}
	return object;
}

int64_t scene_number(struct json_object *root, const char *path)
{
	struct json_object *value = scene_find(root, path);

	assert_true(json_object_is_type(value, json_type_int));
	return json_object_get_int64(value);
}

const char *scene_text(struct json_object *root, const char *path)
{
	struct json_object *value = scene_find(root, path);

	assert_true(json_object_is_type(value, json_type_string));
	return json_object_get_string(value);
}

void scene_hear(struct scene *scene, enum event_kind kind)
{
	struct event event = {.kind = kind,
		.key = {.netns = SCENE_NETNS, .token = 11},
		.local = scene_at("10.0.0.1", 40000),
		.remote = scene_at("10.0.0.2", 80),
		.reset_reason = -1};

	plan_hear(&scene->plan, &event);
	while (plan_next(&scene->plan))
		;
}
