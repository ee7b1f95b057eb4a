/* SPDX-License-Identifier: MIT */
/* The plan's part of [policy]: what a connection gets from its start. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "play.h"

static void no_policy_opens_nothing(void **state)
{
	struct play *play = *state;

	play_connect(play);
	assert_int_equal(play->creates, 0);
	assert_int_equal(play->plan.counters.policies, 0);
}

static void ndiffports_counts_the_first(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 4;
	play_created(play);
	assert_int_equal(play->creates, 0);
	play_established(play);
	assert_int_equal(play->creates, 3);
	play_assert_subflows(play, 1, 3, 0);
	assert_int_equal(play->create.local.port, 0);
	assert_string_equal(play_conn(play)->why, "ndiffports = 4: 4 in all");
	/* Once only, and at nobody's expense. */
	play_established(play);
	assert_int_equal(play->creates, 3);
	assert_int_equal(play->receipts, 0);
	assert_int_equal(play->plan.counters.policies, 3);
}

static void ndiffports_counts_what_was_asked_for(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 4;
	play_created(play);
	play_intent(play, 2, 0);
	play_established(play);
	assert_int_equal(play->creates, 3);
	play_assert_receipt(play, 2, 0);
	/* What is asked for later comes on top. */
	play_intent(play, 4, 0);
	assert_int_equal(play->creates, 5);
}

static void application_may_take_the_policys(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 3;
	play_connect(play);
	play_joined(play, LOCAL_PORT + 1);
	play_joined(play, LOCAL_PORT + 2);
	play_intent(play, 0, 2);
	assert_int_equal(play->destroys, 2);
	play_assert_receipt(play, 0, 2);
	play_left(play, LOCAL_PORT + 2);
	play_left(play, LOCAL_PORT + 1);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play->creates, 2);
}

/* The kernel is not ready: they wait, and a REMOVE meanwhile takes one of them. */
static void removal_before_they_are_sent(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 3;
	play->create_error = ENOTCONN;
	play_connect(play);
	play_assert_subflows(play, 1, 0, 2);
	play_intent(play, 0, 1);
	play_assert_subflows(play, 1, 0, 1);
	play_assert_receipt(play, 0, 1);
	play->create_error = 0;
	assert_true(play_wait(play));
	play_assert_subflows(play, 1, 1, 0);
}

static void the_elephant_rule_counts_them(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 3;
	play_connect(play);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 3);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 3);
}

static void a_server_opens_none(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 4;
	play_hear(play, (struct event){.kind = EVENT_ESTABLISHED,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.is_server = true});
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play->plan.counters.policies, 0);
}

static void a_foreign_connection_gets_none(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 4;
	play_hear(play, (struct event){.kind = EVENT_FOREIGN});
	play_connect(play);
	play_assert_subflows(play, 1, 0, 0);
}

static struct endpoint address(uint8_t last, uint16_t port)
{
	return (struct endpoint){
		.family = AF_INET, .port = port, .v4.s_addr = htonl(0x0a000000 | last)};
}

/* Local 10.0.0.1 (the first subflow's), 10.0.0.11 and an IPv6 one; the peer's is 10.0.0.2. */
static void begin_mesh(struct play *play)
{
	play->plan.policy.fullmesh = true;
	play->locals[0] = address(1, 0);
	play->locals[1] = address(11, 0);
	play->locals[2] = (struct endpoint){.family = AF_INET6, .v6 = IN6ADDR_LOOPBACK_INIT};
	play->n_locals = 3;
}

static void announce(struct play *play, uint8_t id, uint8_t last)
{
	play_hear(play,
		(struct event){.kind = EVENT_ANNOUNCED, .id = id, .remote = address(last, 80)});
}

static void fullmesh_uses_every_local_address(void **state)
{
	struct endpoint local = address(11, 0), remote = play_remote();
	struct play *play = *state;

	begin_mesh(play);
	play_connect(play);
	assert_int_equal(play->lookups, 1);
	assert_int_equal(play->creates, 1);
	assert_true(endpoint_is_equal(&play->create.local, &local));
	assert_true(endpoint_is_equal(&play->create.remote, &remote));
	assert_int_equal(play->create.id, 1);
	assert_string_equal(play_conn(play)->why, "fullmesh: 2 in all");
	assert_int_equal(play->plan.counters.policies, 1);
}

static void fullmesh_goes_to_announced_addresses(void **state)
{
	struct endpoint remote = address(12, 80);
	struct play *play = *state;

	begin_mesh(play);
	play_connect(play);
	announce(play, 5, 12);
	assert_int_equal(play->creates, 3);
	assert_true(endpoint_is_equal(&play->create.remote, &remote));
	play_assert_subflows(play, 1, 3, 0);
	/* Said again: nothing new. */
	announce(play, 5, 12);
	assert_int_equal(play->creates, 3);
	/* Withdrawn and announced anew: as if for the first time. */
	play_hear(play, (struct event){.kind = EVENT_WITHDRAWN, .id = 5});
	assert_string_equal(
		play_conn(play)->why, "the peer has withdrawn its address 10.0.0.12:80");
	announce(play, 6, 12);
	assert_int_equal(play->creates, 5);
}

