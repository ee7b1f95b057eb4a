/* SPDX-License-Identifier: MIT */
/* Where nothing comes up in place of what has died, others are tried, the more so where none is
 * left. */
#include "mute.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>

static void ends(struct play *play, uint16_t port, int reset_reason)
{
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(port),
				.remote = play_remote(),
				.error = ECONNRESET,
				.reset_reason = reset_reason});
}

static void is_reset(struct play *play, uint16_t port)
{
	ends(play, port, RESET_PROHIBITED);
}

/* One that was up is reset, and its peer does not say why. */
static void dies(struct play *play, uint16_t port)
{
	ends(play, port, -1);
}

static void both_die(struct play *play)
{
	dies(play, LOCAL_PORT);
	dies(play, LOCAL_PORT + 1);
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
		is_reset(play, subflow->local.port ? subflow->local.port : LOCAL_PORT + 9);
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

static void what_is_refused_is_tried_again_for_a_minute(void **state)
{
	static const unsigned int rests_s[] = {1, 2, 4, 8, 8, 8, 8, 8, 8};
	struct play *play = *state;
	unsigned int creates = 3;

	play_death(play);
	play_refusals(play);
	for (size_t i = 0; i < sizeof(rests_s) / sizeof(*rests_s); i++) {
		play_refused_for(play, rests_s[i] * S - 1, creates);
		play_refused_for(play, 1, ++creates);
	}
	play_refused_for(play, 3600 * S, creates);
	assert_false(play_step(play, UINT64_MAX));
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
		"its last subflow has died, and nothing has come up in its place: tried again, for "
		"another 53 s"));
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
	is_reset(play, LOCAL_PORT + 2);
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
	is_reset(play, play->create.local.port);
	assert_int_equal(play->creates, 1);
	dies(play, LOCAL_PORT);
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
	is_reset(play, LOCAL_PORT + 2);
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
	is_reset(play, LOCAL_PORT + 9);
	for (int i = 0; i < 60; i++) {
		if (!TAILQ_FIRST(&play_conn(play)->subflows)) {
			mute_pass(play, S);
			continue;
		}
		play_joined(play, port);
		mute_pass(play, S);
		dies(play, port++);
	}
	assert_true(play->plan.counters.repairs_denied > 0);
	assert_in_range(play->plan.counters.repairs, 5 * REPAIR_MOST, 7 * REPAIR_MOST);
}

/* Four subflows, of which a firewall that starts anew resets all but the first. */
static void play_three_deaths(struct play *play)
{
	play_connect_with(play, 3);
	mute_pass(play, 2 * S);
	for (uint16_t port = LOCAL_PORT + 1; port <= LOCAL_PORT + 3; port++)
		dies(play, port);
	assert_int_equal(play->creates, 6);
}

/* The firewall refuses what is under way. */
static void play_refuse_opening(struct play *play)
{
	struct subflow *subflow = NULL, *next;

	for (subflow = TAILQ_FIRST(&play_conn(play)->subflows); subflow; subflow = next) {
		next = TAILQ_NEXT(subflow, entry);
		if (subflow->state == SUBFLOW_OPENING)
			dies(play, LOCAL_PORT + 9);
	}
}

static void what_is_refused_beside_others_is_not_forgotten(void **state)
{
	struct play *play = *state;

	play_three_deaths(play);
	play_refuse_opening(play);
	play_assert_subflows(play, 1, 0, 0);
	assert_int_equal(conn_count_all(play_conn(play)), 4);
	mute_pass(play, S - 1);
	assert_int_equal(play->creates, 6);
	/* One shows whether the others may, as soon as it is answered. */
	mute_pass(play, 1 + SILENCE_NS - 1);
	assert_int_equal(play->creates, 7);
	play_refuse_opening(play);
	mute_pass(play, 2 * S);
	assert_int_equal(play->creates, 8);
	for (uint16_t port = LOCAL_PORT + 4; port <= LOCAL_PORT + 6; port++) {
		play_joined(play, port);
		mute_pass(play, 10 * S);
	}
	play_assert_subflows(play, 4, 0, 0);
	mute_pass(play, 3600 * S);
	assert_int_equal(play->creates, 10);
}

