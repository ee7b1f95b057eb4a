/* SPDX-License-Identifier: MIT */
/* The status answer: its keys, and what it says of connections of every kind. */
#include "scene.h"

#include "base/loop.h"

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

/* The kernel lists one connection, of token 11. */
static void list_one(void)
{
	scene_kernel.conns[scene_kernel.n++] = (struct diag_conn){.token = 11,
		.local = scene_at("10.0.0.1", 40000),
		.remote = scene_at("10.0.0.2", 80)};
}

/* And it is one that the plan knows. */
static struct conn *know_one(struct scene *scene)
{
	const struct conn_key key = {.netns = SCENE_NETNS, .token = 11};
	struct conn *conn;

	list_one();
	conn = conn_get(&scene->plan.table, &key);
	assert_non_null(conn);
	return conn;
}

static void tells_of_a_connection(void **state)
{
	struct scene *scene = *state;
	struct json_object *root;

	scene_kernel.conns[scene_kernel.n++] = (struct diag_conn){.token = 11,
		.local = scene_at("10.0.0.1", 40000),
		.remote = scene_at("10.0.0.2", 80),
		.has_bytes = true,
		.bytes_sent = 123,
		.bytes_received = 45};
	scene_hear(scene, EVENT_CREATED);
	scene_hear(scene, EVENT_ESTABLISHED);
	root = scene_read(scene);
	assert_int_equal(scene_number(root, "namespaces.0.connections"), 1);
	assert_string_equal(scene_text(root, "connections.0.namespace"), "own");
	assert_int_equal(scene_number(root, "connections.0.token"), 11);
	assert_string_equal(scene_text(root, "connections.0.role"), "client");
	assert_string_equal(scene_text(root, "connections.0.local"), "10.0.0.1:40000");
	assert_string_equal(scene_text(root, "connections.0.remote"), "10.0.0.2:80");
	assert_int_equal(scene_number(root, "connections.0.bytes_sent"), 123);
	assert_int_equal(scene_number(root, "connections.0.bytes_received"), 45);
	assert_string_equal(scene_text(root, "connections.0.state"), "served");
	assert_string_equal(scene_text(root, "connections.0.subflows.0.state"), "established");
	json_object_put(root);
}