/* The kernel wants the same id for the same address, each time. */
static void an_address_keeps_its_id(void **state)
{
	struct play *play = *state;

	begin_mesh(play);
	play_connect(play);
	assert_int_equal(play->create.id, 1);
	announce(play, 1, 12);
	assert_int_equal(play->create.id, 1);
	play_intent(play, 1, 0);
	assert_int_equal(play->create.id, 0);
}

static void what_is_announced_first_counts_too(void **state)
{
	struct play *play = *state;

	begin_mesh(play);
	play_created(play);
	announce(play, 1, 12);
	assert_int_equal(play->creates, 0);
	play_established(play);
	assert_int_equal(play->creates, 3);
}

static void fullmesh_ends_at_the_limit(void **state)
{
	struct play *play = *state;

	begin_mesh(play);
	play->plan.max_subflows = 3;
	play_connect(play);
	announce(play, 1, 12);
	assert_int_equal(play->creates, 2);
	/* Room again, when there is reason to look. */
	play_joined(play, LOCAL_PORT);
	announce(play, 2, 13);
	assert_int_equal(play->creates, 2);
}

/* From the second address all ports that lead the better way are in use; no survey finds another.
 */
static void a_mesh_asks_for_paths_as_seldom_as_others(void **state)
{
	struct play *play = *state;
	const struct endpoint local = play_from(11, 0), remote = play_remote();
	struct path_key key = path_key_of(play->key.netns, &local, &remote);
	struct subflow *first;
	struct path_map *map;
	unsigned int surveys;

	play_meddle(play);
	play->plan.steer.mode = STEER_PATHS;
	play->plan.policy.fullmesh = true;
	play->locals[0] = play_from(1, 0);
	play->locals[1] = local;
	play->n_locals = 2;
	play_created(play);
	map = play_know(play);
	play_learn(play, map, LOCAL_PORT, 0);
	first = TAILQ_FIRST(&play_conn(play)->subflows);
	first->path = path_of(map, path_port_find(map, LOCAL_PORT));
	path_load(&first->path, false);
	map = path_table_get(&play->plan.steer.paths, &key);
	assert_non_null(map);
	map->depth = 2;
	map->state = PATH_KNOWN;
	map->is_thorough = true;
	map->learned_ns = map->confirmed_ns = play->now_ns;
	play_learn(play, map, 50000, 0);
	play_learn(play, map, 50001, 1);
	path_port_find(map, 50001)->is_taken = true;
	play_established(play);
	for (surveys = 0; !play->creates && surveys < 100; surveys++)
		play_hear(play, (struct event){.kind = EVENT_PATHS});
	assert_in_range(surveys, 1, 10);
	assert_int_equal(play->create.local.port, 50000);
	/* The next one of the connection may ask again. */
	assert_int_equal(play_conn(play)->asked_more, 0);
	assert_int_equal(play_conn(play)->patience_ns, 0);
	path_unload(&first->path, false);
}

static void a_bound_connection_keeps_its_address(void **state)
{
	struct endpoint local = play_local(0);
	struct play *play = *state;

	begin_mesh(play);
	play_hear(play, (struct event){.kind = EVENT_BOUND});
	play_connect(play);
	assert_int_equal(play->lookups + play->creates, 0);
	announce(play, 1, 12);
	assert_int_equal(play->creates, 1);
	assert_true(endpoint_is_equal(&play->create.local, &local));
}

/* RFC 8684 3.1, C flag. */
static void fullmesh_leaves_the_denied_address_out(void **state)
{
	struct endpoint remote = address(12, 80);
	struct play *play = *state;

	begin_mesh(play);
	play_hear(play, (struct event){.kind = EVENT_ESTABLISHED,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.denies_join = true});
	assert_int_equal(play->creates, 0);
	announce(play, 1, 12);
	assert_int_equal(play->creates, 2);
	assert_true(endpoint_is_equal(&play->create.remote, &remote));
}

/* An address without a route, and one that is not ready. */
static void fullmesh_tries_again_what_may_work(void **state)
{
	struct play *play = *state;

	begin_mesh(play);
	play->create_error = ENETUNREACH;
	play_connect(play);
	assert_int_equal(play->creates, 1);
	assert_string_equal(play_conn(play)->why,
		"the kernel opened no subflow from 10.0.0.11:0 to 10.0.0.2:80: "
		"Network is unreachable");
	assert_false(play_wait(play));
	play->create_error = EAGAIN;
	announce(play, 1, 12);
	assert_int_equal(play->creates, 3);
	play->create_error = 0;
	assert_true(play_wait(play));
	assert_int_equal(play->creates, 5);
	play_assert_subflows(play, 1, 2, 0);
}