/* Each rest is twice as long as the one before, up to a minute or so; and there is no end. */
static void where_none_comes_up_rests_grow(void **state)
{
	struct play *play = *state;
	unsigned int creates;

	play_three_deaths(play);
	play_refuse_opening(play);
	for (uint64_t rest_s = 1; rest_s <= 64; rest_s *= 2) {
		creates = play->creates;
		mute_pass(play, rest_s * S - 1);
		assert_int_equal(play->creates, creates);
		mute_pass(play, 1);
		assert_int_equal(play->creates, creates + 1);
		play_refuse_opening(play);
	}
	creates = play->creates;
	mute_pass(play, 64 * S);
	assert_int_equal(play->creates, creates + 1);
}

/* That it comes up for a moment is no reason to hurry. */
static void nor_is_one_that_is_up_for_a_moment_a_success(void **state)
{
	struct play *play = *state;

	play_three_deaths(play);
	play_refuse_opening(play);
	for (int i = 0; i < 120; i++) {
		mute_pass(play, S);
		if (!conn_find_opening(play_conn(play), &play->create.local, &play->create.remote))
			continue;
		play_joined(play, LOCAL_PORT + 4);
		dies(play, LOCAL_PORT + 4);
	}
	assert_in_range(play->creates, 6 + 5, 6 + 7);
}

static void what_the_peer_refuses_for_good_is_not_missing(void **state)
{
	struct play *play = *state;

	play_three_deaths(play);
	for (int i = 0; i < 3; i++)
		is_reset(play, LOCAL_PORT + 9);
	mute_pass(play, 3600 * S);
	assert_int_equal(play->creates, 6);
	assert_int_equal(conn_count_all(play_conn(play)), 1);
}

/* Who takes one away means those that are there. */
static void nor_is_what_the_application_wants_no_more(void **state)
{
	struct play *play = *state;

	play_three_deaths(play);
	play_joined(play, LOCAL_PORT + 4);
	play_refuse_opening(play);
	play_assert_subflows(play, 2, 0, 0);
	play_intent(play, 3, 1);
	assert_int_equal(play->destroys, 1);
	play_left(play, play->destroy.local.port);
	mute_pass(play, 3600 * S);
	assert_int_equal(play->creates, 6);
	play_assert_subflows(play, 1, 0, 0);
}

/* The hooks count those that are there: a number in all has those that have died in it already. */
static void a_total_has_what_is_missing_in_it(void **state)
{
	struct play *play = *state;
	struct event event = {.kind = EVENT_INTENT, .generation = 2, .totals = 1, .adds = 3 + 2};

	play_three_deaths(play);
	play_refuse_opening(play);
	play_hear(play, event);
	for (uint16_t port = LOCAL_PORT + 4; port <= LOCAL_PORT + 5; port++)
		play_joined(play, port);
	mute_pass(play, 3600 * S);
	play_assert_subflows(play, 3, 0, 0);
	/* What dies from there on is missing again, whatever is heard twice. */
	dies(play, LOCAL_PORT + 5);
	play_refuse_opening(play);
	play_hear(play, event);
	mute_pass(play, 2 * S);
	play_joined(play, LOCAL_PORT + 6);
	play_assert_subflows(play, 3, 0, 0);
	/* And so it is until a total is set again, which may need none. */
	dies(play, LOCAL_PORT + 6);
	play_refuse_opening(play);
	event.generation++;
	event.totals++;
	play_hear(play, event);
	mute_pass(play, 3600 * S);
	play_assert_subflows(play, 2, 0, 0);
}

/* Nor does what is wanted for others come beside it: the hooks do not know of that either. */
static void a_total_has_what_is_wanted_in_it(void **state)
{
	struct play *play = *state;

	play->plan.steer.mode = STEER_PATHS;
	play_connect(play);
	/* It waits for paths. */
	play_threshold(play, 100);
	assert_int_equal(play->creates, 0);
	play_hear(play,
		(struct event){.kind = EVENT_INTENT, .generation = 1, .totals = 1, .adds = 3});
	assert_int_equal(conn_count_all(play_conn(play)), 4);
	mute_pass(play, 60 * S);
	assert_int_equal(play->creates, 3);
}

