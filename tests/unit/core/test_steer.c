/* SPDX-License-Identifier: MIT */
/* From which port the next subflow leaves, by what is known of the ways and of who takes them. */
#include "steering.h"

static void ways_of_others_are_left_to_them(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play), *b = steering_open(play);

	steering_learn(play, FIRST_PORT + 1, 0);
	steering_learn(play, FIRST_PORT + 2, 1);
	for (uint16_t spine = 0; spine < 4; spine++)
		steering_learn(play, PORT + spine, spine);
	/* B is not split yet, and counts. */
	assert_int_equal(steering_place(play, a), PORT + 2);
	assert_int_equal(play->map->routers[2]->light, 1);
	assert_int_equal(steering_place(play, b), PORT + 3);
	assert_int_equal(play->map->routers[2]->light, 0);
	assert_int_equal(play->map->routers[2]->load, 1);
	assert_int_equal(play->steer.counters.placed, 2);
}

static void split_connections_weigh_more_than_whole_ones(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play), *b;

	play->map->is_thorough = true;
	steering_learn(play, FIRST_PORT + 1, 0);
	for (uint16_t i = 0; i < 12; i++)
		steering_learn(play, PORT + i, i % 3);
	assert_int_equal(steering_place(play, a), PORT + 1);
	/* On the last way run three that nobody has split; on A's second one runs one that is. */
	for (uint16_t i = 2; i <= 4; i++) {
		steering_open(play);
		steering_learn(play, FIRST_PORT + i, 2);
	}
	b = steering_open(play);
	steering_learn(play, FIRST_PORT + 5, 0);
	assert_int_equal(steering_place(play, b), PORT + 2);
}

static void what_is_not_known_is_sought(void **state)
{
	struct steering *play = *state;
	struct conn *a = NULL, *conn;
	struct steer_choice choice;
	unsigned int sought = 0;

	for (int i = 0; i < 40; i++) {
		conn = steering_open(play);
		a = i == 20 ? conn : a;
	}
	assert_int_equal(steering_choose(play, a, &choice), STEER_ASK);
	for (unsigned int i = 0; i < play->map->n_ports; i++)
		sought += path_is_sought(play->map, &play->map->ports[i]);
	assert_int_equal(sought, 1 + 16);
	assert_non_null(path_port_find(play->map, FIRST_PORT + 21));
	assert_int_equal(play->steer.counters.surveys, 1);
}

static void a_better_way_may_still_come(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play), *b = steering_open(play);
	struct steer_choice choice;

	play->map->state = PATH_ASKING;
	steering_learn(play, FIRST_PORT + 1, 0);
	steering_learn(play, FIRST_PORT + 2, 1);
	steering_learn(play, PORT, 1);
	assert_int_equal(steering_choose(play, a, &choice), STEER_ASK);
	steering_learn(play, PORT + 1, 2);
	assert_int_equal(steering_place(play, a), PORT + 1);
	assert_int_equal(steering_choose(play, b, &choice), STEER_ASK);
}

/* Another way through the same router of the tier before is not yet as good as can be. */
static void each_tier_is_waited_for(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play);
	struct steer_choice choice;

	play->map->state = PATH_ASKING;
	play->map->depth = 3;
	steering_learn_at(play, FIRST_PORT + 1, 2, 0x200);
	steering_learn_at(play, FIRST_PORT + 1, 3, 0x300);
	steering_learn_at(play, PORT, 3, 0x301);
	assert_int_equal(steering_choose(play, a, &choice), STEER_ASK);
	steering_learn_at(play, PORT, 2, 0x200);
	assert_int_equal(steering_choose(play, a, &choice), STEER_ASK);
	steering_learn_at(play, PORT + 1, 3, 0x302);
	assert_int_equal(steering_choose(play, a, &choice), STEER_ASK);
	steering_learn_at(play, PORT + 1, 2, 0x201);
	assert_int_equal(steering_place(play, a), PORT + 1);
	/* One passes each: the third cannot do better. */
	assert_int_equal(steering_place(play, a), PORT);
}

