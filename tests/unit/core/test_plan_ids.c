/* SPDX-License-Identifier: MIT */
/* The 256 address ids of a connection, none of which is used twice. */
#include <errno.h>

#include "play.h"

/* ADD: @adds of 10.0.0.2 so far, from any port, and of @numbers. */
static void ask(struct play *play, uint16_t adds, uint32_t numbers)
{
	play->wishes.is_restricted = true;
	play->numbers = numbers;
	play_wish(play, 0, 2, 0, adds);
	play_tell(play);
}

/* Each port that is tried takes one, be it that it was drawn before. */
static void the_last_ports_are_the_kernels_choice(void **state)
{
	static const struct ports ports = {.low = 40000, .high = 49999};
	struct play *play = *state;
	unsigned int blind = 0;

	play_connect(play);
	play->plan.steer.mode = STEER_RANDOM;
	assert_int_equal(
		steer_set_ports(&play->plan.steer, play->key.netns, &ports, play->now_ns), 0);
	play->create_error = EADDRNOTAVAIL;
	for (uint16_t adds = 1; adds <= 300; adds++) {
		ask(play, adds, 0);
		assert_int_equal(play->creates, adds);
		if (!play->create.local.port)
			assert_int_equal(play->create.id, 1);
		blind += !play->create.local.port;
	}
	assert_in_range(blind, 10, 50);
	assert_int_equal(play_conn(play)->ids.count, 256);
}

/* All ids are of something else. */
static void spend(struct play *play)
{
	static const struct endpoint other;

	play_meddle(play);
	play_created(play);
	assert_int_equal(ids_note(&play_conn(play)->ids, &other, 255), 0);
	play_established(play);
}

static void assert_spent(struct play *play, uint64_t failures)
{
	assert_int_equal(play->creates, 0);
	assert_int_equal(play->plan.counters.create_failures, failures);
	assert_string_equal(play_conn(play)->why,
		"no subflow from 10.0.0.2:0: the 256 address ids of its connection are used up");
	play_assert_subflows(play, 1, 0, 0);
	assert_false(play_wait(play));
}

static void what_has_no_id_is_given_up(void **state)
{
	struct play *play = *state;

	spend(play);
	ask(play, 2, 0);
	assert_int_equal(play->receipt.wishes[0].done, 2);
	assert_spent(play, 2);
	ask(play, 2, 3);
	play_assert_receipt(play, 3, 0);
	assert_spent(play, 5);
	play_threshold(play, 100);
	assert_int_equal(play_conn(play)->n_passed, 0);
	assert_spent(play, 6);
}

static void so_is_what_a_full_mesh_lacks(void **state)
{
	struct play *play = *state;

	play->plan.policy.fullmesh = true;
	play->locals[0] = play_local(0);
	play->locals[1] = play_from(2, 0);
	play->n_locals = 2;
	spend(play);
	assert_spent(play, 1);
	play_established(play);
	assert_spent(play, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_last_ports_are_the_kernels_choice),
		TEST(what_has_no_id_is_given_up),
		TEST(so_is_what_a_full_mesh_lacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
