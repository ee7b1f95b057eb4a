/* SPDX-License-Identifier: MIT */
/* Ways that have failed: which they are, and when they are taken all the same. */
#include "steering.h"

/* As a subflow that is up. */
static struct subflow *put(struct steering *play, struct conn *conn, uint16_t port)
{
	struct path_port *known = path_port_find(play->map, port);
	const struct steer_choice choice = {.port = port, .path = path_of(play->map, known)};
	struct subflow *subflow = conn_add_subflow(conn);

	subflow->state = SUBFLOW_ESTABLISHED;
	subflow->local = steering_endpoint(1, port);
	subflow->remote = steering_endpoint(2, 80);
	steer_take(&play->steer, conn, subflow, &choice);
	return subflow;
}

/* A path that is known to be dead is worse than a port that may be in TIME-WAIT. */
static void a_way_that_has_failed_is_the_last_to_be_taken(void **state)
{
	struct steering *play = *state;
	struct endpoint local = steering_endpoint(1, 0), remote = steering_endpoint(2, 80);
	struct conn *a = steering_open(play);
	struct steer_choice choice;
	struct path path;

	play->map->is_thorough = true;
	steering_learn(play, FIRST_PORT + 1, 0);
	steering_learn(play, PORT, 1);
	steering_learn(play, PORT + 1, 2);
	path_port_leave(path_port_find(play->map, PORT + 1), 9 * SECOND_NS);
	path = path_of(play->map, path_port_find(play->map, PORT));
	path.tiers[2]->shunned_until_ns = 20 * SECOND_NS;
	play->now_ns = 10 * SECOND_NS;
	assert_int_equal(steering_place(play, a), PORT + 1);
	/* Another port of one that lives is looked for before it, if there is time. */
	assert_int_equal(steering_choose(play, a, &choice), STEER_MORE);
	assert_int_equal(
		steer_choose(&play->steer, a, &local, &remote, true, play->now_ns, &choice),
		STEER_GO);
	assert_int_equal(choice.port, PORT);
	steering_learn(play, PORT + 2, 0);
	assert_int_equal(steering_place(play, a), PORT + 2);
}

/* Of two ways that have failed at once, one may only have been slow: who lives there shows it. */
static void where_all_have_failed_the_way_of_one_that_lives_is_taken(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play);
	struct subflow *sibling;
	struct path path;

	conn_remove_subflow(a, TAILQ_FIRST(&a->subflows));
	steering_learn(play, PORT, 0);
	steering_learn(play, PORT + 1, 1);
	steering_learn(play, PORT + 2, 1);
	play->map->is_thorough = true;
	for (uint16_t port = PORT; port < PORT + 2; port++) {
		path = path_of(play->map, path_port_find(play->map, port));
		path.tiers[2]->shunned_until_ns = 20 * SECOND_NS;
	}
	play->now_ns = 10 * SECOND_NS;
	assert_int_equal(steering_choose_port(play, a), PORT);
	sibling = put(play, a, PORT + 1);
	assert_int_equal(steering_choose_port(play, a), PORT + 2);
	/* Not if it is silent itself, nor before it is up. */
	sibling->is_silent = true;
	assert_int_equal(steering_choose_port(play, a), PORT);
	sibling->is_silent = false;
	sibling->state = SUBFLOW_OPENING;
	assert_int_equal(steering_choose_port(play, a), PORT);
	sibling->state = SUBFLOW_ESTABLISHED;
	assert_int_equal(steering_choose_port(play, a), PORT + 2);
	/* One that has not failed comes first. */
	steering_learn(play, PORT + 3, 2);
	assert_int_equal(steering_choose_port(play, a), PORT + 3);
}

/* Two routers, with two more behind each: an end of a fat-tree. Ports 0 and 1 take the first. */
static void learn_fat_tree(struct steering *play)
{
	play->map->depth = 3;
	play->map->is_thorough = true;
	for (uint16_t core = 0; core < 4; core++) {
		steering_learn_at(play, PORT + core, 1, 0x100);
		steering_learn_at(play, PORT + core, 2, 0x200 + core / 2);
		steering_learn_at(play, PORT + core, 3, 0x300 + core);
	}
	steering_learn_at(play, FIRST_PORT + 1, 1, 0x100);
	steering_learn_at(play, FIRST_PORT + 1, 2, 0x201);
	steering_learn_at(play, FIRST_PORT + 1, 3, 0x303);
}

static bool is_shunned(struct steering *play, uint16_t port)
{
	struct path path = path_of(play->map, path_port_find(play->map, port));

	return path_shunned_until_ns(&path) > play->now_ns;
}

/* The way that failed may have done so at any router but those that others of it pass. */
static void what_no_living_sibling_passes_is_shunned(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play);
	struct subflow *dead;

	learn_fat_tree(play);
	TAILQ_FIRST(&a->subflows)->state = SUBFLOW_ESTABLISHED;
	TAILQ_FIRST(&a->subflows)->path = path_of(play->map, path_port_find(play->map, PORT + 3));
	path_load(&TAILQ_FIRST(&a->subflows)->path, false);
	dead = put(play, a, PORT);
	steer_shun(&play->steer, a, dead, play->now_ns);
	assert_true(is_shunned(play, PORT));
	assert_true(is_shunned(play, PORT + 1));
	assert_false(is_shunned(play, PORT + 2));
	assert_false(is_shunned(play, PORT + 3));
	/* So the next one takes what is left, though the other way is as free. */
	assert_int_equal(steering_place(play, a), PORT + 2);
}

static void what_a_living_sibling_passes_is_not(void **state)
{
	struct steering *play = *state;
	struct conn *a = steering_open(play);
	struct subflow *dead, *sibling;

	learn_fat_tree(play);
	conn_remove_subflow(a, TAILQ_FIRST(&a->subflows));
	dead = put(play, a, PORT);
	/* Of one alone nobody can tell. */
	steer_shun(&play->steer, a, dead, play->now_ns);
	assert_true(is_shunned(play, PORT));
	assert_false(is_shunned(play, PORT + 1));
	sibling = put(play, a, PORT + 1);
	steer_shun(&play->steer, a, dead, play->now_ns);
	assert_false(is_shunned(play, PORT + 1));
	/* Nor where it is not known what the living one passes. */
	path_unload(&sibling->path, false);
	put(play, a, PORT + 2);
	steer_shun(&play->steer, a, dead, play->now_ns);
	assert_false(is_shunned(play, PORT + 1));
	conn_remove_subflow(a, sibling);
	steer_shun(&play->steer, a, dead, play->now_ns);
	assert_true(is_shunned(play, PORT + 1));
	/* It passes. */
	play->now_ns += HOLD_NS - 1;
	assert_true(is_shunned(play, PORT));
	play->now_ns++;
	assert_false(is_shunned(play, PORT));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, steering_begin, steering_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_way_that_has_failed_is_the_last_to_be_taken),
		TEST(where_all_have_failed_the_way_of_one_that_lives_is_taken),
		TEST(what_no_living_sibling_passes_is_shunned),
		TEST(what_a_living_sibling_passes_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