/* What is not split may never be: it is no reason to look for more. */
static void a_way_beside_one_that_is_whole_is_taken(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play);

	steering_open(play);
	steering_learn(play, FIRST_PORT + 1, 0);
	steering_learn(play, FIRST_PORT + 2, 1);
	steering_learn(play, PORT, 0);
	steering_learn(play, PORT + 1, 1);
	assert_int_equal(steering_place(play, a), PORT + 1);
}

static void sharing_takes_certainty(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play);
	struct steer_choice choice;

	steering_learn(play, FIRST_PORT + 1, 0);
	steering_learn(play, PORT, 0);
	assert_int_equal(steering_choose(play, a, &choice), STEER_ALL);
	play->map->is_thorough = true;
	assert_int_equal(steering_place(play, a), PORT);
	assert_int_equal(play->steer.counters.shared, 1);
}

/* Of several ways, who comes to a known map takes what is known: two probes at most are his. */
static void a_further_connection_shares_without_a_survey(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play), *b;
	struct steer_choice choice;

	steering_learn(play, FIRST_PORT + 1, 0);
	steering_learn(play, PORT, 1);
	assert_int_equal(steering_place(play, a), PORT);
	b = steering_open(play);
	steering_learn(play, FIRST_PORT + 2, 0);
	steering_learn(play, PORT + 1, 1);
	assert_int_equal(steering_place(play, b), PORT + 1);
	assert_int_equal(play->steer.counters.shared, 0);
	steering_learn(play, PORT + 2, 0);
	steering_learn(play, PORT + 3, 1);
	assert_int_equal(steering_choose(play, b, &choice), STEER_GO);
	play->map->is_partial = true;
	assert_int_equal(steering_choose(play, b, &choice), STEER_ALL);
	play->map->is_partial = b->has_asked_all = false;
	b->has_explored = true;
	assert_int_equal(steering_choose(play, b, &choice), STEER_ALL);
}

/* What was left last is the likeliest to be in TIME-WAIT. */
static void what_was_left_is_tried_where_nothing_else_is_as_good(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play);

	play->map->is_thorough = true;
	steering_learn(play, FIRST_PORT + 1, 0);
	for (uint16_t i = 0; i < 6; i++)
		steering_learn(play, PORT + i, i % 3);
	path_port_leave(path_port_find(play->map, PORT + 1), 1 * SECOND_NS);
	path_port_leave(path_port_find(play->map, PORT + 2), 3 * SECOND_NS);
	path_port_leave(path_port_find(play->map, PORT + 5), 2 * SECOND_NS);
	play->now_ns = 10 * SECOND_NS;
	assert_int_equal(steering_place(play, a), PORT + 4);
	assert_int_equal(steering_place(play, a), PORT + 5);
}

/* All its ports are in use: some more are asked for, a few at a time, whoever comes. */
static void a_free_port_of_a_better_way_is_looked_for(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play);
	struct steer_choice choice;

	play->map->is_thorough = true;
	steering_learn(play, FIRST_PORT + 1, 0);
	steering_learn(play, PORT, 0);
	steering_learn(play, PORT + 1, 1);
	play->now_ns = SECOND_NS;
	path_port_refuse(path_port_find(play->map, PORT + 1), play->now_ns);
	for (int i = 0; i < 8; i++)
		assert_int_equal(steering_choose(play, a, &choice), STEER_MORE);
	assert_int_equal(steering_choose(play, a, &choice), STEER_GO);
	assert_int_equal(choice.port, PORT);
	a->asked_more = 0;
	assert_int_equal(steering_choose(play, a, &choice), STEER_MORE);
	steering_learn(play, PORT + 2, 1);
	assert_int_equal(steering_place(play, a), PORT + 2);
	assert_int_equal(play->steer.counters.surveys, 9);
}

