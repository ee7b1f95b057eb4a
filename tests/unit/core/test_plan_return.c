/* SPDX-License-Identifier: MIT */
/* Connections return to a way that has failed once it is held no more, and to what becomes free. */
#include "herd.h"

#define SHUN_MS 10000

/* Two subflows of one elephant on two ways, of which the second one's has failed. */
static void share_what_is_left(struct play *play)
{
	struct path_map *map = herd_know(play, 2);

	play->plan.does_repair = true;
	for (uint16_t port = 2; port < 8; port++)
		play_learn(play, map, PLACED + port, port % 2);
	herd_open(play, LOCAL_PORT);
	herd_grow(play, LOCAL_PORT);
	assert_int_equal(herd_load(map, 1), 1);
	play_fell_silent(play, play->create.local.port);
	herd_hear(play, LOCAL_PORT, EVENT_SUBFLOW_CLOSED, play->destroy.local.port);
	herd_hear(play, LOCAL_PORT, EVENT_SUBFLOW_ESTABLISHED, play->create.local.port);
	assert_int_equal(herd_load(map, 0), 2);
	assert_int_equal(play->creates, 2);
}

/* Though nothing else has happened. First it is asked; who is not answered goes by what was known.
 */
static void a_way_that_has_failed_is_taken_again_after_a_while(void **state)
{
	struct play *play = *state;

	share_what_is_left(play);
	herd_pass(play, SHUN_MS - 1);
	assert_true(play_conn(play)->apart.is_waiting);
	assert_int_equal(play->surveys, 0);
	herd_pass(play, DELAY_MS + 2);
	assert_int_equal(play->surveys, 1);
	assert_int_equal(play->creates, 2);
	herd_pass(play, 1000 + DELAY_MS);
	assert_int_equal(play->creates, 3);
	assert_int_equal((play->create.local.port - PLACED) % 2, 1);
	herd_hear(play, LOCAL_PORT, EVENT_SUBFLOW_ESTABLISHED, play->create.local.port);
	herd_pass(play, PROOF_MS);
	assert_int_equal(play->plan.aparts.counters.moved, 1);
	herd_pass(play, 2 * HOLD_MS);
	assert_int_equal(play->creates, 3);
}

/* What becomes free meanwhile is not missed for it. */
static void another_one_that_becomes_free_is_taken_at_once(void **state)
{
	struct play *play = *state;
	struct path_map *map;

	share_what_is_left(play);
	herd_pass(play, SHUN_MS / 2);
	map = play_know(play);
	play_learn(play, map, PLACED + 100, 2);
	play_hear(play, (struct event){.kind = EVENT_PATHS});
	herd_pass(play, DELAY_MS + 1);
	assert_int_equal(play->creates, 3);
	assert_int_equal(play->create.local.port, PLACED + 100);
}

/* It is tried as often as others may be, and that is all. */
static void a_way_that_stays_dead_is_left_alone(void **state)
{
	struct play *play = *state;

	share_what_is_left(play);
	herd_pass(play, HOLD_MS);
	assert_int_equal(play->creates, 2 + 2);
	assert_int_equal(play->plan.aparts.counters.failed, 2);
	play_assert_subflows(play, 2, 0, 0);
}

static void drop_the_second_way(struct path_map *map)
{
	const struct path_port *port;

	for (unsigned int i = map->n_ports; i-- > 0;) {
		port = &map->ports[i];
		if (path_of(map, port).tiers[2]->key.address.s6_addr[15] == 16 + 1)
			path_port_drop(map, &map->ports[i]);
	}
}

/* Who has looked for paths meanwhile has seen none there. It is looked for again, ever more seldom.
 */
static void one_that_was_forgotten_meanwhile_is_looked_for(void **state)
{
	struct play *play = *state;
	struct path_map *map;
	unsigned int surveys;

	share_what_is_left(play);
	herd_pass(play, SHUN_MS / 2);
	map = play_map(play);
	drop_the_second_way(map);
	map->is_partial = true;
	map->learned_ns = play->now_ns;
	play_hear(play, (struct event){.kind = EVENT_PATHS});
	herd_pass(play, HOLD_MS);
	assert_int_equal(play->surveys, 1);
	herd_pass(play, SHUN_MS + HOLD_MS);
	assert_int_equal(play->creates, 2);
	assert_int_equal(map->state, PATH_UNKNOWN);
	surveys = play->surveys;
	assert_in_range(surveys, 2, 5);
	map = herd_know(play, 2);
	map->is_partial = false;
	play_hear(play, (struct event){.kind = EVENT_PATHS});
	herd_pass(play, DELAY_MS + 1);
	assert_int_equal(play->creates, 3);
	assert_int_equal((play->create.local.port - PLACED) % 2, 1);
}

