/* SPDX-License-Identifier: MIT */
/* ADD and REMOVE of addresses: where subflows leave from, what is told. */
#include <errno.h>

#include "play.h"

static void one_more_from_each_address(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_wish(play, 0, 2, 0, 2);
	play_tell(play);
	assert_int_equal(play->creates, 2);
	play_assert_created_from(play, 2, 0);
	assert_int_equal(play->receipt.wishes[0].done, 2);
	assert_int_equal(play->receipt.heard, 1);
	play_tell(play);
	assert_int_equal(play->creates, 2); /* nothing new */
	play_wish(play, 0, 2, 0, 3);
	play_wish(play, 1, 3, 5000, 1);
	play_tell(play);
	assert_int_equal(play->creates, 4);
	play_assert_created_from(play, 3, 5000);
}

static void a_restriction_counts_the_first(void **state)
{
	struct play *play = *state;

	play->wishes.is_restricted = 1;
	play_wish(play, 0, 1, 0, 2);
	play_wish(play, 1, 2, 0, 1);
	play_tell(play);
	assert_int_equal(play->receipt.heard, 0); /* which is the first is not known */
	play_connect(play);
	assert_int_equal(play->creates, 2);
	assert_int_equal(play->receipt.wishes[0].done, 2);
	assert_int_equal(play->receipt.wishes[1].done, 1);
	assert_int_equal(play->receipt.heard, 1);
}

/* The slot is used for another address, from which one more leaves. */
static void reuse(struct play *play, int slot, uint8_t host)
{
	play_wish(play, slot, host, 0, 1);
	play->wishes.list[slot].since = play->generation + 1;
	play_tell(play);
	play_assert_created_from(play, host, 0);
}

/* Whoever asks: the elephant rule too leaves from what is listed. */
static void nothing_leaves_from_elsewhere(void **state)
{
	struct play *play = *state;

	play_connect_listed(play, 1);
	play_take_away(play, 1, 1, 0);
	play_tell(play);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT);
	play_left(play, LOCAL_PORT);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 2);
	play_assert_created_from(play, 2, 0);
	/* The address is not forgotten with its slot. */
	reuse(play, 1, 3);
	play->numbers = 1;
	play_tell(play);
	play_assert_created_from(play, 2, 0);
	reuse(play, 1, 1);
	play->numbers = 2;
	play_tell(play);
	play_assert_created_from(play, 1, 0);
}

static void remove_tells_the_peer_first(void **state)
{
	struct play *play = *state;
	const struct action *action;
	struct event event = {
		.kind = EVENT_INTENT, .key = play->key, .generation = 2, .has_wishes = true};

	play_connect_listed(play, 2);
	play_take_away(play, 0, 2, 0);
	event.wishes = play->wishes;
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

	play_connect_listed(play, 2);
	play_take_away(play, 1, 2, 41000);
	play_tell(play);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, 41000);
	assert_int_equal(play->withdrawals, 0);
	play_assert_subflows(play, 2, 0, 0);
}

static void an_exact_port_is_tried_again(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = EADDRINUSE;
	play_wish(play, 0, 2, 5000, 1);
	play_tell(play);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->receipt.wishes[0].done, 0);
	play->create_error = 0;
	assert_true(play_wait(play));
	assert_int_equal(play->creates, 2);
	play_assert_created_from(play, 2, 5000);
	assert_int_equal(play->receipt.wishes[0].done, 1);
}

/* Where it leads is found out, though nothing depends on it yet: others are to keep away. */
static void an_exact_port_is_looked_up(void **state)
{
	struct play *play = *state;
	struct path_map *map;

	play->plan.steer.mode = STEER_PATHS;
	play_connect(play);
	play_wish(play, 0, 1, 5000, 1);
	play_tell(play);
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
	play_wish(play, 0, 1, 5000, 1);
	play_tell(play);
	assert_int_equal(path_of(map, path_port_find(map, 5000)).tiers[2]->load, 1);
	assert_int_equal(play->surveys, 0);
}

static void an_exact_port_is_not_looked_up_where_ports_are_the_kernels(void **state)
{
	struct play *play = *state;

	play->plan.steer.mode = STEER_KERNEL;
	play_connect(play);
	play_wish(play, 0, 1, 5000, 1);
	play_tell(play);
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

	play->wishes.is_restricted = 1;
	play_wish(play, 0, 1, 0, 1);
	play_wish(play, 1, 2, 0, 1);
	play_tell(play);
	play_hear(play, established);
	assert_int_equal(play->creates, 0);
	assert_int_equal(play->announcements, 1); /* the peer has come to the other one */
	assert_int_equal(play->announce.id, 1);
	play_hear(play, established);
	assert_int_equal(play->announcements, 1);
	/* A client may join there, and nowhere else. */
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_ESTABLISHED,
				.local = play_from(2, LOCAL_PORT),
				.remote = play_remote(),
				.id = 1});
	assert_int_equal(play->destroys, 0);
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_ESTABLISHED,
				.local = play_from(3, LOCAL_PORT),
				.remote = play_remote(),
				.id = 2});
	assert_int_equal(play->destroys, 1);
	play_take_away(play, 1, 2, 0);
	play_tell(play);
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
	play_wish(play, 0, 2, 0, 1);
	play_tell(play);
	older = play->wishes;
	play_take_away(play, 0, 2, 0);
	play_tell(play);
	play_hear(play, (struct event){.kind = EVENT_INTENT,
				.generation = 1,
				.has_wishes = true,
				.wishes = older});
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->receipt.heard, 2);
}

/* The peer has no address of that family: it is waited for, whoever asks. */
static void what_cannot_be_reached_is_waited_for(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_wish(play, 0, 2, 0, 1);
	play->wishes.list[0].addr[2] = 0; /* no IPv4 address any more */
	play_tell(play);
	assert_int_equal(play->creates, 0);
	assert_string_equal(play_conn(play)->why,
		"waiting for an address of the peer that can be reached from those that the "
		"application has listed");
	play_take_away(play, 1, 1, 0);
	play_tell(play);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 0);
	assert_string_equal(play_conn(play)->why,
		"waiting for an address that the application allows and the peer can be reached "
		"from");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_more_from_each_address),
		TEST(a_restriction_counts_the_first),
		TEST(nothing_leaves_from_elsewhere),
		TEST(remove_tells_the_peer_first),
		TEST(a_port_narrows_it_to_one),
		TEST(an_exact_port_is_tried_again),
		TEST(an_exact_port_is_looked_up),
		TEST(an_exact_port_that_is_known_counts_at_once),
		TEST(an_exact_port_is_not_looked_up_where_ports_are_the_kernels),
		TEST(a_server_announces),
		TEST(an_older_copy_is_no_news),
		TEST(what_cannot_be_reached_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
