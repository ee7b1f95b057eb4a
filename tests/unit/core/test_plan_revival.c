/* SPDX-License-Identifier: MIT */
/* Where the last subflow has died others are tried, and where to: as long as the kernel waits. */
#include "mute.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>

static void both_die(struct play *play)
{
	mute_dies(play, LOCAL_PORT);
	mute_dies(play, LOCAL_PORT + 1);
}

/* Both subflows are reset at once; two others are opened in their place. */
static void play_death(struct play *play)
{
	play_connect_with(play, 1);
	mute_pass(play, 2 * S);
	both_die(play);
	assert_int_equal(play->creates, 3);
}

/* The peer resets each join that is under way. */
static void play_refusals(struct play *play)
{
	struct subflow *subflow;

	while ((subflow = TAILQ_FIRST(&play_conn(play)->subflows)))
		mute_is_reset(play, subflow->local.port ? subflow->local.port : LOCAL_PORT + 9);
}

/* So much time passes, and then so many have been opened in all. */
static void play_refused_for(struct play *play, uint64_t ns, unsigned int creates)
{
	uint64_t end_ns = play->now_ns + ns;

	while (play_step(play, end_ns))
		play_refusals(play);
	play->now_ns = end_ns;
	assert_int_equal(play->creates, creates);
}

static void what_is_refused_is_tried_again_while_the_kernel_waits(void **state)
{
	static const unsigned int rests_s[] = {1, 2, 4, 8, 8, 8, 8, 8, 8, 8};
	struct play *play = *state;
	unsigned int creates = 3;

	play_death(play);
	play_refusals(play);
	for (size_t i = 0; i < sizeof(rests_s) / sizeof(*rests_s); i++) {
		play_refused_for(play, rests_s[i] * S - 1, creates);
		play_refused_for(play, 1, ++creates);
	}
	/* Beyond what it waits by default it is not known how long: seldom, until it is over. */
	for (int i = 0; i < 60; i++) {
		play_refused_for(play, 64 * S - 1, creates);
		play_refused_for(play, 1, ++creates);
	}
	assert_int_equal(play->plan.counters.repairs, creates - 1);
	/* Of that it is not heard whether the destination takes joins of others. */
	assert_null(play->plan.refusals.entries);
	assert_null(play->plan.full.entries);
	assert_int_equal(play->plan.counters.refused_by_peer, creates - 1);
}

/* The others follow, one after the other: the peer takes joins again. */
static void when_one_comes_up_the_others_follow(void **state)
{
	struct play *play = *state;

	play_death(play);
	play_refusals(play);
	play_refused_for(play, 3 * S, 5);
	mute_pass(play, 4 * S);
	assert_int_equal(play->creates, 6);
	assert_non_null(strstr(play_conn(play)->why,
		"its last subflow has died, and nothing has come up in its place: tried again"));
	play_joined(play, LOCAL_PORT + 2);
	mute_pass(play, S - 1);
	assert_int_equal(play->creates, 6);
	mute_pass(play, 1);
	assert_int_equal(play->creates, 7);
	assert_string_equal(play_conn(play)->why,
		"1 of its subflows have died and were not replaced: one is tried again");
	play_joined(play, LOCAL_PORT + 3);
	mute_pass(play, 3600 * S);
	assert_int_equal(play->creates, 7);
	play_assert_subflows(play, 2, 0, 0);
	play_assert_receipt(play, 1, 0);
}

/* A path manager that nobody listens to answers the SYN, and resets the third packet. */
static void one_that_is_up_for_a_moment_does_not(void **state)
{
	struct play *play = *state;

	play_death(play);
	play_refusals(play);
	mute_pass(play, S);
	assert_int_equal(play->creates, 4);
	play_joined(play, LOCAL_PORT + 2);
	mute_pass(play, S / 2);
	mute_is_reset(play, LOCAL_PORT + 2);
	mute_pass(play, 2 * S);
	assert_int_equal(play->creates, 5);
}

