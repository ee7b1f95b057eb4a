/* SPDX-License-Identifier: MIT */
/* Elephants whose subflows share a way: they are moved apart, seldom, and to the end. */
#include "herd.h"

#include <errno.h>
#include <string.h>

/* Two elephants of two subflows whose first ones share a way. */
static void collide(struct play *play)
{
	herd_open(play, LOCAL_PORT);
	herd_open(play, OTHER);
	herd_grow(play, LOCAL_PORT);
	herd_grow(play, OTHER);
	play_assert_subflows(play, 2, 0, 0);
}

/* The first port of the connection of which one was opened last. */
static uint16_t mover(const struct play *play)
{
	return play->create.key.token == play->key.token ? LOCAL_PORT : OTHER;
}

static const struct apart_counters *counters(const struct play *play)
{
	return &play->plan.aparts.counters;
}

static void one_of_two_that_collide_is_moved(void **state)
{
	struct play *play = *state;
	struct path_map *map = herd_know(play, 8);
	uint16_t first, to;

	collide(play);
	assert_int_equal(herd_load(map, 0), 2);
	herd_pass(play, DELAY_MS + 1);
	assert_int_equal(play->creates, 3);
	assert_int_equal(play->destroys, 0);
	to = play->create.local.port;
	assert_in_range(to, PLACED + 3, PLACED + 7);
	assert_int_equal(herd_load(map, 0), 1);
	assert_non_null(strstr(conn_find(&play->plan.table, &play->create.key)->why,
		"shares its path with others of this host: it is moved"));
	first = mover(play);
	assert_int_equal(play->backups, 0);
	herd_hear(play, first, EVENT_SUBFLOW_ESTABLISHED, to);
	/* From then on the old one sends no more. */
	assert_int_equal(play->backups, 1);
	assert_true(play->backup.is_backup);
	assert_int_equal(play->backup.local.port, first);
	assert_int_equal(play->destroys, 0);
	herd_pass(play, PROOF_MS);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, first);
	herd_hear(play, first, EVENT_SUBFLOW_CLOSED, first);
	assert_int_equal(counters(play)->moved, 1);
	assert_non_null(strstr(conn_find(&play->plan.table, &play->create.key)->why,
		"was moved to a path of its own: from 10.0.0.1:"));
	for (uint16_t way = 0; way < 3; way++)
		assert_int_equal(herd_load(map, way), 1);
	/* And that is all. */
	herd_pass(play, 2 * HOLD_MS);
	assert_int_equal(play->creates, 3);
	assert_int_equal(play->destroys, 1);
}

/* What an elephant shares with those that are none may become free any time. */
static void mice_and_those_who_want_no_split_stay(void **state)
{
	struct play *play = *state;

	herd_know(play, 8);
	herd_open(play, LOCAL_PORT);
	herd_open(play, OTHER);
	herd_grow(play, LOCAL_PORT);
	herd_pass(play, HOLD_MS);
	assert_int_equal(play->creates, 1);
	play_hear(play, (struct event){.kind = EVENT_INTENT,
				.key = herd_key(play, OTHER),
				.generation = 1,
				.adds = 1,
				.purpose = PURPOSE_INTERACTIVE});
	herd_hear(play, OTHER, EVENT_SUBFLOW_ESTABLISHED, play->create.local.port);
	herd_grow(play, OTHER);
	herd_pass(play, HOLD_MS);
	/* It is the elephant that leaves. */
	assert_int_equal(play->creates, 3);
	assert_int_equal(play->create.key.token, play->key.token);
}

/* Bound to its address, each of them; one is a backup besides. */
static void what_was_asked_for_by_address_stays(void **state)
{
	struct play *play = *state;

	herd_know(play, 8);
	herd_hear(play, LOCAL_PORT, EVENT_BOUND, 0);
	herd_hear(play, OTHER, EVENT_BOUND, 0);
	collide(play);
	herd_pass(play, HOLD_MS);
	assert_int_equal(play->creates, 2);
}

static void without_moves_nothing_is_moved(void **state)
{
	struct play *play = *state;

	play->plan.aparts.rule.moves = 0;
	herd_know(play, 8);
	collide(play);
	herd_pass(play, HOLD_MS);
	assert_int_equal(play->creates, 2);
}

/* Three ways for four subflows. */
static void who_finds_no_free_way_waits_for_one(void **state)
{
	struct play *play = *state;

	herd_know(play, 3);
	collide(play);
	herd_pass(play, HOLD_MS);
	assert_int_equal(play->creates, 2);
	assert_true(play_conn(play)->apart.is_waiting);
	/* The second subflow of the other one goes. */
	herd_hear(play, OTHER, EVENT_SUBFLOW_CLOSED, PLACED + 2);
	herd_pass(play, DELAY_MS + 1);
	assert_int_equal(play->creates, 3);
	/* The only one on that way. */
	assert_int_equal(play->create.local.port, PLACED + 2);
	assert_false(play_conn(play)->apart.is_waiting);
}

