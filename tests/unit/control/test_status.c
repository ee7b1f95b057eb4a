/* SPDX-License-Identifier: MIT */
/* The status answer: its keys, and what it says of the daemon and its namespaces. */
#include "scene.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void tells_of_the_daemon(void **state)
{
	struct scene *scene = *state;
	struct json_object *root = scene_read(scene);

	assert_string_equal(scene_text(root, "daemon.version"), SUBFLOW_VERSION);
	assert_null(scene_find(root, "daemon.config"));
	assert_string_equal(scene_text(root, "daemon.cgroup"), "/cgroup");
	assert_false(json_object_get_boolean(scene_find(root, "daemon.hooks")));
	assert_int_equal(scene_number(root, "daemon.elephant.start"), 100);
	assert_int_equal(scene_number(root, "daemon.elephant.max_subflows"), 4);
	assert_int_equal(scene_number(root, "daemon.max_subflows"), 8);
	assert_false(json_object_get_boolean(scene_find(root, "daemon.downloads")));
	assert_false(json_object_get_boolean(scene_find(root, "daemon.coupled")));
	assert_int_equal(scene_number(root, "daemon.counters.records"), 7);
	assert_int_equal(scene_number(root, "daemon.counters.records_lost"), 1);
	assert_int_equal(scene_number(root, "daemon.counters.records_deferred"), 2);
	assert_int_equal(scene_number(root, "daemon.counters.options_refused"), 3);
	assert_int_equal(scene_number(root, "daemon.counters.events_overruns"), 8);
	assert_int_equal(scene_number(root, "daemon.counters.events_malformed"), 9);
	assert_int_equal(scene_number(root, "daemon.counters.clients_refused"), 10);
	assert_int_equal(scene_number(root, "daemon.counters.events_untold"), 11);
	assert_int_equal(scene_number(root, "daemon.counters.recording_lost"), 1);
	assert_int_equal(scene_number(root, "daemon.counters.rules_refused"), 12);
	assert_int_equal(scene_number(root, "daemon.tables.connections.limit"), 16);
	assert_int_equal(scene_number(root, "daemon.tables.connections.used"), 0);
	assert_int_equal(scene_number(root, "daemon.tables.clients.refused"), 10);
	assert_int_equal(scene_number(root, "daemon.tables.events.refused"), 11);
	assert_int_equal(scene_number(root, "daemon.tables.thresholds.refused"), 12);
	assert_int_equal(scene_number(root, "daemon.tables.receipts.refused"), 13);
	assert_int_equal(scene_number(root, "daemon.tables.users.used"), 4000);
	assert_int_equal(scene_number(root, "daemon.tables.users.refused"), 1000);
	assert_int_equal(scene_number(root, "daemon.tables.strangers.refused"), 0);
	assert_int_equal(scene_number(root, "daemon.tables.peers.used"), 7);
	assert_int_equal(scene_number(root, "daemon.tables.peers.refused"), 2);
	assert_int_equal(scene_number(root, "daemon.memory.connections"), 0);
	assert_int_equal(scene_number(root, "daemon.memory.most"),
		16 * scene_number(root, "daemon.memory.connection_most"));
	assert_int_equal(json_object_array_length(scene_find(root, "daemon.rules")), 0);
	assert_int_equal(scene_number(root, "daemon.counters.looks"), 12);
	assert_int_equal(scene_number(root, "daemon.create_us.count"), 1);
	assert_int_equal(scene_number(root, "daemon.create_us.sum"), 15);
	assert_int_equal(json_object_array_length(scene_find(root, "connections")), 0);
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
	scene->plan.counters.dropped = 15;
	scene->plan.counters.announce_failures = 16;
	scene->plan.counters.withdraw_failures = 17;
	scene->view.addresses_most = 3;
	scene->view.addresses_refused = 10;
	scene->server.turns.count = 5;
	scene->server.turns.displaced = 11;
	scene->server.door.count = 6;
	scene->server.door.displaced = 12;
	scene->reach.n_questions = 7;
	scene->reach.refused = 13;
	scene->scope.forgotten = 14;
	scene->plan.refusals.displaced = 7;
	scene->plan.in_vain.displaced = 8;
	scene->plan.full.displaced = 10;
	scene_hear(scene, EVENT_CREATED);
	scene_hear(scene, EVENT_ESTABLISHED);
	root = scene_read(scene);
	assert_int_equal(scene_number(root, "daemon.tables.connections.used"), 1);
	assert_int_equal(scene_number(root, "daemon.tables.path_maps.refused"), 1);
	assert_int_equal(scene_number(root, "daemon.counters.paths_refused"), 3);
	assert_int_equal(scene_number(root, "daemon.tables.probing_users.refused"), 3);
	assert_int_equal(scene_number(root, "daemon.tables.requests.refused"), 9);
	assert_int_equal(scene_number(root, "daemon.counters.requests_dropped"), 15);
	assert_int_equal(scene_number(root, "daemon.counters.announce_failures"), 16);
	assert_int_equal(scene_number(root, "daemon.counters.withdraw_failures"), 17);
	assert_int_equal(scene_number(root, "daemon.tables.addresses.limit"), 64);
	assert_int_equal(scene_number(root, "daemon.tables.addresses.used"), 3);
	assert_int_equal(scene_number(root, "daemon.tables.addresses.refused"), 10);
	assert_int_equal(scene_number(root, "daemon.tables.asking_users.limit"), 64);
	assert_int_equal(scene_number(root, "daemon.tables.asking_users.used"), 5);
	assert_int_equal(scene_number(root, "daemon.tables.asking_users.refused"), 11);
	assert_int_equal(scene_number(root, "daemon.tables.knocking_users.limit"), 64);
	assert_int_equal(scene_number(root, "daemon.tables.knocking_users.used"), 6);
	assert_int_equal(scene_number(root, "daemon.tables.knocking_users.refused"), 12);
	assert_int_equal(scene_number(root, "daemon.tables.last_hops.limit"), 128);
	assert_int_equal(scene_number(root, "daemon.tables.last_hops.used"), 7);
	assert_int_equal(scene_number(root, "daemon.tables.last_hops.refused"), 13);
	assert_int_equal(scene_number(root, "daemon.tables.cgroups.limit"), 4096);
	assert_int_equal(scene_number(root, "daemon.tables.cgroups.used"), 0);
	assert_int_equal(scene_number(root, "daemon.tables.cgroups.refused"), 14);
	assert_int_equal(scene_number(root, "daemon.tables.namespaces.refused"), 4);
	assert_int_equal(scene_number(root, "daemon.tables.local_addresses.refused"), 5);
	assert_int_equal(scene_number(root, "daemon.tables.wire_flows.refused"), 6);
	assert_int_equal(scene_number(root, "daemon.tables.refusing.refused"), 7);
	assert_int_equal(scene_number(root, "daemon.tables.left_alone.refused"), 8);
	assert_int_equal(scene_number(root, "daemon.tables.full.refused"), 10);
	one = scene_number(root, "daemon.memory.connections");
	least = scene_number(root, "daemon.memory.connection");
	assert_in_range(one, sizeof(struct conn) + sizeof(struct subflow), least);
	assert_in_range(least, 1, scene_number(root, "daemon.memory.connection_most"));
	json_object_put(root);
}