/* Its death is past: what the one that came up since then ends with is what counts. */
static void what_has_come_up_and_ends_in_good_order_is_not_replaced(void **state)
{
	struct play *play = *state;

	play_death(play);
	play_refusals(play);
	mute_pass(play, S);
	assert_int_equal(play->creates, 4);
	play_joined(play, LOCAL_PORT + 2);
	mute_pass(play, 2 * S);
	play_joined(play, LOCAL_PORT + 3);
	mute_pass(play, 2 * S);
	play_left(play, LOCAL_PORT + 2);
	play_left(play, LOCAL_PORT + 3);
	mute_pass(play, 3600 * S);
	assert_int_equal(play->creates, 5);
}

static void where_nobody_answers_others_are_tried_for_as_long(void **state)
{
	struct play *play = *state;
	unsigned int creates;

	mute_know(play);
	play_connect(play);
	play_intent(play, 1, 0);
	play_joined(play, play->create.local.port);
	mute_pass(play, 2 * S);
	mute_is_reset(play, play->create.local.port);
	assert_int_equal(play->creates, 1);
	mute_dies(play, LOCAL_PORT);
	creates = play->creates;
	assert_int_equal(creates, 2);
	mute_pass(play, REVIVAL_NS - 1);
	assert_true(play->creates > creates + SILENCE_MOST);
	assert_in_range(play->creates, creates + SILENCE_MOST, creates + REVIVAL_NS / SILENCE_NS);
	creates = play->creates;
	/* The last one is the kernel's. */
	mute_pass(play, 3600 * S);
	assert_in_range(play->creates, creates, creates + 1);
	play_assert_subflows(play, 0, 1, 0);
}

static void a_destination_that_is_left_alone_is_asked_all_the_same(void **state)
{
	struct play *play = *state;
	struct endpoint remote = play_remote();

	play->plan.refusals.rule = (struct refusals_rule){.most = 1, .hold_ns = 600 * S};
	play_connect_with(play, 1);
	mute_pass(play, 2 * S);
	play_intent(play, 2, 0);
	mute_is_reset(play, LOCAL_PORT + 2);
	assert_non_null(
		refusals_find_held(&play->plan.refusals, play->key.netns, &remote, play->now_ns));
	both_die(play);
	/* While another one lives, none is. */
	assert_int_equal(play->plan.counters.withheld, 1);
	assert_int_equal(play->creates, 3);
	play_refusals(play);
	play_refused_for(play, S, 4);
}

static void the_kernel_that_opens_none_is_asked_again(void **state)
{
	struct play *play = *state;

	play_death(play);
	play_refusals(play);
	play->create_error = ENETUNREACH;
	play_refused_for(play, S, 4);
	play_refused_for(play, 2 * S, 5);
	play->create_error = 0;
	mute_pass(play, 4 * S);
	play_joined(play, LOCAL_PORT + 2);
	play_assert_subflows(play, 1, 0, 0);
}

/* Each lives for a second, and no longer: there is one budget for all repairs. */
static void it_makes_no_storm(void **state)
{
	struct play *play = *state;
	uint16_t port = LOCAL_PORT + 2;

	play_death(play);
	mute_is_reset(play, LOCAL_PORT + 9);
	for (int i = 0; i < 60; i++) {
		if (!TAILQ_FIRST(&play_conn(play)->subflows)) {
			mute_pass(play, S);
			continue;
		}
		play_joined(play, port);
		mute_pass(play, S);
		mute_dies(play, port++);
	}
	assert_true(play->plan.counters.repairs_denied > 0);
	assert_in_range(play->plan.counters.repairs, 5 * REPAIR_MOST, 7 * REPAIR_MOST);
}

static void what_ended_in_good_order_is_not_tried_again(void **state)
{
	struct play *play = *state;

	play_connect_with(play, 1);
	mute_pass(play, 2 * S);
	play_left(play, LOCAL_PORT + 1);
	play_left(play, LOCAL_PORT);
	mute_pass(play, 3600 * S);
	assert_int_equal(play->creates, 1);
}

static void nor_what_is_over_or_where_repair_is_off(void **state)
{
	struct play *play = *state;

	play_death(play);
	play_refusals(play);
	play->plan.does_repair = false; /* as by SIGHUP */
	play_refused_for(play, 3600 * S, 3);
	play->plan.does_repair = true;
	play_closed(play);
	assert_false(play_wait(play));
	play->creates = 0;
	play_death(play);
}

