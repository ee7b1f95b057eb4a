/* SPDX-License-Identifier: MIT */
/*
 * CREATE that fails: tried again for what may pass, with growing pauses, then given up; DESTROY
 * that fails.
 */
#include <arpa/inet.h>
#include <errno.h>

#include "play.h"

#define TRIES     9 /* the first one included */
#define SECOND_NS 1000000000ull

static void retries_what_may_pass(void **state)
{
	static const int errors[] = {ENOTCONN, EADDRINUSE, EAGAIN, ENOBUFS, ENOMEM, EINTR, EBUSY};
	struct play *play = *state;
	uint32_t adds = 0;

	play_connect(play);
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		play->create_error = errors[i];
		play_intent(play, ++adds, 0);
		play_assert_subflows(play, adds, 0, 1);
		assert_int_equal(play_conn(play)->receipt.adds, adds - 1);
		play->create_error = 0;
		assert_true(play_wait(play));
		play_assert_receipt(play, adds, 0);
		play_joined(play, LOCAL_PORT + adds);
		assert_int_equal(play->creates, 2 * adds);
	}
	assert_int_equal(play->plan.counters.retries, adds);
	assert_int_equal(play->plan.counters.create_failures, 0);
	assert_false(play_wait(play));
}

static void gives_the_rest_up_at_once(void **state)
{
	static const int errors[] = {EINVAL, EPERM, ENONET, ENETUNREACH, EADDRNOTAVAIL};
	struct play *play = *state;
	uint32_t adds = 0;

	play_connect(play);
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		play->create_error = errors[i];
		play_intent(play, ++adds, 0);
		play_assert_subflows(play, 1, 0, 0);
		play_assert_receipt(play, adds, 0);
		assert_int_equal(play->creates, adds);
	}
	assert_false(play_wait(play));
	assert_int_equal(play->plan.counters.create_failures, adds);
	assert_string_equal(play_conn(play)->why,
		"the kernel opened no subflow from 10.0.0.1:0 to 10.0.0.2:80: "
		"Cannot assign requested address");
}

/* It would have to take the device with the command. */
static void says_what_a_link_local_address_lacks(void **state)
{
	struct play *play = *state;
	struct endpoint local = {.family = AF_INET6, .port = LOCAL_PORT};
	struct endpoint remote = {.family = AF_INET6, .port = 80};

	inet_pton(AF_INET6, "fe80::1", &local.v6);
	inet_pton(AF_INET6, "fe80::2", &remote.v6);
	play->create_error = EINVAL;
	play_hear(play, (struct event){.kind = EVENT_CREATED, .local = local, .remote = remote});
	play_hear(
		play, (struct event){.kind = EVENT_ESTABLISHED, .local = local, .remote = remote});
	play_intent(play, 1, 0);
	assert_string_equal(play_conn(play)->why,
		"the kernel opened no subflow from [fe80::1]:0 to [fe80::2]:80: Invalid argument; "
		"it takes no device for a link-local address");
}

static void pauses_double_up_to_the_last_try(void **state)
{
	struct play *play = *state;
	uint64_t began_ns = play->now_ns, pause_ns = 10000000, before_ns;

	play_connect(play);
	play->create_error = ENOTCONN;
	play_intent(play, 1, 0);
	for (unsigned int tries = 1; tries < TRIES; tries++) {
		assert_int_equal(play->creates, tries);
		assert_int_equal(play->receipts, 0);
		before_ns = play->now_ns;
		assert_true(play_wait(play));
		assert_int_equal(play->now_ns - before_ns, pause_ns);
		pause_ns *= 2;
	}
	assert_int_equal(play->creates, TRIES);
	assert_true(play->now_ns - began_ns < 3000000000);
	assert_false(play_wait(play));
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 1, 0);
	assert_int_equal(play->plan.counters.create_failures, 1);
}

/* What fails together is tried again together, each as often as one alone. */
static void those_of_one_call_share_the_tries(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = ENOTCONN;
	play_intent(play, 3, 0);
	while (play_wait(play))
		;
	assert_int_equal(play->creates, 3 * TRIES);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 3, 0);
}

