/* SPDX-License-Identifier: MIT */
/* ADD and REMOVE of addresses: where subflows leave from, in what order they go, what is told. */
#include <errno.h>
#include <string.h>

#include "play.h"

static struct wishes wishes;
static uint32_t generation, numbers, removes;

static int begin(void **state)
{
	wishes = (struct wishes){};
	generation = numbers = removes = 0;
	return play_begin(state);
}

/* 10.0.0.@host; the first subflow leaves from 1. */
static struct endpoint from(uint8_t host, uint16_t port)
{
	struct endpoint local = play_local(port);

	local.v4.s_addr = htonl(0x0a000000 + host);
	return local;
}

static void wish(int slot, uint8_t host, uint16_t port, uint16_t adds)
{
	wishes.list[slot] = (struct wish){.addr = {0, 0, htonl(0xffff), htonl(0x0a000000 + host)},
		.port = port,
		.since = wishes.list[slot].flags ? wishes.list[slot].since : generation + 1,
		.adds = adds,
		.flags = WISH_TAKEN};
}

static void take_away(int slot, uint8_t host, uint16_t port)
{
	wish(slot, host, port, 0);
	wishes.list[slot].since = generation + 1;
	wishes.list[slot].flags |= WISH_REMOVED;
}

static void tell(struct play *play)
{
	play_hear(play, (struct event){.kind = EVENT_INTENT,
				.generation = ++generation,
				.adds = numbers,
				.removes = removes,
				.has_wishes = true,
				.wishes = wishes});
}

static void join_from(struct play *play, uint8_t host, uint16_t port)
{
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_ESTABLISHED,
				.local = from(host, port),
				.remote = play_remote(),
				.id = play->create.id});
}

/* Connected, with @n more subflows from 10.0.0.2, on the ports from 41000 up. */
static void connect_with(struct play *play, uint16_t n)
{
	play_connect(play);
	wish(0, 2, 0, n);
	tell(play);
	for (uint16_t i = 0; i < n; i++)
		join_from(play, 2, 41000 + i);
}

/* REMOVE 1. */
static void remove_one(struct play *play)
{
	removes++;
	tell(play);
}

#define assert_created_from(play, host, port)                                                      \
	do {                                                                                       \
		struct endpoint expected = from(host, port);                                       \
		assert_true(endpoint_is_equal(&(play)->create.local, &expected));                  \
	} while (0)

static void one_more_from_each_address(void **state)
{
	struct play *play = *state;

	play_connect(play);
	wish(0, 2, 0, 2);
	tell(play);
	assert_int_equal(play->creates, 2);
	assert_created_from(play, 2, 0);
	assert_int_equal(play->receipt.wishes[0].done, 2);
	assert_int_equal(play->receipt.heard, 1);
	tell(play);
	assert_int_equal(play->creates, 2); /* nothing new */
	wish(0, 2, 0, 3);
	wish(1, 3, 5000, 1);
	tell(play);
	assert_int_equal(play->creates, 4);
	assert_created_from(play, 3, 5000);
}

static void a_restriction_counts_the_first(void **state)
{
	struct play *play = *state;

	wishes.is_restricted = 1;
	wish(0, 1, 0, 2);
	wish(1, 2, 0, 1);
	tell(play);
	assert_int_equal(play->receipt.heard, 0); /* which is the first is not known */
	play_connect(play);
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->receipt.wishes[0].done, 2);
	assert_int_equal(play->receipt.wishes[1].done, 1);
	assert_int_equal(play->receipt.heard, 1);
}

/* Whoever asks: the elephant rule too leaves from what is listed. */
static void nothing_leaves_from_elsewhere(void **state)
{
	struct play *play = *state;

	connect_with(play, 1);
	take_away(1, 1, 0);
	tell(play);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT);
	play_left(play, LOCAL_PORT);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 2);
	assert_created_from(play, 2, 0);
	/* The slot is used for something else: the address is not forgotten. */
	wish(1, 3, 0, 1);
	wishes.list[1].since = generation + 1;
	tell(play);
	assert_created_from(play, 3, 0);
	numbers = 1;
	tell(play);
	assert_created_from(play, 2, 0);
	wish(1, 1, 0, 1);
	wishes.list[1].since = generation + 1;
	tell(play);
	assert_created_from(play, 1, 0);
	numbers = 2;
	tell(play);
	assert_created_from(play, 1, 0);
}