/* They collide, and the one that is moved is the first connection's: to which port it is. */
static uint16_t begin_move(struct play *play)
{
	herd_know(play, 8);
	herd_open(play, LOCAL_PORT);
	herd_open(play, OTHER);
	herd_grow(play, OTHER);
	herd_pass(play, HOLD_MS);
	herd_grow(play, LOCAL_PORT);
	while (play->create.key.token != play->key.token || play->creates < 3)
		herd_pass(play, 1);
	assert_int_equal(play_conn(play)->apart.spent, 1);
	return play->create.local.port;
}

/* Peers of the in-kernel path manager have room for so many, and answer the SYN all the same. */
static void a_peer_without_room_is_left_in_peace(void **state)
{
	struct play *play = *state;
	uint16_t to = begin_move(play);

	play_joined(play, to);
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(to),
				.remote = play_remote(),
				.error = ECONNRESET,
				.reset_reason = RESET_PROHIBITED});
	herd_pass(play, HOLD_MS / 2);
	assert_int_equal(play->destroys, 0);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(counters(play)->failed, 1);
	assert_int_equal(play_conn(play)->apart.spent, 2);
	assert_int_equal(play_conn(play)->barred.port, 0);
	assert_int_equal(herd_load(play_know(play), 0), 1); /* the other one has moved instead */
}

static void one_that_the_kernel_refuses_is_not_forced(void **state)
{
	struct play *play = *state;

	play->plan.news.is_wanted = true;
	herd_know(play, 8);
	collide(play);
	play->create_error = EADDRINUSE;
	herd_pass(play, HOLD_MS / 2);
	assert_int_equal(play->creates, 2 + 2 * 2);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(counters(play)->failed, 4);
	assert_non_null(strstr(play_conn(play)->why,
		"it shares a path while another is free, and stays: it was moved 2 times in "));
	play_assert_told(play);
	assert_int_equal(conn_count_wanted(play_conn(play)), 0);
}

/* A way that seems free may be dead. That says nothing of the peer. */
static void where_nobody_answers_nothing_is_moved(void **state)
{
	struct play *play = *state;
	struct subflow *old;
	uint16_t to;

	play->plan.does_repair = true;
	to = begin_move(play);
	old = TAILQ_FIRST(&play_conn(play)->subflows);
	assert_true(old->is_leaving);
	while (play->destroy.local.port != to)
		herd_pass(play, 1);
	assert_false(old->is_leaving);
	assert_int_equal(play->receipt.moved, 0);
	assert_int_equal(play_conn(play)->apart.spent, 1);
	assert_int_equal(play->plan.counters.repairs, 0);
	play_assert_subflows(play, 2, 0, 0);
	/* One of the two is moved to what is free and not dead. */
	herd_pass(play, DELAY_MS + 1);
	assert_int_equal(play->destroys, 1);
	assert_int_not_equal(play->create.local.port, to);
	herd_hear(play, mover(play), EVENT_SUBFLOW_ESTABLISHED, play->create.local.port);
	herd_pass(play, PROOF_MS);
	assert_int_equal(counters(play)->moved, 1);
}

/* The old one dies meanwhile: the new one is its replacement. */
static void a_death_during_a_move_needs_no_other_replacement(void **state)
{
	struct play *play = *state;
	uint16_t to;

	play->plan.does_repair = true;
	to = begin_move(play);
	play_fell_silent(play, LOCAL_PORT);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->creates, 3);
	play_left(play, LOCAL_PORT);
	play_joined(play, to);
	herd_pass(play, HOLD_MS);
	assert_int_equal(play->destroys, 1);
	play_assert_subflows(play, 2, 0, 0);
}

/* So many were replaced of the connection that no more may be. */
static void spend_repairs(struct play *play)
{
	for (int i = 0; i < REPAIR_MOST; i++)
		repair_allow(&play->plan, play_conn(play), play->now_ns);
	play_meddle(play);
}

static void is_reset(struct play *play, uint16_t port)
{
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(port),
				.remote = play_remote(),
				.error = ECONNRESET,
				.reset_reason = -1});
}

/* Nor one that the budget of repairs would have denied. */
static void nor_one_later(void **state)
{
	struct play *play = *state;
	uint16_t to;

	play->plan.does_repair = true;
	to = begin_move(play);
	spend_repairs(play);
	is_reset(play, LOCAL_PORT);
	play_joined(play, to);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play_conn(play)->revival.missing, 0);
}