/* Of a client: the next threshold, and whether it is asked about. */
static void tells_how_it_is_watched(void **state)
{
	struct scene *scene = *state;
	struct json_object *root;
	struct conn *conn;

	scene_kernel.conns[scene_kernel.n++] = (struct diag_conn){.token = 11};
	scene_hear(scene, EVENT_CREATED);
	scene_hear(scene, EVENT_ESTABLISHED);
	root = scene_read(scene);
	assert_int_equal(
		scene_number(root, "connections.0.next_threshold"), scene->plan.rule.start_bytes);
	assert_false(json_object_get_boolean(scene_find(root, "connections.0.is_asked")));
	json_object_put(root);
	conn = scene->plan.table.conns;
	conn->progress.is_unwatched = true;
	root = scene_read(scene);
	assert_true(json_object_get_boolean(scene_find(root, "connections.0.is_asked")));
	json_object_put(root);
	conn->progress.next = scene->plan.rule.stop_bytes;
	root = scene_read(scene);
	assert_null(scene_find(root, "connections.0.next_threshold"));
	assert_false(json_object_get_boolean(scene_find(root, "connections.0.is_asked")));
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
	scene->view.addresses_most = 3;
	scene->view.addresses_refused = 10;
	scene->server.turns.count = 5;
	scene->server.turns.displaced = 11;
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
	assert_int_equal(scene_number(root, "daemon.tables.addresses.limit"), 64);
	assert_int_equal(scene_number(root, "daemon.tables.addresses.used"), 3);
	assert_int_equal(scene_number(root, "daemon.tables.addresses.refused"), 10);
	assert_int_equal(scene_number(root, "daemon.tables.asking_users.limit"), 64);
	assert_int_equal(scene_number(root, "daemon.tables.asking_users.used"), 5);
	assert_int_equal(scene_number(root, "daemon.tables.asking_users.refused"), 11);
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

static void tells_of_destinations_that_refuse_joins(void **state)
{
	struct scene *scene = *state;
	const struct refusal refused = {.error = ECONNREFUSED, .reset_reason = -1};
	struct endpoint remote = scene_at("10.0.0.2", 80);
	struct json_object *root;

	list_one();
	root = scene_read(scene);
	assert_null(scene_find(root, "connections.0.refusals"));
	assert_int_equal(json_object_array_length(scene_find(root, "refusing")), 0);
	json_object_put(root);
	scene->plan.refusals.rule = (struct refusals_rule){.most = 1, .hold_ns = 3600000000000ull};
	refusals_note(&scene->plan.refusals, SCENE_NETNS, &remote, &refused, loop_now_ns());
	root = scene_read(scene);
	assert_int_equal(scene_number(root, "connections.0.refusals.in_a_row"), 1);
	assert_string_equal(scene_text(root, "refusing.0.namespace"), "own");
	assert_string_equal(scene_text(root, "refusing.0.remote"), "10.0.0.2:80");
	assert_string_equal(scene_text(root, "refusing.0.reason"), "Connection refused");
	assert_in_range(scene_number(root, "refusing.0.hold_s"), 1, 3600);
	json_object_put(root);
}

/* Of a connection, and of a destination, whichever is less. */
static void tells_how_many_a_peer_takes(void **state)
{
	const struct refusal beyond = {.reset_reason = -1, .room = 3};
	struct endpoint remote = scene_at("10.0.0.2", 80);
	struct scene *scene = *state;
	struct json_object *root;
	struct conn *conn;

	conn = know_one(scene);
	conn->remote = remote;
	root = scene_read(scene);
	assert_null(scene_find(root, "connections.0.room"));
	json_object_put(root);
	conn->room = (struct room){.subflows = 4, .until_ns = loop_now_ns() + 3600000000000ull};
	root = scene_read(scene);
	assert_int_equal(scene_number(root, "connections.0.room.subflows"), 4);
	assert_in_range(scene_number(root, "connections.0.room.hold_s"), 3590, 3600);
	json_object_put(root);
	scene->plan.full.rule = (struct refusals_rule){.most = 1, .hold_ns = 7200000000000ull};
	refusals_note(&scene->plan.full, SCENE_NETNS, &remote, &beyond, loop_now_ns());
	root = scene_read(scene);
	assert_int_equal(scene_number(root, "connections.0.room.subflows"), 3);
	assert_in_range(scene_number(root, "connections.0.room.hold_s"), 7190, 7200);
	assert_int_equal(scene_number(root, "connections.0.refusals.beyond"), 3);
	assert_int_equal(scene_number(root, "refusing.0.beyond"), 3);
	assert_int_equal(scene_number(root, "refusing.0.in_a_row"), 1);
	json_object_put(root);
}

static void tells_what_judged_subflows_brought(void **state)
{
	const struct refusal none = {.reset_reason = -1};
	struct endpoint remote = scene_at("10.0.0.2", 80);
	struct scene *scene = *state;
	struct json_object *root;
	struct conn *conn;

	conn = know_one(scene);
	root = scene_read(scene);
	assert_null(scene_find(root, "connections.0.judged"));
	assert_null(scene_find(root, "connections.0.held"));
	assert_int_equal(scene_number(root, "connections.0.left_alone_s"), 0);
	json_object_put(root);
	conn->benefit.has_verdict = true;
	conn->brake.wait_ns = 1;
	conn->brake.limit = RATE_LIMIT_SENDER;
	scene->plan.brakes.held = 9;
	conn->benefit.verdict = RATE_STAYS;
	conn->benefit.before.bytes_per_s = 12500000;
	conn->benefit.with.bytes_per_s = 12600000;
	scene->plan.in_vain.rule.hold_ns = 3600000000000ull;
	refusals_note(&scene->plan.in_vain, SCENE_NETNS, &remote, &none, loop_now_ns());
	root = scene_read(scene);
	assert_string_equal(scene_text(root, "connections.0.judged.verdict"), "in vain");
	assert_string_equal(
		scene_text(root, "connections.0.held"), "its sender has no more to send");
	assert_int_equal(scene_number(root, "daemon.counters.held"), 9);
	assert_int_equal(scene_number(root, "connections.0.judged.before"), 12500000);
	assert_int_equal(scene_number(root, "connections.0.judged.with"), 12600000);
	assert_in_range(scene_number(root, "connections.0.left_alone_s"), 3590, 3600);
	json_object_put(root);
}

static void tells_how_subflows_were_moved(void **state)
{
	struct scene *scene = *state;
	struct json_object *root;
	struct conn *conn;

	conn = know_one(scene);
	scene->plan.aparts.rule = (struct apart_rule){.moves = 2, .hold_ns = 3600000000000ull};
	root = scene_read(scene);
	assert_null(scene_find(root, "connections.0.apart"));
	assert_int_equal(scene_number(root, "connections.0.last_hop_s"), 0);
	json_object_put(root);
	conn->is_elephant = true;
	conn->apart.moved = conn->apart.spent = 2;
	conn->apart.moved_ns = loop_now_ns();
	scene->plan.aparts.counters =
		(struct apart_counters){.moved = 101, .failed = 102, .held = 103};
	scene->plan.lasthops.counters = (struct lasthop_counters){
		.asked = 111, .answered = 112, .taken = 113, .given = 114, .withheld = 115};
	conn->lasthop.most = 1;
	conn->lasthop.until_ns = loop_now_ns() + 3600000000000ull;
	root = scene_read(scene);
	assert_in_range(scene_number(root, "connections.0.last_hop_s"), 3590, 3600);
	assert_int_equal(scene_number(root, "daemon.counters.last_hop_asked"), 111);
	assert_int_equal(scene_number(root, "daemon.counters.last_hop_answered"), 112);
	assert_int_equal(scene_number(root, "daemon.counters.last_hop_taken"), 113);
	assert_int_equal(scene_number(root, "daemon.counters.last_hop_given"), 114);
	assert_int_equal(scene_number(root, "daemon.counters.last_hop_withheld"), 115);
	assert_int_equal(scene_number(root, "connections.0.apart.moved"), 2);
	assert_in_range(scene_number(root, "connections.0.apart.held_s"), 3590, 3600);
	assert_int_equal(scene_number(root, "daemon.counters.moved"), 101);
	assert_int_equal(scene_number(root, "daemon.counters.moves_failed"), 102);
	assert_int_equal(scene_number(root, "daemon.counters.moves_held"), 103);
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

/* One that the daemon never heard of, on a kernel that counts no bytes. */
static void tells_of_a_stranger(void **state)
{
	struct scene *scene = *state;
	struct json_object *root;

	scene_kernel.conns[scene_kernel.n++] = (struct diag_conn){
		.token = 12, .local = scene_at("10.0.0.1", 1), .remote = scene_at("10.0.0.2", 2)};
	root = scene_read(scene);
	assert_null(scene_find(root, "connections.0.role"));
	assert_null(scene_find(root, "connections.0.bytes_sent"));
	assert_null(scene_find(root, "connections.0.bytes_received"));
	assert_string_equal(scene_text(root, "connections.0.state"), "not known");
	assert_int_equal(json_object_array_length(scene_find(root, "connections.0.subflows")), 0);
	assert_string_equal(scene_text(root, "connections.0.decision"), "not heard of yet");
	json_object_put(root);
	scene->plan.table.limit = 0;
	root = scene_read(scene);
	assert_string_equal(scene_text(root, "connections.0.state"), "not known");
	assert_string_equal(scene_text(root, "connections.0.decision"),
		"the table of connections is full ([limits] max_connections)");
	json_object_put(root);
	scene->netns.state = SERVED_ALONE;
	root = scene_read(scene);
	assert_string_equal(scene_text(root, "connections.0.state"), "left alone");
	assert_string_equal(scene_text(root, "connections.0.decision"),
		"cannot be split: its namespace is left alone");
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

/* The kernel cannot be asked for its connections: those that are remembered are shown. */
static void tells_what_it_remembers_of_a_namespace_that_is_gone(void **state)
{
	const struct conn_key key = {.netns = SCENE_NETNS, .token = 11};
	struct scene *scene = *state;
	struct json_object *root;
	struct conn *conn;

	scene_hear(scene, EVENT_CREATED);
	scene->netns.state = SERVED_VANISHED;
	strcpy(scene->netns.path, "/run/netns/subflow-there-is-none");
	conn = conn_find(&scene->plan.table, &key);
	conn_say(conn, "no more subflows");
	root = scene_read(scene);
	assert_int_equal(scene_number(root, "namespaces.0.connections"), 1);
	assert_int_equal(scene_number(root, "connections.0.token"), 11);
	assert_null(scene_find(root, "connections.0.uid"));
	assert_null(scene_find(root, "connections.0.bytes_sent"));
	assert_string_equal(scene_text(root, "connections.0.role"), "client");
	assert_string_equal(scene_text(root, "connections.0.local"), "10.0.0.1:40000");
	assert_string_equal(scene_text(root, "connections.0.remote"), "10.0.0.2:80");
	assert_string_equal(scene_text(root, "connections.0.state"), "out of reach");
	assert_string_equal(scene_text(root, "connections.0.decision"), "no more subflows");
	json_object_put(root);
	*conn->why = '\0';
	root = scene_read(scene);
	assert_string_equal(scene_text(root, "connections.0.decision"),
		"none: its network namespace has lost its name");
	json_object_put(root);

	/* Nobody is shown what is not known to be his own. */
	scene->peer = (struct peer){.uid = 1000};
	root = scene_read(scene);
	assert_int_equal(json_object_array_length(scene_find(root, "connections")), 0);
	json_object_put(root);
	conn->has_uid = true;
	conn->uid = 1000;
	root = scene_read(scene);
	assert_int_equal(scene_number(root, "connections.0.uid"), 1000);
	json_object_put(root);
	conn->uid = 1001;
	root = scene_read(scene);
	assert_int_equal(json_object_array_length(scene_find(root, "connections")), 0);
	assert_int_equal(scene_number(root, "namespaces.0.connections"), 1);
	json_object_put(root);
}

/* Who is no operator is shown the connections of the user that asks. */
static void shows_everybody_their_own(void **state)
{
	struct scene *scene = *state;
	struct json_object *root;

	scene->peer = (struct peer){.uid = 1000};
	scene_kernel.conns[0] = (struct diag_conn){.token = 11, .uid = 0};
	scene_kernel.conns[1] = (struct diag_conn){.token = 12, .uid = 1000};
	scene_kernel.conns[2] = (struct diag_conn){.token = 13, .uid = 1001};
	scene_kernel.n = 3;
	root = scene_read(scene);
	assert_int_equal(json_object_array_length(scene_find(root, "connections")), 1);
	assert_int_equal(scene_number(root, "connections.0.token"), 12);
	assert_int_equal(scene_number(root, "connections.0.uid"), 1000);
	assert_int_equal(scene_number(root, "namespaces.0.connections"), 3);
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

/* Who asks for one connection gets that one, and what holds for it. */
static void tells_of_the_one_that_is_asked_for(void **state)
{
	struct command named = {.kind = COMMAND_STATUS, .has_token = true, .token = 12};
	struct scene *scene = *state;
	struct json_object *root;

	scene_hear(scene, EVENT_CREATED);
	scene_kernel.conns[0] = (struct diag_conn){.token = 11, .is_open = true};
	scene_kernel.conns[1] = (struct diag_conn){.token = 12, .uid = 1000, .is_open = true};
	scene_kernel.conns[2] = (struct diag_conn){.token = 13};
	scene_kernel.n = 3;
	root = scene_read_one(scene, &named);
	assert_int_equal(json_object_array_length(scene_find(root, "connections")), 1);
	assert_int_equal(scene_number(root, "connections.0.token"), 12);
	assert_string_equal(scene_text(root, "connections.0.state"), "not known");
	assert_int_equal(scene_number(root, "daemon.elephant.start"), 100);
	assert_int_equal(scene_number(root, "daemon.policy.ndiffports"), 1);
	assert_false(json_object_object_get_ex(root, "namespaces", NULL));
	json_object_put(root);

	named.namespace_name = "own";
	named.token = 11;
	root = scene_read_one(scene, &named);
	assert_string_equal(scene_text(root, "connections.0.state"), "served");
	json_object_put(root);

	/* What is closed, in another namespace, or somebody else's, is not there. */
	named.token = 13;
	root = scene_read_one(scene, &named);
	assert_int_equal(json_object_array_length(scene_find(root, "connections")), 0);
	json_object_put(root);
	named.token = 12;
	named.namespace_name = "other";
	root = scene_read_one(scene, &named);
	assert_int_equal(json_object_array_length(scene_find(root, "connections")), 0);
	json_object_put(root);
	named.namespace_name = NULL;
	scene->peer = (struct peer){.uid = 1001};
	root = scene_read_one(scene, &named);
	assert_int_equal(json_object_array_length(scene_find(root, "connections")), 0);
	json_object_put(root);

	/* In a namespace that cannot be entered: what is remembered. */
	scene->peer = (struct peer){.is_operator = true};
	strcpy(scene->netns.path, "/run/netns/subflow-there-is-none");
	root = scene_read_one(scene, &named);
	assert_int_equal(json_object_array_length(scene_find(root, "connections")), 0);
	json_object_put(root);
	named.token = 11;
	root = scene_read_one(scene, &named);
	assert_string_equal(scene_text(root, "connections.0.state"), "out of reach");
	json_object_put(root);
}

/* A part at a time: what comes and goes meanwhile does no harm, and no namespace is kept for it. */
static void lists_part_by_part(void **state)
{
	struct served_netns other = {.name = "other", .cookie = SCENE_NETNS + 1},
			    closed = {.name = "closed", .why = "it cannot be entered"};
	struct scene *scene = *state;
	struct listing *listing;
	struct json_object *root;
	char *start, *rest, *whole;
	bool is_last;

	for (uint32_t i = 0; i < 3; i++)
		scene_kernel.conns[i] = (struct diag_conn){.token = 11 + i};
	scene_kernel.n = 3;
	TAILQ_INSERT_TAIL(&scene->served.list, &other, entry);
	TAILQ_INSERT_TAIL(&scene->served.list, &closed, entry);
	listing = listing_begin(&scene->listings, &scene->view);
	start = listing_next(listing, &is_last);
	assert_false(is_last);
	assert_null(strstr(start, "\"token\""));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(scene_kernel.walks, i);
		rest = listing_next(listing, &is_last);
		assert_int_equal(strlen(rest) > 0, i);
		free(rest);
	}
	/* Its name is gone, and another one has ended. */
	listings_forget(&scene->listings, SCENE_NETNS + 1);
	assert_int_equal(scene_kernel.walks, 1);
	listings_forget(&scene->listings, SCENE_NETNS);
	assert_int_equal(scene_kernel.walks, 0);
	TAILQ_REMOVE(&scene->served.list, &other, entry);
	rest = scene_gather(listing);
	assert_null(strstr(rest, "\"token\""));
	assert_true(asprintf(&whole, "%s{}%s", start, rest) > 0);
	root = json_tokener_parse(whole);
	assert_non_null(root);
	assert_int_equal(json_object_array_length(scene_find(root, "namespaces")), 2);
	assert_string_equal(scene_text(root, "namespaces.0.reason"), "it cannot be entered");
	assert_string_equal(scene_text(root, "namespaces.1.name"), "own");
	assert_int_equal(scene_number(root, "namespaces.1.connections"), 1);
	json_object_put(root);
	free(start);
	free(rest);
	free(whole);
	listing_end(listing);

	/* Nobody reads on. */
	listing = listing_begin(&scene->listings, &scene->view);
	for (int i = 0; i < 3; i++)
		free(listing_next(listing, &is_last));
	assert_int_equal(scene_kernel.walks, 1);
	listing_end(listing);
	assert_int_equal(scene_kernel.walks, 0);
	TAILQ_REMOVE(&scene->served.list, &closed, entry);
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
		cmocka_unit_test_setup_teardown(tells_of_a_connection, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(tells_how_it_is_watched, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(tells_what_bounds_it, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			tells_of_destinations_that_refuse_joins, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			tells_how_many_a_peer_takes, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			tells_what_judged_subflows_brought, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			tells_how_subflows_were_moved, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			tells_of_elephants_that_cannot_be_treated, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(tells_of_a_stranger, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			tells_why_a_namespace_is_left_alone, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			tells_of_a_namespace_that_is_gone, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(tells_what_it_remembers_of_a_namespace_that_is_gone,
			scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(shows_everybody_their_own, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(tells_of_rules, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			tells_of_the_one_that_is_asked_for, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(lists_part_by_part, scene_begin, scene_end),
		cmocka_unit_test(an_error_is_one_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