static void the_next_request_is_tried_anew(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = EADDRINUSE;
	play_intent(play, 1, 0);
	while (play_wait(play))
		;
	play_intent(play, 2, 0);
	assert_int_equal(play_conn(play)->wanted_application, 1);
	play->create_error = 0;
	assert_true(play_wait(play));
	play_assert_subflows(play, 1, 1, 0);
	play_assert_receipt(play, 2, 0);
}

/* Where most ports are taken the next one may be free, and none is waited for. */
static void a_port_in_use_is_no_failure(void **state)
{
	static const struct ports ports = {.low = 40000, .high = 40999};
	struct play *play = *state;

	play_connect(play);
	play->plan.steer.mode = STEER_RANDOM;
	assert_int_equal(
		steer_set_ports(&play->plan.steer, play->key.netns, &ports, play->now_ns), 0);
	play->create_error = EADDRINUSE;
	play_intent(play, 1, 0);
	assert_in_range(play->creates, 60, 70);
	assert_int_equal(play->plan.counters.create_failures, 0);
	while (play_wait(play))
		;
	assert_in_range(play->creates, 65, 80);
	assert_int_equal(play->plan.counters.create_failures, 1);
	play_assert_receipt(play, 1, 0);
}

/* It rests, and its way stays known. What a subflow has left may be in TIME-WAIT, or free. */
static void a_port_in_use_is_tried_once(void **state)
{
	struct play *play = *state;
	struct path_map *map = play_map(play);
	const struct path_port *port;

	assert_non_null(map);
	map->depth = 2;
	map->state = PATH_ASKING;
	map->is_changed = true;
	for (uint16_t way = 0; way < 3; way++)
		play_learn(play, map, LOCAL_PORT + way, way);
	play->plan.steer.mode = STEER_PATHS;
	play_connect(play);
	play->create_error = EADDRINUSE;
	play_intent(play, 1, 0);
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->surveys, 1);
	for (uint16_t way = 1; way < 3; way++) {
		port = path_port_find(map, LOCAL_PORT + way);
		assert_true(path_is_known(map, port));
		assert_int_equal(path_port_state(port, play->now_ns + 60 * SECOND_NS), PORT_HELD);
		assert_int_equal(path_port_state(port, play->now_ns + 62 * SECOND_NS), PORT_FREE);
	}
	play->create_error = 0;
	play_learn(play, map, LOCAL_PORT + 3, 3);
	play_hear(play, (struct event){.kind = EVENT_PATHS});
	play_joined(play, LOCAL_PORT + 3);
	port = path_port_find(map, LOCAL_PORT + 3);
	assert_true(port->is_taken);
	play_intent(play, 1, 1);
	play_left(play, LOCAL_PORT + 3);
	assert_int_equal(path_port_state(port, play->now_ns + 60 * SECOND_NS), PORT_LEFT);
	assert_int_equal(path_port_state(port, play->now_ns + 62 * SECOND_NS), PORT_FREE);
	/* It may be had again, and it is the only one. */
	play_intent(play, 2, 1);
	play_joined(play, LOCAL_PORT + 3);
	assert_true(path_port_find(map, LOCAL_PORT + 3)->is_taken);
}

/* Where a few ports in a row are in TIME-WAIT the rest of them will be, and others are asked for.
 */
static void ports_that_were_left_are_not_all_tried(void **state)
{
	struct play *play = *state;
	struct path_map *map = play_know(play);

	for (uint16_t i = 0; i < 120; i++) {
		play_learn(play, map, LOCAL_PORT + i, i % 3);
		if (i)
			path_port_leave(path_port_find(map, LOCAL_PORT + i), play->now_ns);
	}
	play->plan.steer.mode = STEER_PATHS;
	play_connect(play);
	play->create_error = EADDRINUSE;
	play_intent(play, 1, 0);
	assert_int_equal(play->creates, 4);
	assert_int_equal(play->surveys, 1);
	/* The kernel keeps the address id of one that it has refused, with its port. */
	assert_int_equal(play_conn(play)->ids.count, 1 + 4);
}

/* One more request does not hurry those that wait. */
static void requests_wait_with_the_others(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = ENOTCONN;
	play_intent(play, 1, 0);
	play->create_error = 0;
	play_intent(play, 2, 0);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 1);
	play_assert_subflows(play, 1, 0, 3);
	assert_true(play_wait(play));
	assert_int_equal(play->creates, 4);
	play_assert_subflows(play, 1, 3, 0);
	play_assert_receipt(play, 2, 0);
}