static void remove_tells_the_peer_first(void **state)
{
	struct play *play = *state;
	const struct action *action;
	struct event event = {
		.kind = EVENT_INTENT, .key = play->key, .generation = 2, .has_wishes = true};

	connect_with(play, 2);
	take_away(0, 2, 0);
	event.wishes = wishes;
	plan_hear(&play->plan, &event);
	action = plan_next(&play->plan);
	assert_int_equal(action->kind, ACTION_WITHDRAW);
	assert_int_equal(action->id, play->create.id);
	assert_int_equal(plan_next(&play->plan)->kind, ACTION_DESTROY);
	assert_int_equal(plan_next(&play->plan)->kind, ACTION_DESTROY);
	action = plan_next(&play->plan);
	assert_int_equal(action->kind, ACTION_RECEIPT);
	assert_int_equal(action->receipt.heard, 2);
	assert_int_equal(action->receipt.removes, 0);
}

/* Its id is another subflow's too. */
static void a_port_narrows_it_to_one(void **state)
{
	struct play *play = *state;

	connect_with(play, 2);
	take_away(1, 2, 41000);
	tell(play);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, 41000);
	assert_int_equal(play->withdrawals, 0);
	play_assert_subflows(play, 2, 0, 0);
}

static void the_last_one_waits_for_another(void **state)
{
	struct play *play = *state;

	connect_with(play, 1);
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = from(2, 41000),
				.remote = play_remote(),
				.reset_reason = -1});
	take_away(1, 1, 0);
	tell(play);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(play->creates, 2);
	assert_created_from(play, 2, 0);
	join_from(play, 2, 41001);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT);
	assert_int_equal(play->withdrawals, 1);
	assert_int_equal(play->receipt.wishes[0].done, 1); /* nobody asked for that one */
}

static void the_last_one_stays_if_there_is_no_other(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = EADDRNOTAVAIL;
	wish(0, 2, 0, 1);
	tell(play);
	assert_int_equal(play->receipt.wishes[0].done, 1); /* given up */
	take_away(1, 1, 0);
	tell(play);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 1, 0, 0);
	assert_non_null(strstr(play_conn(play)->why, "the last subflow stays"));
}

/* What waits without a term is no reason to wait: there is an address that can be reached. */
static void the_last_one_waits_for_none_that_cannot_be_reached(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = EADDRNOTAVAIL;
	wish(0, 2, 0, 1);
	wish(1, 3, 0, 1);
	wishes.list[0].addr[2] = 0; /* no IPv4 address any more */
	tell(play);
	assert_int_equal(play->creates, 1);
	play->create_error = 0;
	take_away(2, 1, 0);
	tell(play);
	assert_int_equal(play->creates, 2);
	assert_created_from(play, 3, 0);
	join_from(play, 3, 41000);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT);
}

static void the_last_one_stays_if_what_is_wanted_has_no_way(void **state)
{
	struct play *play = *state;

	play_hear(play, (struct event){.kind = EVENT_ESTABLISHED,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.denies_join = true});
	numbers = 1;
	take_away(0, 1, 0);
	tell(play);
	assert_int_equal(play->creates, 0);
	play_assert_subflows(play, 1, 0, 1);
	assert_non_null(strstr(play_conn(play)->why, "the last subflow stays"));
}

/* Only the client opens subflows. */
static void the_last_one_of_a_server_stays(void **state)
{
	struct play *play = *state;

	play_hear(play, (struct event){.kind = EVENT_ESTABLISHED,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.is_server = true});
	take_away(0, 1, 0);
	wish(1, 2, 0, 1);
	tell(play);
	assert_int_equal(play->announcements, 1);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 1, 0, 0);
	assert_non_null(strstr(play_conn(play)->why, "the last subflow stays"));
}