/* So it is before one is taken where somebody else of this host is. */
static void so_it_is_where_only_others_would_be_met(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play), *b = steering_open(play);
	struct steer_choice choice;

	play->map->is_thorough = true;
	steering_learn(play, FIRST_PORT + 1, 0);
	steering_learn(play, FIRST_PORT + 2, 2);
	steering_learn(play, PORT, 1);
	steering_learn(play, PORT + 1, 1);
	steering_learn(play, PORT + 2, 2);
	assert_int_equal(steering_place(play, b), PORT);
	/* All are somebody's now: there is nothing to look for. */
	a->has_asked_all = true;
	assert_int_equal(steering_choose(play, a, &choice), STEER_GO);
	steering_learn(play, PORT + 3, 3);
	assert_int_equal(steering_choose(play, a, &choice), STEER_GO);
	assert_int_equal(choice.port, PORT + 3);
	play->now_ns = SECOND_NS;
	path_port_refuse(path_port_find(play->map, PORT + 3), play->now_ns);
	assert_int_equal(steering_choose(play, a, &choice), STEER_MORE);
	steering_learn(play, PORT + 4, 3);
	assert_int_equal(steering_place(play, a), PORT + 4);
}

/* Found out: nothing more will be. It is not asked for again and again. */
static void what_cannot_be_known_is_done_without(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play);

	assert_int_equal(path_port_seek(play->map, FIRST_PORT + 1), 0);
	play->map->ports[0].is_sought = false;
	steering_learn(play, PORT, 0);
	assert_int_equal(steering_place(play, a), PORT);
}

static void what_nobody_can_tell_is_not_believed(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play);
	struct subflow *subflow;

	steering_learn(play, FIRST_PORT + 1, 0);
	steering_learn(play, PORT, 1);
	assert_int_equal(steering_place(play, a), PORT);
	steer_review(&play->steer, a);
	TAILQ_FOREACH (subflow, &a->subflows, entry)
		assert_true(path_is_set(&subflow->path));
	path_map_silence(play->map, "for a reason", 1);
	steer_review(&play->steer, a);
	TAILQ_FOREACH (subflow, &a->subflows, entry)
		assert_false(path_is_set(&subflow->path));
}

static void routes_that_change_move_the_load(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play);

	steering_learn(play, FIRST_PORT + 1, 0);
	for (uint16_t spine = 0; spine < 3; spine++)
		steering_learn(play, PORT + spine, spine);
	assert_int_equal(steering_place(play, a), PORT + 1);
	path_map_renew(play->map);
	play->map->depth = 2;
	play->map->state = PATH_KNOWN;
	steering_learn(play, FIRST_PORT + 1, 2);
	steering_learn(play, PORT + 1, 1);
	steering_learn(play, PORT + 2, 2);
	steering_learn(play, PORT + 3, 0);
	assert_int_equal(steering_place(play, a), PORT + 3);
}

/* The map is asked anew, and knows only the first routers yet. */
static void what_was_known_farther_stays_until_it_is_known_again(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play);
	struct subflow *first = TAILQ_FIRST(&a->subflows);
	struct steer_choice choice;
	struct router *core;

	play->map->depth = 3;
	steering_learn(play, FIRST_PORT + 1, 0);
	steering_learn_at(play, FIRST_PORT + 1, 3, 0x300);
	steering_learn(play, PORT, 1);
	steering_learn_at(play, PORT, 3, 0x301);
	assert_int_equal(steering_choose(play, a, &choice), STEER_GO);
	core = first->path.tiers[3];
	assert_non_null(core);
	path_map_renew(play->map);
	play->map->state = PATH_ASKING;
	play->map->depth = 2;
	steering_learn(play, FIRST_PORT + 1, 0);
	steering_choose(play, a, &choice);
	assert_ptr_equal(first->path.tiers[3], core);
	play->map->state = PATH_KNOWN;
	steering_choose(play, a, &choice);
	assert_null(first->path.tiers[3]);
	assert_int_equal(core->load, 0);
}