static void v4_mapped_connections_mesh_over_ipv4(void **state)
{
	struct endpoint mapped = {.family = AF_INET6, .port = LOCAL_PORT}, local = address(11, 0);
	struct play *play = *state;
	struct event event = {.kind = EVENT_ESTABLISHED};

	inet_pton(AF_INET6, "::ffff:10.0.0.1", &mapped.v6);
	event.local = mapped;
	inet_pton(AF_INET6, "::ffff:10.0.0.2", &mapped.v6);
	mapped.port = 80;
	event.remote = mapped;
	begin_mesh(play);
	play_hear(play, event);
	assert_int_equal(play->creates, 1);
	assert_true(endpoint_is_equal(&play->create.local, &local));
	assert_int_equal(play->create.remote.family, AF_INET);
}

static void no_addresses_no_mesh(void **state)
{
	struct play *play = *state;

	begin_mesh(play);
	play->locals_error = ENONET;
	play_connect(play);
	announce(play, 1, 12);
	assert_int_equal(play->creates, 0);
	assert_non_null(strstr(play_conn(play)->why, "cannot be read"));
}

static void leaves(struct play *play, uint8_t last, uint16_t port, enum event_kind kind)
{
	play_hear(play, (struct event){.kind = kind,
				.local = address(last, port),
				.remote = play_remote(),
				.reset_reason = -1});
}

/* What dies is given back to the mesh: the other address has its own. */
static void what_dies_of_a_mesh_comes_back_from_its_address(void **state)
{
	struct endpoint first = address(1, 0), second = address(11, 0);
	struct play *play = *state;

	play->plan.does_repair = true;
	begin_mesh(play);
	play_connect(play);
	leaves(play, 11, 5000, EVENT_SUBFLOW_ESTABLISHED);
	leaves(play, 11, 5000, EVENT_TIMEOUT);
	assert_int_equal(play->creates, 2);
	assert_true(endpoint_is_equal(&play->create.local, &second));
	leaves(play, 11, 5000, EVENT_SUBFLOW_CLOSED);
	leaves(play, 11, 5001, EVENT_SUBFLOW_ESTABLISHED);
	play_assert_subflows(play, 2, 0, 0);
	leaves(play, 1, LOCAL_PORT, EVENT_TIMEOUT);
	assert_int_equal(play->creates, 3);
	assert_true(endpoint_is_equal(&play->create.local, &first));
	play_assert_subflows(play, 1, 1, 0);
}

static void what_is_withdrawn_was_not_refused(void **state)
{
	struct play *play = *state;

	play->plan.policy.fullmesh = true;
	play->locals[0] = address(1, 0);
	play->n_locals = 1;
	play_connect(play);
	announce(play, 1, 12);
	for (int kind = 0; kind < 2; kind++) {
		struct event event = {.local = play_local(LOCAL_PORT + 1),
			.remote = address(12, 80),
			.reset_reason = -1};

		event.kind = kind ? EVENT_SUBFLOW_CLOSED : EVENT_SUBFLOW_ESTABLISHED;
		if (kind)
			play_hear(play, (struct event){.kind = EVENT_WITHDRAWN, .id = 1});
		play_hear(play, event);
	}
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play->plan.counters.refused_by_peer, 0);
	assert_non_null(strstr(play_conn(play)->why, "withdrawn"));
}

static void a_peer_may_announce_so_many(void **state)
{
	struct play *play = *state;

	play_connect(play);
	for (uint8_t id = 1; id <= REMOTES_MAX + 2; id++)
		announce(play, id, 100 + id);
	assert_int_equal(play_conn(play)->remotes.count, REMOTES_MAX);
	assert_int_equal(play->plan.counters.addresses_refused, 2);
	play_hear(play, (struct event){.kind = EVENT_WITHDRAWN, .id = 3});
	play_hear(play, (struct event){.kind = EVENT_WITHDRAWN, .id = 3});
	assert_int_equal(play_conn(play)->remotes.count, REMOTES_MAX - 1);
	assert_int_equal(play_conn(play)->remotes.list[2].id, 4);
	assert_int_equal(play->creates, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_policy_opens_nothing),
		TEST(ndiffports_counts_the_first),
		TEST(ndiffports_counts_what_was_asked_for),
		TEST(application_may_take_the_policys),
		TEST(removal_before_they_are_sent),
		TEST(the_elephant_rule_counts_them),
		TEST(a_server_opens_none),
		TEST(a_foreign_connection_gets_none),
		TEST(fullmesh_uses_every_local_address),
		TEST(fullmesh_goes_to_announced_addresses),
		TEST(an_address_keeps_its_id),
		TEST(what_is_announced_first_counts_too),
		TEST(fullmesh_ends_at_the_limit),
		TEST(a_mesh_asks_for_paths_as_seldom_as_others),
		TEST(a_bound_connection_keeps_its_address),
		TEST(fullmesh_leaves_the_denied_address_out),
		TEST(fullmesh_tries_again_what_may_work),
		TEST(v4_mapped_connections_mesh_over_ipv4),
		TEST(no_addresses_no_mesh),
		TEST(what_dies_of_a_mesh_comes_back_from_its_address),
		TEST(what_is_withdrawn_was_not_refused),
		TEST(a_peer_may_announce_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