/* It was to be one more for a moment. */
static void a_new_one_that_is_reset_is_not_missing(void **state)
{
	struct play *play = *state;
	uint16_t to;

	play->plan.does_repair = true;
	to = begin_move(play);
	play_joined(play, to);
	play->now_ns += REFUSAL_NS;
	spend_repairs(play);
	is_reset(play, to);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play_conn(play)->revival.missing, 0);
}

static void a_new_one_that_dies_leaves_the_old_one(void **state)
{
	struct play *play = *state;
	uint16_t to;

	play->plan.does_repair = true;
	to = begin_move(play);
	play_joined(play, to);
	play_fell_silent(play, to);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, to);
	play_left(play, to);
	assert_int_equal(play->creates, 3);
	play_assert_subflows(play, 2, 0, 0);
	assert_false(TAILQ_FIRST(&play_conn(play)->subflows)->is_leaving);
}

/* Should the daemon die, the next one knows which of the two is one too many. */
static void it_is_noted_until_one_of_the_two_is_gone(void **state)
{
	struct play *play = *state;
	uint16_t to = begin_move(play);

	assert_int_equal(play->receipt.moved, LOCAL_PORT);
	assert_int_equal(play->receipt.heir, to);
	play_joined(play, to);
	herd_pass(play, PROOF_MS);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->receipt.moved, LOCAL_PORT);
	play_left(play, LOCAL_PORT);
	assert_int_equal(play->receipt.moved, 0);
	assert_int_equal(play->receipt.heir, 0);
}

static void what_did_not_come_up_is_noted_no_more(void **state)
{
	struct play *play = *state;
	uint16_t to = begin_move(play);

	play_left(play, to);
	assert_int_equal(counters(play)->failed, 1);
	assert_int_equal(play->receipt.moved, 0);
}

static void nor_is_what_the_kernel_would_not_close(void **state)
{
	struct play *play = *state;
	uint16_t to = begin_move(play);

	play_joined(play, to);
	play->destroy_error = EPERM;
	herd_pass(play, PROOF_MS);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->receipt.moved, 0);
}

/* The pair is one subflow: to remove one removes both. */
static void a_removal_during_a_move_takes_both(void **state)
{
	struct play *play = *state;
	uint16_t to = begin_move(play);

	play_joined(play, to);
	play_assert_subflows(play, 3, 0, 0);
	play_hear(play, (struct event){.kind = EVENT_INTENT, .generation = 1, .removes = 1});
	play_left(play, play->destroy.local.port);
	herd_pass(play, HOLD_MS);
	play_left(play, play->destroy.local.port);
	assert_int_equal(play->destroys, 2);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 0, 1);
}

/* A threshold that is passed meanwhile finds as many subflows as there will be. */
static void the_pair_counts_as_one(void **state)
{
	struct play *play = *state;

	play->plan.rule.max_subflows = 3;
	begin_move(play);
	assert_int_equal(conn_count_all(play_conn(play)), 2);
	play_hear(play,
		(struct event){.kind = EVENT_THRESHOLD, .threshold = 150 * MB, .bytes = 150 * MB});
	assert_int_equal(play->creates, 4);
}

/* An elephant of two subflows whose ways were never asked for; those of other ports were. */
static struct path_map *grow_unseen(struct play *play)
{
	struct path_map *map = play_know(play);

	for (uint16_t way = 0; way < 8; way++)
		play_learn(play, map, PLACED + way, way);
	map->is_changed = true;
	play_connect(play);
	play_joined(play, LOCAL_PORT + 1);
	play_threshold(play, 100);
	return map;
}

static void what_is_not_known_is_asked_for(void **state)
{
	struct play *play = *state;

	grow_unseen(play);
	assert_int_equal(play->surveys, 0);
	herd_pass(play, DELAY_MS + 1);
	assert_int_equal(play->surveys, 1);
	assert_int_equal(play->survey.local.port, 0);
	herd_pass(play, DELAY_MS + 1);
	assert_int_equal(play->surveys, 1);
}

/* There may be too many surveys: nobody tells of one that has not begun. */
static void what_nobody_tells_is_asked_again(void **state)
{
	struct play *play = *state;
	struct path_map *map = grow_unseen(play);

	herd_pass(play, 19900);
	assert_int_equal(play->surveys, 1);
	herd_pass(play, 200);
	assert_int_equal(play->surveys, 2);
	/* What is told counts at once, and is asked no more. */
	play_learn(play, map, LOCAL_PORT, 0);
	play_learn(play, map, LOCAL_PORT + 1, 0);
	map->is_changed = true;
	play_hear(play, (struct event){.kind = EVENT_PATHS});
	herd_pass(play, DELAY_MS + 1);
	assert_int_equal(play->creates, 1);
	herd_pass(play, 60000);
	assert_int_equal(play->surveys, 2);
}