static void elephants_are_tried_again_too(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = EADDRINUSE;
	play_threshold(play, 100);
	play_assert_subflows(play, 1, 0, 1);
	play->create_error = 0;
	assert_true(play_wait(play));
	play_joined(play, LOCAL_PORT + 1);
	assert_int_equal(play_conn(play)->passed[0].subflows, 2);
	assert_int_equal(play->receipts, 0);
}

static void each_connection_waits_by_itself(void **state)
{
	struct play *play = *state;
	struct conn_key first = play->key, second = {.netns = 1, .token = 8};

	play_connect(play);
	play->create_error = ENOTCONN;
	play_intent(play, 1, 0);
	play->now_ns += 5000000;
	play->key = second;
	play_connect(play);
	play_intent(play, 1, 0);
	play->create_error = 0;
	assert_true(play_wait(play));
	assert_int_equal(play->creates, 3);
	assert_int_equal(play->create.key.token, first.token);
	assert_true(play_wait(play));
	assert_int_equal(play->creates, 4);
	assert_int_equal(play->create.key.token, second.token);
}

static void a_closed_connection_is_not_tried_again(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = ENOTCONN;
	play_intent(play, 1, 0);
	play_closed(play);
	assert_int_equal(play->forgets, 1);
	assert_false(play_wait(play));
	assert_int_equal(play->creates, 1);
}

/* It went by itself, and the kernel's word of it has not been read yet. */
static void one_that_is_gone_already(void **state)
{
	struct play *play = *state;

	play_connect_with(play, 1);
	play->destroy_error = ESRCH;
	play_intent(play, 1, 1);
	play_assert_receipt(play, 1, 1);
	/* Its SUB_CLOSED must not be taken for the join that is under way. */
	play_intent(play, 2, 1);
	play_left(play, LOCAL_PORT + 1);
	play_assert_subflows(play, 1, 1, 0);
	assert_int_equal(play->plan.counters.refused_by_peer, 0);
	play_joined(play, LOCAL_PORT + 2);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play_conn(play)->n_subflows, 2);
	assert_int_equal(play->plan.counters.established, 2);
}

/* A kernel does not tell of each: the next one goes in its place. */
static void what_was_gone_is_not_what_was_meant(void **state)
{
	struct play *play = *state;

	play_connect_with(play, 3);
	play->destroy_error = ESRCH;
	play->destroys_failing = 1;
	play_intent(play, 3, 1);
	assert_int_equal(play->destroys, 2);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 2);
	play_assert_receipt(play, 3, 1);
	play_assert_subflows(play, 2, 0, 0);
}

/* The kernel could not: it is still there, and can be asked to go again. */
static void failed_removal_is_given_up(void **state)
{
	struct play *play = *state;

	play_connect_with(play, 1);
	play->destroy_error = ENONET;
	play_intent(play, 1, 1);
	play_assert_receipt(play, 1, 1);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play->plan.counters.destroy_failures, 1);
	play->destroy_error = 0;
	play_intent(play, 1, 2);
	assert_int_equal(play->destroys, 2);
	play_assert_receipt(play, 1, 2);
	play_left(play, LOCAL_PORT + 1);
	play_assert_subflows(play, 1, 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(retries_what_may_pass),
		TEST(gives_the_rest_up_at_once),
		TEST(a_port_in_use_is_no_failure),
		TEST(a_port_in_use_is_tried_once),
		TEST(ports_that_were_left_are_not_all_tried),
		TEST(says_what_a_link_local_address_lacks),
		TEST(pauses_double_up_to_the_last_try),
		TEST(those_of_one_call_share_the_tries),
		TEST(the_next_request_is_tried_anew),
		TEST(requests_wait_with_the_others),
		TEST(elephants_are_tried_again_too),
		TEST(each_connection_waits_by_itself),
		TEST(a_closed_connection_is_not_tried_again),
		TEST(one_that_is_gone_already),
		TEST(what_was_gone_is_not_what_was_meant),
		TEST(failed_removal_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