static void tells_of_elephants_that_cannot_be_treated(void **state)
{
	struct scene *scene = *state;
	struct flow flow = {.key = {.netns = SCENE_NETNS,
				    .local = scene_at("10.0.0.1", 50000),
				    .remote = scene_at("10.0.0.2", 80)},
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
	root = scene_read(scene);
	assert_int_equal(json_object_array_length(scene_find(root, "untreated")), 2);
	assert_string_equal(scene_text(root, "untreated.0.namespace"), "own");
	assert_string_equal(scene_text(root, "untreated.0.local"), "10.0.0.1:50000");
	assert_string_equal(scene_text(root, "untreated.0.remote"), "10.0.0.2:80");
	assert_int_equal(scene_number(root, "untreated.0.bytes_sent"), 123);
	assert_int_equal(scene_number(root, "untreated.0.bytes_received"), 4);
	assert_null(scene_find(root, "untreated.1.namespace"));
	assert_int_equal(scene_number(root, "daemon.counters.flows_refused"), 13);
	json_object_put(root);

	scene->peer = (struct peer){.uid = 1000};
	root = scene_read(scene);
	assert_int_equal(json_object_array_length(scene_find(root, "untreated")), 1);
	json_object_put(root);
	scene->peer.uid = 1001;
	root = scene_read(scene);
	assert_int_equal(json_object_array_length(scene_find(root, "untreated")), 0);
	json_object_put(root);
}

static void tells_why_a_namespace_is_left_alone(void **state)
{
	struct scene *scene = *state;
	struct json_object *root;

	scene->netns.state = SERVED_ALONE;
	strcpy(scene->netns.why, "mptcpd listens\x1b");
	root = scene_read(scene);
	assert_string_equal(scene_text(root, "namespaces.0.state"), "left alone");
	assert_string_equal(scene_text(root, "namespaces.0.reason"), "mptcpd listens\x1b");
	json_object_put(root);

	scene->netns.state = SERVED_YES;
	*scene->netns.why = '\0';
	scene_kernel.err = -ENOENT;
	root = scene_read(scene);
	assert_non_null(strstr(scene_text(root, "namespaces.0.reason"), "mptcp_diag"));
	json_object_put(root);
}

/* One that cannot be entered any more is shown all the same. */
static void tells_of_a_namespace_that_is_gone(void **state)
{
	struct scene *scene = *state;
	struct json_object *root;

	scene->netns.state = SERVED_VANISHED;
	strcpy(scene->netns.path, "/run/netns/subflow-there-is-none");
	scene_kernel.n = 1;
	root = scene_read(scene);
	assert_string_equal(scene_text(root, "namespaces.0.state"), "vanished");
	assert_int_equal(scene_number(root, "namespaces.0.connections"), 0);
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
	scene_hear(scene, EVENT_CREATED);
	scene_hear(scene, EVENT_OWNER);
	scene_kernel.conns[0] = (struct diag_conn){.token = 11};
	scene_kernel.n = 1;
	root = scene_read(scene);
	assert_string_equal(scene_text(root, "daemon.rules.0.name"), "bulk");
	assert_int_equal(scene_number(root, "daemon.rules.0.start"), 55);
	assert_false(json_object_get_boolean(scene_find(root, "daemon.rules.0.never")));
	assert_string_equal(scene_text(root, "connections.0.rule"), "bulk");
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
		cmocka_unit_test_setup_teardown(tells_of_the_daemon, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(tells_what_bounds_it, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			tells_of_elephants_that_cannot_be_treated, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			tells_why_a_namespace_is_left_alone, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			tells_of_a_namespace_that_is_gone, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(tells_of_rules, scene_begin, scene_end),
		cmocka_unit_test(an_error_is_one_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