/* The budget is what one moment may have: what it denies comes later. */
static void what_the_budget_denies_comes_later(void **state)
{
	struct play *play = *state;
	uint16_t port = LOCAL_PORT + 16;

	play->plan.max_subflows = 16;
	play->plan.news.is_wanted = true;
	play_connect_with(play, 15);
	mute_pass(play, 2 * S);
	for (uint16_t i = 1; i <= 15; i++)
		dies(play, LOCAL_PORT + i);
	assert_int_equal(play->creates, 15 + REPAIR_MOST);
	assert_int_equal(play->plan.counters.repairs_denied, 15 - REPAIR_MOST);
	assert_non_null(strstr(play_conn(play)->why,
		"a subflow died, and nothing is opened in its place yet: 8 were replaced in 10 s"));
	for (int i = 0; i < REPAIR_MOST; i++)
		play_joined(play, port++);
	mute_pass(play, REPAIR_WINDOW_NS - 1);
	assert_int_equal(play->creates, 15 + REPAIR_MOST);
	for (int i = 0; i < 15 - REPAIR_MOST; i++) {
		mute_pass(play, S);
		play_joined(play, port++);
	}
	mute_pass(play, 3600 * S);
	assert_int_equal(play->creates, 2 * 15);
	play_assert_subflows(play, 16, 0, 0);
	assert_int_equal(play->plan.counters.repairs, 15);
}

/* Of others the destination has refused many: for a while none is tried there, and then it is. */
static void what_is_withheld_comes_after_the_hold(void **state)
{
	struct refusal refusal = {.reset_reason = -1};
	struct endpoint remote = play_remote();
	struct play *play = *state;

	play->plan.refusals.rule = (struct refusals_rule){.most = 1, .hold_ns = 600 * S};
	play_connect_with(play, 1);
	mute_pass(play, 2 * S);
	refusals_note(&play->plan.refusals, play->key.netns, &remote, &refusal, play->now_ns);
	play_meddle(play);
	dies(play, LOCAL_PORT + 1);
	assert_int_equal(play->creates, 1);
	mute_pass(play, 600 * S - 1);
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->plan.counters.withheld, 1);
	mute_pass(play, 1);
	assert_int_equal(play->creates, 2);
	play_joined(play, LOCAL_PORT + 2);
	mute_pass(play, 3600 * S);
	play_assert_subflows(play, 2, 0, 0);
}

/* There is no route for a while. */
static void what_the_kernel_does_not_open_is_not_forgotten(void **state)
{
	struct play *play = *state;

	play_connect_with(play, 1);
	mute_pass(play, 2 * S);
	play->create_error = ENETUNREACH;
	dies(play, LOCAL_PORT + 1);
	mute_pass(play, 2 * S);
	assert_int_equal(play->creates, 3);
	play->create_error = 0;
	mute_pass(play, 2 * S);
	assert_int_equal(play->creates, 4);
	play_joined(play, LOCAL_PORT + 2);
	play_assert_subflows(play, 2, 0, 0);
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
	dies(play, LOCAL_PORT + 1);
	assert_int_equal(play->creates, 2);
	assert_opened_to(play, &first);
	dies(play, LOCAL_PORT);
	assert_int_equal(play->creates, 3);
	assert_opened_to(play, &other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mute_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_refused_is_tried_again_for_a_minute),
		TEST(when_one_comes_up_the_others_follow),
		TEST(one_that_is_up_for_a_moment_does_not),
		TEST(what_has_come_up_and_ends_in_good_order_is_not_replaced),
		TEST(where_nobody_answers_others_are_tried_for_as_long),
		TEST(a_destination_that_is_left_alone_is_asked_all_the_same),
		TEST(the_kernel_that_opens_none_is_asked_again),
		TEST(it_makes_no_storm),
		TEST(what_is_refused_beside_others_is_not_forgotten),
		TEST(where_none_comes_up_rests_grow),
		TEST(nor_is_one_that_is_up_for_a_moment_a_success),
		TEST(what_the_peer_refuses_for_good_is_not_missing),
		TEST(nor_is_what_the_application_wants_no_more),
		TEST(a_total_has_what_is_missing_in_it),
		TEST(a_total_has_what_is_wanted_in_it),
		TEST(what_the_budget_denies_comes_later),
		TEST(what_is_withheld_comes_after_the_hold),
		TEST(what_the_kernel_does_not_open_is_not_forgotten),
		TEST(the_peer_s_addresses_are_tried_by_turns),
		TEST(where_two_are_not_answered_the_next_is_tried),
		TEST(a_repair_goes_where_one_lives),
		TEST(what_ended_in_good_order_is_not_tried_again),
		TEST(nor_what_is_over_or_where_repair_is_off),
	};

	return cmocka_run_group_tests_name("plan_revival", tests, NULL, NULL);
}
