/* SPDX-License-Identifier: MIT */
/* The status answer: its keys, and what it says of connections of every kind. */
#include "control/status.h"

#include "../unit.h"

#include "base/loop.h"
#include "kernel/diag.h"
#include "kernel/maps.h"

#include <arpa/inet.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define COOKIE 4711

int __wrap_diag_dump(void (*each)(void *arg, const struct diag_conn *conn), void *arg);

/* What the kernel lists, and how that ends. */
static struct {
	struct diag_conn conns[4];
	size_t n;
	int err;
} kernel;

int __wrap_diag_dump(void (*each)(void *arg, const struct diag_conn *conn), void *arg)
{
	for (size_t i = 0; i < kernel.n; i++)
		each(arg, &kernel.conns[i]);
	return kernel.err;
}

struct hook_counters hooks_counters(const struct hooks *hooks)
{
	(void)hooks;
	return (struct hook_counters){
		.lost = 1, .deferred = 2, .refused = 3, .users = 5000, .strangers = 1};
}

struct maps_usage maps_usage(const struct hooks *hooks)
{
	(void)hooks;
	return (struct maps_usage){.users = 4000, .strangers = 1};
}

struct scene {
	struct settings settings;
	struct plan plan;
	struct requests requests;
	struct served served;
	struct served_netns netns;
	struct hooks hooks;
	struct monitor monitor;
	struct scout scout;
	struct locals locals;
	struct census census;
	struct flows flows;
	struct capture capture;
	struct wire wire;
	struct server server;
	struct peer peer;
	struct histogram create_us;
	struct status_view view;
};

static struct endpoint at(const char *address, uint16_t port)
{
	struct endpoint endpoint = {.family = AF_INET, .port = port};

	inet_pton(AF_INET, address, &endpoint.v4);
	return endpoint;
}