/* Routes change: what was asked too long ago is asked again. */
static void what_is_known_gets_old(void **state)
{
	static const struct {
		enum path_state state;
		bool is_partial;
		unsigned int age_s;
	} cases[] = {{PATH_KNOWN, false, 600}, {PATH_KNOWN, true, 60}, {PATH_SILENT, false, 60}};
	struct steering *play = *state;
	struct conn *a = steering_open(play);
	struct steer_choice choice;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		steering_learn(play, FIRST_PORT + 1, 0);
		steering_learn(play, PORT, 1);
		play->map->depth = 2;
		play->map->state = cases[i].state;
		play->map->is_partial = cases[i].is_partial;
		play->map->learned_ns = play->now_ns;
		play->now_ns += cases[i].age_s * SECOND_NS;
		assert_int_equal(steering_choose(play, a, &choice), STEER_GO);
		play->now_ns++;
		assert_int_equal(steering_choose(play, a, &choice), STEER_ASK);
		assert_int_equal(play->map->state, PATH_UNKNOWN);
	}
}

/* Ports drawn by lot: others may have been reserved since they were read. */
static void the_ports_of_a_namespace_are_read_now_and_then(void **state)
{
	struct ports ports = {.low = 40000, .high = 40001};
	struct steering *play = *state;
	struct conn *a = steering_open(play);
	struct steer_choice choice;

	play->steer.mode = STEER_RANDOM;
	assert_int_equal(steering_choose(play, a, &choice), STEER_MORE);
	/* It cannot be read: the kernel chooses. */
	assert_int_equal(steering_choose(play, a, &choice), STEER_GO);
	assert_int_equal(choice.port, 0);
	a->asked_more = 0;
	assert_int_equal(steer_set_ports(&play->steer, a->key.netns, &ports, play->now_ns), 0);
	play->now_ns += 10 * SECOND_NS;
	assert_int_equal(steering_choose(play, a, &choice), STEER_GO);
	assert_in_range(choice.port, 40000, 40001);
	play->now_ns++;
	assert_int_equal(steering_choose(play, a, &choice), STEER_MORE);
	ports_reserve(&ports, 40000, 40000);
	assert_int_equal(steer_set_ports(&play->steer, a->key.netns, &ports, play->now_ns), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(steering_choose(play, a, &choice), STEER_GO);
		assert_int_equal(choice.port, 40001);
	}
}

/* Its routers are silent: a survey would tell nothing of it. */
static void where_nothing_can_be_found_out_nothing_is_sought(void **state)
{
	struct steering *play = *state;
	struct conn *conn = steering_open(play);
	struct subflow *first = TAILQ_FIRST(&conn->subflows);
	struct steer_choice choice;

	path_map_silence(play->map, "no router on the way answers", play->now_ns);
	assert_false(steer_seek(&play->steer, conn, first, play->now_ns));
	assert_int_equal(steer_find_better(&play->steer, conn, first, false, play->now_ns, &choice),
		STEER_ALONE);
	assert_int_equal(play->map->n_ports, 0);
	assert_int_equal(play->steer.counters.surveys, 0);
	play->map->state = PATH_KNOWN;
	assert_true(steer_seek(&play->steer, conn, first, play->now_ns));
	assert_int_equal(play->map->n_ports, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, steering_begin, steering_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ways_of_others_are_left_to_them),
		TEST(split_connections_weigh_more_than_whole_ones),
		TEST(what_is_not_known_is_sought),
		TEST(a_better_way_may_still_come),
		TEST(each_tier_is_waited_for),
		TEST(a_way_beside_one_that_is_whole_is_taken),
		TEST(sharing_takes_certainty),
		TEST(a_further_connection_shares_without_a_survey),
		TEST(what_was_left_is_tried_where_nothing_else_is_as_good),
		TEST(a_free_port_of_a_better_way_is_looked_for),
		TEST(so_it_is_where_only_others_would_be_met),
		TEST(what_cannot_be_known_is_done_without),
		TEST(what_nobody_can_tell_is_not_believed),
		TEST(routes_that_change_move_the_load),
		TEST(what_is_known_gets_old),
		TEST(the_ports_of_a_namespace_are_read_now_and_then),
		TEST(what_was_known_farther_stays_until_it_is_known_again),
		TEST(where_nothing_can_be_found_out_nothing_is_sought),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