/* Every time that it has come to rest the other one is put beside it again. */
static void moves_are_counted(void **state)
{
	struct play *play = *state;
	struct path_map *map = herd_know(play, 8);
	struct subflow *subflow;
	unsigned int moves = 0;

	collide(play);
	for (int i = 0; i < 200; i++) {
		herd_pass(play, DELAY_MS + 1);
		if (play->creates < 3 + moves)
			continue;
		moves++;
		herd_hear(play, mover(play), EVENT_SUBFLOW_ESTABLISHED, play->create.local.port);
		herd_pass(play, PROOF_MS);
		play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
					.key = play->destroy.key,
					.local = play->destroy.local,
					.remote = play_remote(),
					.reset_reason = -1});
		/* The fabric hashes differently now: all is on one way again. */
		TAILQ_FOREACH (subflow, &play_conn(play)->subflows, entry)
			play_learn(play, map, subflow->local.port, 0);
		map->is_changed = true;
		play_hear(play, (struct event){.kind = EVENT_PATHS});
	}
	assert_in_range(moves, 2, 4);
	assert_true(counters(play)->held > 0);
	herd_pass(play, HOLD_MS);
	assert_true(play->creates > 2 + moves);
}

/* Whatever else was to be looked at meanwhile. */
static void the_old_one_stays_until_the_new_one_may_send(void **state)
{
	struct play *play = *state;
	struct endpoint first = play_local(LOCAL_PORT), remote = play_remote();
	struct conn *conn;

	play_meddle(play); /* it is told that a subflow lags */
	play->plan.quiets.rule.time_ns = 1000 * MS;
	herd_know(play, 8);
	conn = herd_open(play, LOCAL_PORT);
	herd_open(play, OTHER);
	herd_grow(play, LOCAL_PORT);
	assert_int_not_equal(conn->apart.due.at_ns, 0);
	assert_int_equal(
		apart_leave(&play->plan, conn, conn_find_subflow(conn, &first, &remote), 1), 0);
	play_act(play);
	herd_hear(play, LOCAL_PORT, EVENT_SUBFLOW_ESTABLISHED, play->create.local.port);
	herd_pass(play, 900);
	assert_int_equal(play->destroys, 0);
	assert_int_equal(play->backups, 0);
	herd_pass(play, 300);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT);
}

/* It would be looked after by nobody once it leaves. */
static void what_may_not_send_yet_is_not_moved(void **state)
{
	struct play *play = *state;
	struct path_map *map = herd_know(play, 8);
	struct endpoint local, remote = play_remote();
	struct conn *conn;

	play_meddle(play);
	play->plan.quiets.rule.time_ns = 1000 * MS;
	conn = herd_open(play, LOCAL_PORT);
	herd_grow(play, LOCAL_PORT);
	local = play_local(play->create.local.port);
	play_learn(play, map, local.port, 0);
	assert_int_equal(
		apart_leave(&play->plan, conn, conn_find_subflow(conn, &local, &remote), 1),
		-EBUSY);
}

#define WITH_PLAY(test) cmocka_unit_test_setup_teardown(test, herd_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLAY(one_of_two_that_collide_is_moved),
		WITH_PLAY(the_old_one_stays_until_the_new_one_may_send),
		WITH_PLAY(what_may_not_send_yet_is_not_moved),
		WITH_PLAY(mice_and_those_who_want_no_split_stay),
		WITH_PLAY(what_was_asked_for_by_address_stays),
		WITH_PLAY(without_moves_nothing_is_moved),
		WITH_PLAY(who_finds_no_free_way_waits_for_one),
		WITH_PLAY(a_peer_without_room_is_left_in_peace),
		WITH_PLAY(one_that_the_kernel_refuses_is_not_forced),
		WITH_PLAY(where_nobody_answers_nothing_is_moved),
		WITH_PLAY(a_death_during_a_move_needs_no_other_replacement),
		WITH_PLAY(nor_one_later),
		WITH_PLAY(a_new_one_that_is_reset_is_not_missing),
		WITH_PLAY(a_new_one_that_dies_leaves_the_old_one),
		WITH_PLAY(it_is_noted_until_one_of_the_two_is_gone),
		WITH_PLAY(what_did_not_come_up_is_noted_no_more),
		WITH_PLAY(nor_is_what_the_kernel_would_not_close),
		WITH_PLAY(a_removal_during_a_move_takes_both),
		WITH_PLAY(the_pair_counts_as_one),
		WITH_PLAY(what_is_not_known_is_asked_for),
		WITH_PLAY(what_nobody_tells_is_asked_again),
		WITH_PLAY(moves_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