/* What paths there are is found out: an alternative does not wait for that. */
static void an_alternative_waits_for_no_paths(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = EADDRNOTAVAIL;
	wish(0, 2, 0, 1);
	tell(play);
	play->create_error = 0;
	play->plan.steer.mode = STEER_PATHS;
	take_away(1, 1, 0);
	tell(play);
	assert_int_equal(play->creates, 2);
	assert_created_from(play, 2, 0);
}

/* All that are there are to go, and are as many as there may be. */
static void what_replaces_them_has_room(void **state)
{
	struct play *play = *state;
	uint32_t most = play->plan.max_subflows;

	connect_with(play, most - 1);
	take_away(0, 2, 0);
	take_away(1, 1, 0);
	wish(2, 3, 0, 1);
	tell(play);
	assert_int_equal(play->creates, most);
	assert_created_from(play, 3, 0);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(play->receipt.wishes[2].done, 1);
	join_from(play, 3, 42000);
	assert_int_equal(play->destroys, most);
	play_left(play, LOCAL_PORT);
	assert_int_equal(play->creates, most);
}

/* The same, but what is wanted is to have no room before they have gone. */
static void what_has_no_room_is_not_waited_for(void **state)
{
	struct play *play = *state;
	uint32_t most = play->plan.max_subflows;

	connect_with(play, most - 1);
	wish(1, 3, 0, 1); /* one too many */
	tell(play);
	assert_int_equal(play->creates, most - 1);
	take_away(0, 2, 0);
	take_away(2, 1, 0);
	numbers = 1;
	tell(play);
	assert_int_equal(play->creates, most);
	assert_created_from(play, 3, 0);
	play_assert_subflows(play, 0, 1, 1);
	join_from(play, 3, 42000);
	assert_int_equal(play->destroys, most);
	play_left(play, LOCAL_PORT);
	assert_int_equal(play->creates, most + 1);
	play_assert_subflows(play, 1, 1, 0);
}

static void an_exact_port_is_tried_again(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = EADDRINUSE;
	wish(0, 2, 5000, 1);
	tell(play);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->receipt.wishes[0].done, 0);
	play->create_error = 0;
	assert_true(play_wait(play));
	assert_int_equal(play->creates, 2);
	assert_created_from(play, 2, 5000);
	assert_int_equal(play->receipt.wishes[0].done, 1);
}

/* Where it leads is found out, though nothing depends on it yet: others are to keep away. */
static void an_exact_port_is_looked_up(void **state)
{
	struct play *play = *state;
	struct path_map *map;

	play->plan.steer.mode = STEER_PATHS;
	play_connect(play);
	wish(0, 1, 5000, 1);
	tell(play);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->surveys, 1);
	assert_int_equal(play->survey.local.port, 0);
	map = play_know(play);
	assert_true(path_port_find(map, 5000)->is_sought);
	play_learn(play, map, 5000, 1);
	play_hear(play, (struct event){.kind = EVENT_PATHS});
	assert_int_equal(path_of(map, path_port_find(map, 5000)).tiers[2]->load, 1);
	assert_int_equal(play->surveys, 1);
}

static void an_exact_port_that_is_known_counts_at_once(void **state)
{
	struct play *play = *state;
	struct path_map *map;

	play->plan.steer.mode = STEER_PATHS;
	play_connect(play);
	map = play_know(play);
	play_learn(play, map, 5000, 1);
	wish(0, 1, 5000, 1);
	tell(play);
	assert_int_equal(path_of(map, path_port_find(map, 5000)).tiers[2]->load, 1);
	assert_int_equal(play->surveys, 0);
}

static void an_exact_port_is_not_looked_up_where_ports_are_the_kernels(void **state)
{
	struct play *play = *state;

	play->plan.steer.mode = STEER_KERNEL;
	play_connect(play);
	wish(0, 1, 5000, 1);
	tell(play);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->surveys, 0);
}