/* The same of a connection that is no elephant: its application has asked for the second one. */
static void share_what_was_asked_for(struct play *play)
{
	struct path_map *map = herd_know(play, 2);

	play->plan.does_repair = true;
	for (uint16_t port = 2; port < 8; port++)
		play_learn(play, map, PLACED + port, port % 2);
	herd_open(play, LOCAL_PORT);
	play_intent(play, 1, 0);
	play_joined(play, play->create.local.port);
	assert_int_equal(herd_load(map, 1), 1);
	play_fell_silent(play, play->create.local.port);
	play_left(play, play->destroy.local.port);
	play_joined(play, play->create.local.port);
	assert_int_equal(herd_load(map, 0), 2);
	assert_int_equal(play->creates, 2);
}

static void what_an_application_asked_for_returns_too(void **state)
{
	struct play *play = *state;

	share_what_was_asked_for(play);
	herd_pass(play, SHUN_MS - 1);
	assert_int_equal(play->surveys, 0);
	herd_pass(play, DELAY_MS + 2);
	assert_int_equal(play->surveys, 1);
	assert_int_equal(play->creates, 2);
	play_hear(play, (struct event){.kind = EVENT_PATHS});
	herd_pass(play, DELAY_MS + 1);
	assert_int_equal(play->creates, 3);
	assert_int_equal((play->create.local.port - PLACED) % 2, 1);
	play_joined(play, play->create.local.port);
	herd_pass(play, PROOF_MS);
	play_left(play, play->destroy.local.port);
	play_assert_subflows(play, 2, 0, 0);
	play_assert_receipt(play, 1, 0);
	assert_int_equal(play->plan.aparts.counters.moved, 1);
	herd_pass(play, 2 * HOLD_MS);
	assert_int_equal(play->creates, 3);
	/* Each has a way of its own again: from now on it is moved no more. */
	assert_false(play_conn(play)->apart.is_displaced);
}

/* No more often than others. */
static void nor_is_that_tried_for_ever(void **state)
{
	struct play *play = *state;

	share_what_was_asked_for(play);
	herd_pass(play, HOLD_MS);
	assert_int_equal(play->creates, 2 + 2);
	assert_int_equal(play->plan.aparts.counters.failed, 2);
	play_assert_subflows(play, 2, 0, 0);
}

/* What begins while the way is avoided has to share too. Two wait then, and there is one way. */
static void so_does_what_began_meanwhile(void **state)
{
	struct play *play = *state;
	struct path_map *map;

	share_what_was_asked_for(play);
	map = play_know(play);
	herd_open(play, OTHER);
	play_hear(play, (struct event){.kind = EVENT_INTENT,
				.key = herd_key(play, OTHER),
				.generation = 1,
				.adds = 1});
	herd_hear(play, OTHER, EVENT_SUBFLOW_ESTABLISHED, play->create.local.port);
	assert_int_equal(herd_load(map, 0), 4);
	assert_true(conn_find(&play->plan.table, &play->create.key)->apart.is_displaced);
	herd_pass(play, SHUN_MS - 1);
	assert_int_equal(play->creates, 3);
	herd_pass(play, DELAY_MS + 2);
	assert_int_equal(play->creates, 4);
	herd_hear(play, play->create.key.token == play->key.token ? LOCAL_PORT : OTHER,
		EVENT_SUBFLOW_ESTABLISHED, play->create.local.port);
	herd_pass(play, 2 * HOLD_MS);
	assert_int_equal(play->creates, 4);
	assert_int_equal(herd_load(map, 1), 1);
}

/* Of that the elephant rule alone makes moves. */
static void what_shares_for_another_reason_stays(void **state)
{
	struct play *play = *state;
	struct path_map *map = play_know(play);

	play->plan.does_repair = true;
	play_learn(play, map, LOCAL_PORT, 0);
	play_learn(play, map, PLACED, 0);
	herd_open(play, LOCAL_PORT);
	play_intent(play, 1, 0);
	play_joined(play, play->create.local.port);
	assert_int_equal(herd_load(map, 0), 2);
	play_learn(play, map, PLACED + 1, 1);
	play_hear(play, (struct event){.kind = EVENT_PATHS});
	herd_pass(play, HOLD_MS);
	assert_int_equal(play->creates, 1);
}

#define WITH_PLAY(test) cmocka_unit_test_setup_teardown(test, herd_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLAY(a_way_that_has_failed_is_taken_again_after_a_while),
		WITH_PLAY(one_that_was_forgotten_meanwhile_is_looked_for),
		WITH_PLAY(another_one_that_becomes_free_is_taken_at_once),
		WITH_PLAY(a_way_that_stays_dead_is_left_alone),
		WITH_PLAY(what_an_application_asked_for_returns_too),
		WITH_PLAY(nor_is_that_tried_for_ever),
		WITH_PLAY(so_does_what_began_meanwhile),
		WITH_PLAY(what_shares_for_another_reason_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