static int set_up(void **state)
{
	const struct elephant_rule rule = {
		.start_bytes = 100, .step_bytes = 50, .stop_bytes = 300, .max_subflows = 4};
	struct scene *scene = calloc(1, sizeof(*scene));

	memset(&kernel, 0, sizeof(kernel));
	assert_int_equal(plan_init(&scene->plan, &rule, 8, 16), 0);
	TAILQ_INIT(&scene->served.list);
	strcpy(scene->netns.name, "own");
	scene->netns.cookie = COOKIE;
	TAILQ_INSERT_TAIL(&scene->served.list, &scene->netns, entry);
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

static int tear_down(void **state)
{
	struct scene *scene = *state;

	plan_done(&scene->plan);
	flows_done(&scene->flows);
	free(scene);
	return 0;
}

static struct json_object *write_and_parse(const struct scene *scene)
{
	char *text = status_write(&scene->view);
	struct json_object *root = json_tokener_parse(text);

	assert_non_null(root);
	assert_null(strchr(text, '\n'));
	free(text);
	return root;
}

/* The value at "a.b.0.c". */
static struct json_object *at_path(struct json_object *object, const char *path)
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

static int64_t number(struct json_object *root, const char *path)
{
	struct json_object *value = at_path(root, path);

	assert_true(json_object_is_type(value, json_type_int));
	return json_object_get_int64(value);
}

static const char *text(struct json_object *root, const char *path)
{
	struct json_object *value = at_path(root, path);

	assert_true(json_object_is_type(value, json_type_string));
	return json_object_get_string(value);
}

static void hear(struct scene *scene, enum event_kind kind)
{
	struct event event = {.kind = kind,
		.key = {.netns = COOKIE, .token = 11},
		.local = at("10.0.0.1", 40000),
		.remote = at("10.0.0.2", 80),
		.reset_reason = -1};

	plan_hear(&scene->plan, &event);
	while (plan_next(&scene->plan))
		;
}

static void tells_of_the_daemon(void **state)
{
	struct scene *scene = *state;
	struct json_object *root = write_and_parse(scene);

	assert_string_equal(text(root, "daemon.version"), SUBFLOW_VERSION);
	assert_null(at_path(root, "daemon.config"));
	assert_string_equal(text(root, "daemon.cgroup"), "/cgroup");
	assert_int_equal(number(root, "daemon.elephant.start"), 100);
	assert_int_equal(number(root, "daemon.elephant.max_subflows"), 4);
	assert_int_equal(number(root, "daemon.max_subflows"), 8);
	assert_false(json_object_get_boolean(at_path(root, "daemon.coupled")));
	assert_int_equal(number(root, "daemon.counters.records"), 7);
	assert_int_equal(number(root, "daemon.counters.records_lost"), 1);
	assert_int_equal(number(root, "daemon.counters.records_deferred"), 2);
	assert_int_equal(number(root, "daemon.counters.options_refused"), 3);
	assert_int_equal(number(root, "daemon.counters.events_overruns"), 8);
	assert_int_equal(number(root, "daemon.counters.events_malformed"), 9);
	assert_int_equal(number(root, "daemon.counters.clients_refused"), 10);
	assert_int_equal(number(root, "daemon.counters.events_untold"), 11);
	assert_int_equal(number(root, "daemon.counters.recording_lost"), 1);
	assert_int_equal(number(root, "daemon.counters.rules_refused"), 12);
	assert_int_equal(number(root, "daemon.tables.connections.limit"), 16);
	assert_int_equal(number(root, "daemon.tables.connections.used"), 0);
	assert_int_equal(number(root, "daemon.tables.clients.refused"), 10);
	assert_int_equal(number(root, "daemon.tables.events.refused"), 11);
	assert_int_equal(number(root, "daemon.tables.thresholds.refused"), 12);
	assert_int_equal(number(root, "daemon.tables.receipts.refused"), 13);
	assert_int_equal(number(root, "daemon.tables.users.used"), 4000);
	assert_int_equal(number(root, "daemon.tables.users.refused"), 1000);
	assert_int_equal(number(root, "daemon.tables.strangers.refused"), 0);
	assert_int_equal(number(root, "daemon.memory.connections"), 0);
	assert_int_equal(number(root, "daemon.memory.most"),
		16 * number(root, "daemon.memory.connection_most"));
	assert_int_equal(json_object_array_length(at_path(root, "daemon.rules")), 0);
	assert_int_equal(number(root, "daemon.counters.looks"), 12);
	assert_int_equal(number(root, "daemon.create_us.count"), 1);
	assert_int_equal(number(root, "daemon.create_us.sum"), 15);
	assert_int_equal(json_object_array_length(at_path(root, "connections")), 0);
	json_object_put(root);
}

static void tells_of_a_connection(void **state)
{
	struct scene *scene = *state;
	struct json_object *root;

	kernel.conns[kernel.n++] = (struct diag_conn){.token = 11,
		.local = at("10.0.0.1", 40000),
		.remote = at("10.0.0.2", 80),
		.has_bytes = true,
		.bytes_sent = 123,
		.bytes_received = 45};
	hear(scene, EVENT_CREATED);
	hear(scene, EVENT_ESTABLISHED);
	root = write_and_parse(scene);
	assert_int_equal(number(root, "namespaces.0.connections"), 1);
	assert_string_equal(text(root, "connections.0.namespace"), "own");
	assert_int_equal(number(root, "connections.0.token"), 11);
	assert_string_equal(text(root, "connections.0.role"), "client");
	assert_string_equal(text(root, "connections.0.local"), "10.0.0.1:40000");
	assert_string_equal(text(root, "connections.0.remote"), "10.0.0.2:80");
	assert_int_equal(number(root, "connections.0.bytes_sent"), 123);
	assert_int_equal(number(root, "connections.0.bytes_received"), 45);
	assert_string_equal(text(root, "connections.0.state"), "served");
	assert_string_equal(text(root, "connections.0.subflows.0.state"), "established");
	json_object_put(root);
}

/* What is there is never more than what it is bounded by. */
static void tells_what_bounds_it(void **state)
{
	struct scene *scene = *state;
	struct json_object *root;
	int64_t least, one;

	scene->plan.steer.paths.counters.maps_refused = 1;
	scene->plan.steer.paths.counters.ports_refused = 2;
	scene->scout.quota.refused = 3;
	scene->served.refused = 4;
	scene->locals.refused = 5;
	scene->wire.refused = 6;
	scene->requests.refused = 9;
	scene->plan.refusals.displaced = 7;
	scene->plan.in_vain.displaced = 8;
	hear(scene, EVENT_CREATED);
	hear(scene, EVENT_ESTABLISHED);
	root = write_and_parse(scene);
	assert_int_equal(number(root, "daemon.tables.connections.used"), 1);
	assert_int_equal(number(root, "daemon.tables.path_maps.refused"), 1);
	assert_int_equal(number(root, "daemon.counters.paths_refused"), 3);
	assert_int_equal(number(root, "daemon.tables.probing_users.refused"), 3);
	assert_int_equal(number(root, "daemon.tables.requests.refused"), 9);
	assert_int_equal(number(root, "daemon.tables.namespaces.refused"), 4);
	assert_int_equal(number(root, "daemon.tables.local_addresses.refused"), 5);
	assert_int_equal(number(root, "daemon.tables.wire_flows.refused"), 6);
	assert_int_equal(number(root, "daemon.tables.refusing.refused"), 7);
	assert_int_equal(number(root, "daemon.tables.left_alone.refused"), 8);
	one = number(root, "daemon.memory.connections");
	least = number(root, "daemon.memory.connection");
	assert_in_range(one, sizeof(struct conn) + sizeof(struct subflow), least);
	assert_in_range(least, 1, number(root, "daemon.memory.connection_most"));
	json_object_put(root);
}

static void tells_of_destinations_that_refuse_joins(void **state)
{
	struct scene *scene = *state;
	const struct refusal refused = {.error = ECONNREFUSED, .reset_reason = -1};
	struct endpoint remote = at("10.0.0.2", 80);
	struct json_object *root;

	kernel.conns[kernel.n++] =
		(struct diag_conn){.token = 11, .local = at("10.0.0.1", 40000), .remote = remote};
	root = write_and_parse(scene);
	assert_null(at_path(root, "connections.0.refusals"));
	assert_int_equal(json_object_array_length(at_path(root, "refusing")), 0);
	json_object_put(root);
	scene->plan.refusals.rule = (struct refusals_rule){.most = 1, .hold_ns = 3600000000000ull};
	refusals_note(&scene->plan.refusals, COOKIE, &remote, &refused, loop_now_ns());
	root = write_and_parse(scene);
	assert_int_equal(number(root, "connections.0.refusals.in_a_row"), 1);
	assert_string_equal(text(root, "refusing.0.namespace"), "own");
	assert_string_equal(text(root, "refusing.0.remote"), "10.0.0.2:80");
	assert_string_equal(text(root, "refusing.0.reason"), "Connection refused");
	assert_in_range(number(root, "refusing.0.hold_s"), 1, 3600);
	json_object_put(root);
}

static void tells_what_judged_subflows_brought(void **state)
{
	const struct conn_key key = {.netns = COOKIE, .token = 11};
	const struct refusal none = {.reset_reason = -1};
	struct endpoint remote = at("10.0.0.2", 80);
	struct scene *scene = *state;
	struct json_object *root;
	struct conn *conn;

	kernel.conns[kernel.n++] =
		(struct diag_conn){.token = 11, .local = at("10.0.0.1", 40000), .remote = remote};
	conn = conn_get(&scene->plan.table, &key);
	assert_non_null(conn);
	root = write_and_parse(scene);
	assert_null(at_path(root, "connections.0.judged"));
	assert_null(at_path(root, "connections.0.held"));
	assert_int_equal(number(root, "connections.0.left_alone_s"), 0);
	json_object_put(root);
	conn->benefit.has_verdict = true;
	conn->brake.wait_ns = 1;
	conn->brake.limit = RATE_LIMIT_SENDER;
	scene->plan.brakes.held = 9;
	conn->benefit.verdict = RATE_STAYS;
	conn->benefit.before.bytes_per_s = 12500000;
	conn->benefit.with.bytes_per_s = 12600000;
	scene->plan.in_vain.rule.hold_ns = 3600000000000ull;
	refusals_note(&scene->plan.in_vain, COOKIE, &remote, &none, loop_now_ns());
	root = write_and_parse(scene);
	assert_string_equal(text(root, "connections.0.judged.verdict"), "in vain");
	assert_string_equal(text(root, "connections.0.held"), "its sender has no more to send");
	assert_int_equal(number(root, "daemon.counters.held"), 9);
	assert_int_equal(number(root, "connections.0.judged.before"), 12500000);
	assert_int_equal(number(root, "connections.0.judged.with"), 12600000);
	assert_in_range(number(root, "connections.0.left_alone_s"), 3590, 3600);
	json_object_put(root);
}

static void tells_how_subflows_were_moved(void **state)
{
	struct conn_key key = {.netns = COOKIE, .token = 11};
	struct scene *scene = *state;
	struct json_object *root;
	struct conn *conn;

	kernel.conns[kernel.n++] = (struct diag_conn){
		.token = 11, .local = at("10.0.0.1", 40000), .remote = at("10.0.0.2", 80)};
	conn = conn_get(&scene->plan.table, &key);
	assert_non_null(conn);
	scene->plan.aparts.rule = (struct apart_rule){.moves = 2, .hold_ns = 3600000000000ull};
	root = write_and_parse(scene);
	assert_null(at_path(root, "connections.0.apart"));
	json_object_put(root);
	conn->is_elephant = true;
	conn->apart.moved = conn->apart.spent = 2;
	conn->apart.moved_ns = loop_now_ns();
	scene->plan.aparts.counters =
		(struct apart_counters){.moved = 101, .failed = 102, .held = 103};
	root = write_and_parse(scene);
	assert_int_equal(number(root, "connections.0.apart.moved"), 2);
	assert_in_range(number(root, "connections.0.apart.held_s"), 3590, 3600);
	assert_int_equal(number(root, "daemon.counters.moved"), 101);
	assert_int_equal(number(root, "daemon.counters.moves_failed"), 102);
	assert_int_equal(number(root, "daemon.counters.moves_held"), 103);
	json_object_put(root);
}

static void tells_of_elephants_that_cannot_be_treated(void **state)
{
	struct scene *scene = *state;
	struct flow flow = {.key = {.netns = COOKIE,
				    .local = at("10.0.0.1", 50000),
				    .remote = at("10.0.0.2", 80)},
		.bytes_sent = 123,
		.bytes_received = 4,
		.has_uid = true,
		.uid = 1000};
	struct json_object *root;

	flows_note(&scene->flows, &flow);
	flow.key.netns = 0;
	flow.has_uid = false;
	flows_note(&scene->flows, &flow);
	scene->flows.refused = 13;
	root = write_and_parse(scene);
	assert_int_equal(json_object_array_length(at_path(root, "untreated")), 2);
	assert_string_equal(text(root, "untreated.0.namespace"), "own");
	assert_string_equal(text(root, "untreated.0.local"), "10.0.0.1:50000");
	assert_string_equal(text(root, "untreated.0.remote"), "10.0.0.2:80");
	assert_int_equal(number(root, "untreated.0.bytes_sent"), 123);
	assert_int_equal(number(root, "untreated.0.bytes_received"), 4);
	assert_null(at_path(root, "untreated.1.namespace"));
	assert_int_equal(number(root, "daemon.counters.flows_refused"), 13);
	json_object_put(root);

	scene->peer = (struct peer){.uid = 1000};
	root = write_and_parse(scene);
	assert_int_equal(json_object_array_length(at_path(root, "untreated")), 1);
	json_object_put(root);
	scene->peer.uid = 1001;
	root = write_and_parse(scene);
	assert_int_equal(json_object_array_length(at_path(root, "untreated")), 0);
	json_object_put(root);
}

/* One that the daemon never heard of, on a kernel that counts no bytes. */
static void tells_of_a_stranger(void **state)
{
	struct scene *scene = *state;
	struct json_object *root;

	kernel.conns[kernel.n++] = (struct diag_conn){
		.token = 12, .local = at("10.0.0.1", 1), .remote = at("10.0.0.2", 2)};
	root = write_and_parse(scene);
	assert_null(at_path(root, "connections.0.role"));
	assert_null(at_path(root, "connections.0.bytes_sent"));
	assert_null(at_path(root, "connections.0.bytes_received"));
	assert_string_equal(text(root, "connections.0.state"), "in-kernel path manager");
	assert_int_equal(json_object_array_length(at_path(root, "connections.0.subflows")), 0);
	assert_non_null(strstr(text(root, "connections.0.decision"), "cannot be split"));
	json_object_put(root);
}

static void tells_why_a_namespace_is_left_alone(void **state)
{
	struct scene *scene = *state;
	struct json_object *root;

	scene->netns.state = SERVED_ALONE;
	strcpy(scene->netns.why, "mptcpd listens\x1b");
	root = write_and_parse(scene);
	assert_string_equal(text(root, "namespaces.0.state"), "left alone");
	assert_string_equal(text(root, "namespaces.0.reason"), "mptcpd listens\x1b");
	json_object_put(root);

	scene->netns.state = SERVED_YES;
	*scene->netns.why = '\0';
	kernel.err = -ENOENT;
	root = write_and_parse(scene);
	assert_non_null(strstr(text(root, "namespaces.0.reason"), "mptcp_diag"));
	json_object_put(root);
}

/* One that cannot be entered any more is shown all the same. */
static void tells_of_a_namespace_that_is_gone(void **state)
{
	struct scene *scene = *state;
	struct json_object *root;

	scene->netns.state = SERVED_VANISHED;
	strcpy(scene->netns.path, "/run/netns/subflow-there-is-none");
	kernel.n = 1;
	root = write_and_parse(scene);
	assert_string_equal(text(root, "namespaces.0.state"), "vanished");
	assert_int_equal(number(root, "namespaces.0.connections"), 0);
	json_object_put(root);
}

/* Who is no operator is shown the connections of the user that asks. */
static void shows_everybody_their_own(void **state)
{
	struct scene *scene = *state;
	struct json_object *root;

	scene->peer = (struct peer){.uid = 1000};
	kernel.conns[0] = (struct diag_conn){.token = 11, .uid = 0};
	kernel.conns[1] = (struct diag_conn){.token = 12, .uid = 1000};
	kernel.conns[2] = (struct diag_conn){.token = 13, .uid = 1001};
	kernel.n = 3;
	root = write_and_parse(scene);
	assert_int_equal(json_object_array_length(at_path(root, "connections")), 1);
	assert_int_equal(number(root, "connections.0.token"), 12);
	assert_int_equal(number(root, "connections.0.uid"), 1000);
	assert_int_equal(number(root, "namespaces.0.connections"), 3);
	json_object_put(root);
}

static void tells_of_rules(void **state)
{
	struct rule *rules = calloc(1, sizeof(*rules));
	struct scene *scene = *state;
	struct json_object *root;

	strcpy(rules->name, "bulk");
	rules->elephant.start_bytes = 55;
	rules_set(&scene->plan, rules, 1);
	hear(scene, EVENT_CREATED);
	hear(scene, EVENT_OWNER);
	kernel.conns[0] = (struct diag_conn){.token = 11};
	kernel.n = 1;
	root = write_and_parse(scene);
	assert_string_equal(text(root, "daemon.rules.0.name"), "bulk");
	assert_int_equal(number(root, "daemon.rules.0.start"), 55);
	assert_false(json_object_get_boolean(at_path(root, "daemon.rules.0.never")));
	assert_string_equal(text(root, "connections.0.rule"), "bulk");
	json_object_put(root);
}

static void an_error_is_one_key(void **state)
{
	char *answer = status_write_error("unknown \"request\"");

	(void)state;
	assert_string_equal(answer, "{\"error\":\"unknown \\\"request\\\"\"}");
	free(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tells_of_the_daemon, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_of_a_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_what_bounds_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			tells_of_destinations_that_refuse_joins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			tells_what_judged_subflows_brought, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_how_subflows_were_moved, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			tells_of_elephants_that_cannot_be_treated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_of_a_stranger, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			tells_why_a_namespace_is_left_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			tells_of_a_namespace_that_is_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(shows_everybody_their_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_of_rules, set_up, tear_down),
		cmocka_unit_test(an_error_is_one_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