static void a_server_announces(void **state)
{
	struct play *play = *state;

	struct event established = {.kind = EVENT_ESTABLISHED,
		.local = play_local(LOCAL_PORT),
		.remote = play_remote(),
		.is_server = true};

	wishes.is_restricted = 1;
	wish(0, 1, 0, 1);
	wish(1, 2, 0, 1);
	tell(play);
	play_hear(play, established);
	assert_int_equal(play->creates, 0);
	assert_int_equal(play->announcements, 1); /* the peer has come to the other one */
	assert_int_equal(play->announce.id, 1);
	play_hear(play, established);
	assert_int_equal(play->announcements, 1);
	/* A client may join there, and nowhere else. */
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_ESTABLISHED,
				.local = from(2, LOCAL_PORT),
				.remote = play_remote(),
				.id = 1});
	assert_int_equal(play->destroys, 0);
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_ESTABLISHED,
				.local = from(3, LOCAL_PORT),
				.remote = play_remote(),
				.id = 2});
	assert_int_equal(play->destroys, 1);
	take_away(1, 2, 0);
	tell(play);
	assert_int_equal(play->withdrawals, 1);
	assert_int_equal(play->withdraw.id, 1);
	assert_int_equal(play->destroys, 2);
}

/* A walk has overtaken it. */
static void an_older_copy_is_no_news(void **state)
{
	struct play *play = *state;
	struct wishes older;

	play_connect(play);
	wish(0, 2, 0, 1);
	tell(play);
	older = wishes;
	take_away(0, 2, 0);
	tell(play);
	play_hear(play, (struct event){.kind = EVENT_INTENT,
				.generation = 1,
				.has_wishes = true,
				.wishes = older});
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->receipt.heard, 2);
}

/* The only subflow that there is stays; what waits in @slot is the youngest, and is given up. */
static void assert_taken_back(struct play *play, int slot)
{
	unsigned int creates = play->creates;
	uint16_t done = play->receipt.wishes[slot].done;

	remove_one(play);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play->receipt.wishes[slot].done, done + 1);
	play_assert_receipt(play, 0, 1);
	play->create_error = 0;
	while (play_wait(play))
		;
	assert_int_equal(play->creates, creates);
}

static void removed_while_it_waits_for_paths(void **state)
{
	struct play *play = *state;

	play->plan.steer.mode = STEER_PATHS;
	play_connect(play);
	wish(0, 2, 0, 1);
	tell(play);
	assert_int_equal(play->surveys, 1);
	assert_int_equal(play->creates, 0);
	assert_taken_back(play, 0);
}

static void removed_while_its_port_is_in_use(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = EADDRINUSE;
	wish(0, 2, 5000, 1);
	tell(play);
	assert_int_equal(play->creates, 1);
	assert_taken_back(play, 0);
}

static void removed_while_the_peer_has_no_such_address(void **state)
{
	struct play *play = *state;

	play_connect(play);
	wish(2, 2, 0, 1);
	memset(wishes.list[2].addr, 0xfd, sizeof(wishes.list[2].addr));
	tell(play);
	assert_int_equal(play->creates, 0);
	assert_taken_back(play, 2);
}

static void removed_before_its_connection_is_known(void **state)
{
	struct play *play = *state;

	wishes.is_restricted = 1;
	wish(0, 1, 0, 3);
	tell(play);
	remove_one(play);
	play_connect(play);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 1, 1, 0);
	assert_int_equal(play->receipt.wishes[0].done, 3);
	play_assert_receipt(play, 0, 1);
}

static void removed_before_its_connection_is_established(void **state)
{
	struct play *play = *state;

	play_created(play);
	wishes.is_restricted = 1;
	wish(0, 1, 0, 3);
	tell(play);
	remove_one(play);
	assert_int_equal(play->destroys, 0);
	play_established(play);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 1, 1, 0);
	assert_int_equal(play->receipt.wishes[0].done, 3);
	play_assert_receipt(play, 0, 1);
}