/* Another address of the peer, which it announces. */
static struct endpoint play_announced(struct play *play, uint8_t id)
{
	struct endpoint other = play_remote();

	other.v4.s_addr = htonl(ntohl(other.v4.s_addr) + id);
	play_hear(play, (struct event){.kind = EVENT_ANNOUNCED, .id = id, .remote = other});
	return other;
}

static void assert_opened_to(const struct play *play, const struct endpoint *remote)
{
	assert_true(endpoint_is_equal(&play->create.remote, remote));
}

/* The first one may be down, and the connection ends if it is not left. */
static void the_peer_s_addresses_are_tried_by_turns(void **state)
{
	struct endpoint ends[2] = {play_remote()};
	struct play *play = *state;

	play_death(play);
	ends[1] = play_announced(play, 1);
	assert_opened_to(play, &ends[0]);
	play_refusals(play);
	for (unsigned int i = 1; i <= 4; i++) {
		mute_pass(play, MIN(1u << (i - 1), 8) * S);
		assert_int_equal(play->creates, 3 + i);
		assert_opened_to(play, &ends[i % 2]);
		play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
					.local = play_local(LOCAL_PORT + 9),
					.remote = play->create.remote,
					.error = ECONNRESET,
					.reset_reason = RESET_PROHIBITED});
	}
}

/* Its peer denies joins to its first address, and the way to the next is dead, not that to others.
 */
static void where_two_are_not_answered_the_next_is_tried(void **state)
{
	struct play *play = *state;
	struct endpoint second, third, local;

	play->plan.steer.mode = STEER_RANDOM;
	play_hear(play, (struct event){.kind = EVENT_ESTABLISHED,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.denies_join = true});
	second = play_announced(play, 1);
	third = play_announced(play, 2);
	play_intent(play, 1, 0);
	assert_opened_to(play, &second);
	local = play->create.local;
	play_hear(
		play, (struct event){
			      .kind = EVENT_SUBFLOW_ESTABLISHED, .local = local, .remote = second});
	play_hear(play, (struct event){.kind = EVENT_TIMEOUT, .local = local, .remote = second});
	assert_int_equal(play->creates, 2);
	assert_opened_to(play, &second);
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 3);
	assert_opened_to(play, &second);
	mute_pass(play, SILENCE_NS);
	assert_int_equal(play->creates, 4);
	assert_opened_to(play, &third);
}

/* That the near address lives says nothing of the far one. */
static void a_repair_goes_where_one_lives(void **state)
{
	struct endpoint first = play_remote(), other;
	struct play *play = *state;

	play_connect_with(play, 1);
	other = play_announced(play, 1);
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_ESTABLISHED,
				.local = play_local(LOCAL_PORT + 2),
				.remote = other});
	mute_pass(play, 2 * S);
	mute_dies(play, LOCAL_PORT + 1);
	assert_int_equal(play->creates, 2);
	assert_opened_to(play, &first);
	mute_dies(play, LOCAL_PORT);
	assert_int_equal(play->creates, 3);
	assert_opened_to(play, &other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mute_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_refused_is_tried_again_while_the_kernel_waits),
		TEST(when_one_comes_up_the_others_follow),
		TEST(one_that_is_up_for_a_moment_does_not),
		TEST(what_has_come_up_and_ends_in_good_order_is_not_replaced),
		TEST(where_nobody_answers_others_are_tried_for_as_long),
		TEST(a_destination_that_is_left_alone_is_asked_all_the_same),
		TEST(the_kernel_that_opens_none_is_asked_again),
		TEST(it_makes_no_storm),
		TEST(the_peer_s_addresses_are_tried_by_turns),
		TEST(where_two_are_not_answered_the_next_is_tried),
		TEST(a_repair_goes_where_one_lives),
		TEST(what_ended_in_good_order_is_not_tried_again),
		TEST(nor_what_is_over_or_where_repair_is_off),
	};

	return cmocka_run_group_tests_name("plan_revival", tests, NULL, NULL);
}
