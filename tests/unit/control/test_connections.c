/* SPDX-License-Identifier: MIT */
/* The status answer: what it says of connections of every kind. */
#include "scene.h"

#include "base/loop.h"

#include <errno.h>
#include <string.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tells_of_a_connection, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(tells_how_it_is_watched, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			tells_of_destinations_that_refuse_joins, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			tells_how_many_a_peer_takes, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			tells_what_judged_subflows_brought, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			tells_how_subflows_were_moved, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(tells_of_a_stranger, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(tells_what_it_remembers_of_a_namespace_that_is_gone,
			scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(shows_everybody_their_own, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			tells_of_the_one_that_is_asked_for, scene_begin, scene_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