static void the_last_listed_is_removed_first(void **state)
{
	struct play *play = *state;

	play_created(play);
	wish(0, 2, 0, 1);
	wish(1, 3, 0, 2);
	tell(play);
	remove_one(play);
	remove_one(play);
	play_established(play);
	assert_int_equal(play->creates, 1);
	assert_created_from(play, 2, 0);
	play_assert_receipt(play, 0, 2);
}

/* Which one is the first is not known before the connection is. */
static void the_first_one_counts_though_removed(void **state)
{
	struct play *play = *state;

	wishes.is_restricted = 1;
	wish(0, 3, 0, 1);
	wish(1, 1, 0, 1);
	tell(play);
	remove_one(play);
	remove_one(play); /* there would be none left */
	play_connect(play);
	assert_int_equal(play->creates, 0);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(play->receipt.wishes[0].done, 1);
	assert_int_equal(play->receipt.wishes[1].done, 1);
	play_assert_receipt(play, 0, 2);
}

/* It is neither what waits nor the youngest. */
static void the_first_one_is_not_taken_back(void **state)
{
	struct play *play = *state;

	wishes.is_restricted = 1;
	wish(0, 1, 0, 1);
	tell(play);
	play_threshold(play, 100);
	remove_one(play);
	play_connect(play);
	assert_int_equal(play->creates, 0);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 0, 1);
}

static void the_first_one_is_not_counted_twice(void **state)
{
	struct play *play = *state;

	wishes.is_restricted = 1;
	wish(0, 1, 0, 2);
	numbers = 6;
	tell(play);
	play_connect(play);
	assert_int_equal(play->creates, 7);
}

/* What is being opened may come to nothing. */
static void the_only_established_one_stays(void **state)
{
	struct play *play = *state;

	play_connect(play);
	wish(0, 2, 0, 1);
	wish(1, 3, 0, 1);
	tell(play);
	join_from(play, 3, 41000);
	play_left(play, LOCAL_PORT);
	remove_one(play);
	assert_int_equal(play->destroys, 0);
	join_from(play, 2, 41001);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, 41001);
	play_assert_receipt(play, 0, 1);
}

/* The peer has no address of that family: it is waited for, whoever asks. */
static void what_cannot_be_reached_is_waited_for(void **state)
{
	struct play *play = *state;

	play_connect(play);
	wish(0, 2, 0, 1);
	wishes.list[0].addr[2] = 0; /* no IPv4 address any more */
	tell(play);
	assert_int_equal(play->creates, 0);
	assert_string_equal(play_conn(play)->why,
		"waiting for an address of the peer that can be reached from those that the "
		"application has listed");
	take_away(1, 1, 0);
	tell(play);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 0);
	assert_string_equal(play_conn(play)->why,
		"waiting for an address that the application allows and the peer can be reached "
		"from");
}

/* The only one that would be left may not send yet. */
static void what_leaves_waits_for_one_that_may_send(void **state)
{
	struct play *play = *state;

	play->plan.quiets.rule.time_ns = 20000000;
	play_connect(play);
	wish(0, 2, 0, 1);
	tell(play);
	take_away(1, 1, 0);
	tell(play);
	join_from(play, 2, 41000);
	assert_int_equal(play->destroys, 0);
	assert_true(play_wait(play));
	assert_int_equal(play->destroys, 1);
}

static void or_for_one_that_has_joined(void **state)
{
	struct play *play = *state;

	play->plan.quiets.rule.time_ns = 20000000;
	play_connect(play);
	wish(0, 2, 0, 1);
	tell(play);
	join_from(play, 2, 41000);
	take_away(1, 1, 0);
	tell(play);
	assert_int_equal(play->destroys, 0);
	assert_true(play_wait(play));
	assert_int_equal(play->destroys, 1);
}

#undef TEST
/* Several calls at once: what was asked for after the REMOVE is not what it meant. */
static void what_is_added_after_a_remove_stays(void **state)
{
	struct play *play = *state;

	play_connect(play);
	wish(0, 2, 0, 1);
	tell(play);
	take_away(1, 1, 0);
	tell(play);
	assert_int_equal(play->destroys, 0);
	wishes.list[1].adds = 3;
	tell(play);
	assert_int_equal(play->creates, 4);
	wish(0, 2, 0, 2);
	tell(play);
	assert_int_equal(play->creates, 5);
	for (uint16_t i = 0; i < 3; i++)
		join_from(play, 1, 42000 + i);
	for (uint16_t i = 0; i < 2; i++)
		join_from(play, 2, 41000 + i);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT);
}

/* Up to the limit, heard in one: what goes leaves room. */
static void what_goes_leaves_room(void **state)
{
	struct play *play = *state;
	uint32_t most = play->plan.max_subflows;

	connect_with(play, most - 1);
	take_away(0, 2, 0);
	wish(1, 3, 0, most - 1);
	tell(play);
	assert_int_equal(play->destroys, most - 1);
	for (uint16_t i = 0; i + 1u < most; i++)
		play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
					.local = from(2, 41000 + i),
					.remote = play_remote()});
	assert_int_equal(play->creates, 2 * (most - 1));
	assert_created_from(play, 3, 0);
}

/* The peer may carry out a REMOVE_ADDR late: by the id of what is there by then. */
static void an_address_that_comes_back_has_another_id(void **state)
{
	struct play *play = *state;
	uint8_t id;

	connect_with(play, 2);
	id = play->create.id;
	take_away(0, 2, 0);
	tell(play);
	assert_int_equal(play->destroys, 2);
	wishes.list[0].adds = 1;
	tell(play);
	assert_int_equal(play->creates, 2);
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = from(2, 41000),
				.remote = play_remote()});
	assert_int_equal(play->creates, 2);
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = from(2, 41001),
				.remote = play_remote()});
	assert_int_equal(play->creates, 3);
	assert_created_from(play, 2, 0);
	assert_int_not_equal(play->create.id, id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_more_from_each_address),
		TEST(what_leaves_waits_for_one_that_may_send),
		TEST(or_for_one_that_has_joined),
		TEST(what_is_added_after_a_remove_stays),
		TEST(an_address_that_comes_back_has_another_id),
		TEST(what_goes_leaves_room),
		TEST(a_restriction_counts_the_first),
		TEST(nothing_leaves_from_elsewhere),
		TEST(remove_tells_the_peer_first),
		TEST(a_port_narrows_it_to_one),
		TEST(the_last_one_waits_for_another),
		TEST(the_last_one_stays_if_there_is_no_other),
		TEST(the_last_one_waits_for_none_that_cannot_be_reached),
		TEST(the_last_one_stays_if_what_is_wanted_has_no_way),
		TEST(the_last_one_of_a_server_stays),
		TEST(an_alternative_waits_for_no_paths),
		TEST(what_replaces_them_has_room),
		TEST(what_has_no_room_is_not_waited_for),
		TEST(an_exact_port_is_tried_again),
		TEST(an_exact_port_is_looked_up),
		TEST(an_exact_port_that_is_known_counts_at_once),
		TEST(an_exact_port_is_not_looked_up_where_ports_are_the_kernels),
		TEST(a_server_announces),
		TEST(an_older_copy_is_no_news),
		TEST(removed_while_it_waits_for_paths),
		TEST(removed_while_its_port_is_in_use),
		TEST(removed_while_the_peer_has_no_such_address),
		TEST(removed_before_its_connection_is_known),
		TEST(removed_before_its_connection_is_established),
		TEST(the_last_listed_is_removed_first),
		TEST(the_first_one_counts_though_removed),
		TEST(the_first_one_is_not_taken_back),
		TEST(the_first_one_is_not_counted_twice),
		TEST(the_only_established_one_stays),
		TEST(what_cannot_be_reached_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
