/* SPDX-License-Identifier: MIT */
/* Connections that the kernel lists and nobody has told of. */
#include "core/adoption.h"

#include "play.h"

#include <errno.h>
#include <string.h>

static void list(struct play *play)
{
	play_hear(play, (struct event){.kind = EVENT_FOUND,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote()});
}

static void list_opening(struct play *play, uint16_t port)
{
	play_hear(play, (struct event){.kind = EVENT_FOUND_SUBFLOW,
				.local = play_local(port),
				.remote = play_remote(),
				.is_opening = true});
}

static void list_subflow(struct play *play, uint16_t port, uint8_t id, bool is_server)
{
	play_hear(play, (struct event){.kind = EVENT_FOUND_SUBFLOW,
				.local = play_local(port),
				.remote = play_remote(),
				.id = id,
				.is_server = is_server});
}

static void end(struct play *play)
{
	adoption_end(&play->plan, play->key.netns);
	play_act(play);
}

static void one_is_taken_up_with_its_subflows(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	list(play);
	list_subflow(play, LOCAL_PORT + 1, 0, false);
	list_subflow(play, LOCAL_PORT, 0, false);
	end(play);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(TAILQ_FIRST(&play_conn(play)->subflows)->local.port, LOCAL_PORT);
	assert_int_equal(play->claims, 1);
	assert_int_equal(play->plan.counters.adopted, 1);
	assert_string_equal(play_conn(play)->why, "taken up: its beginning was not seen");
	/* And is as any other: at 150 MB it has two, and gets a third. */
	play_threshold(play, 150);
	play_assert_subflows(play, 2, 1, 0);
	play_intent(play, 0, 1);
	play_joined(play, LOCAL_PORT + 2);
	play_assert_subflows(play, 2, 0, 0);
}

static void list_with(struct play *play, uint64_t mb, uint32_t removes)
{
	play_hear(play, (struct event){.kind = EVENT_FOUND,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.bytes = mb == UINT64_MAX ? mb : mb * MB,
				.has_receipt = removes > 0,
				.receipt = {.removes = removes}});
}

static void find_with(struct play *play, uint64_t mb, uint16_t subflows, uint32_t removes)
{
	adoption_begin(&play->plan, play->key.netns);
	list_with(play, mb, removes);
	for (uint16_t i = 0; i < subflows; i++)
		list_subflow(play, LOCAL_PORT + i, 0, false);
	end(play);
}

/* The rule has given it a subflow for each that it passed: it gets none for these again. */
static void thresholds_that_it_has_passed_have_had_their_effect(void **state)
{
	struct play *play = *state;

	find_with(play, 170, 3, 0);
	assert_true(play_conn(play)->is_elephant);
	play_threshold(play, 100);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 0);
	assert_int_equal(play->plan.counters.thresholds, 0);
	play_threshold(play, 200);
	assert_int_equal(play->creates, 1);
	play_closed(play);
	/* Also those of which the application has removed the subflow. */
	find_with(play, 170, 2, 1);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 1);
	play_closed(play);
	/* Where the kernel does not count what a connection has sent. */
	find_with(play, UINT64_MAX, 2, 0);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 1);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 2);
}

static void those_passed_while_there_was_no_daemon_have_it_still(void **state)
{
	struct play *play = *state;

	find_with(play, 170, 2, 0);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 0);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 1);
	play_closed(play);
	/* Its subflows are somebody else's. */
	find_with(play, 50, 3, 0);
	assert_false(play_conn(play)->is_elephant);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 2);
}

static void one_of_the_kernels_own_is_left_alone(void **state)
{
	struct play *play = *state;

	play->claim_error = EINVAL;
	adoption_begin(&play->plan, play->key.netns);
	list(play);
	list_subflow(play, LOCAL_PORT, 0, false);
	end(play);
	assert_true(play_conn(play)->is_foreign);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 0);
}

static void one_that_was_accepted_opens_nothing(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	list(play);
	list_subflow(play, LOCAL_PORT, 0, true);
	end(play);
	assert_true(play_conn(play)->is_server);
	play_threshold(play, 100);
	assert_int_equal(play->creates, 0);
}

static void ask(struct play *play, uint64_t netns, uint32_t token)
{
	play_hear(play, (struct event){.kind = EVENT_INTENT,
				.key = {.netns = netns, .token = token},
				.adds = 1,
				.generation = 1});
}

/* One list of a namespace tells of all. */
static void each_namespace_is_searched_once(void **state)
{
	struct play *play = *state;

	ask(play, 1, 11);
	ask(play, 2, 12);
	ask(play, 1, 13);
	assert_int_equal(conn_table_count(&play->plan.table), 3);
	assert_true(play_wait(play));
	assert_int_equal(play->searches, 2);
	assert_true(play_wait(play));
	assert_int_equal(play->searches, 2);
	assert_int_equal(conn_table_count(&play->plan.table), 0);
}

static void a_request_waits_for_it(void **state)
{
	struct play *play = *state;

	play_intent(play, 2, 0);
	assert_true(play_wait(play));
	assert_int_equal(play->searches, 1);
	adoption_begin(&play->plan, play->key.netns);
	list(play);
	list_subflow(play, LOCAL_PORT, 0, false);
	end(play);
	play_assert_subflows(play, 1, 2, 0);
	assert_false(play_wait(play));
	play_assert_receipt(play, 2, 0);
}

static void what_is_not_listed_is_forgotten(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 2, 0);
	play_joined(play, LOCAL_PORT + 1);
	adoption_begin(&play->plan, play->key.netns);
	list(play);
	list_subflow(play, LOCAL_PORT, 0, false);
	list_opening(play, LOCAL_PORT + 2);
	end(play);
	/* The second one closed unheard; the third one is under way. */
	play_assert_subflows(play, 1, 1, 0);
	assert_int_equal(play->plan.counters.adopted, 0);

	adoption_begin(&play->plan, play->key.netns);
	end(play);
	assert_null(play_conn(play));
	assert_int_equal(play->forgets, 1);
}

/* Its SYN was sent by a daemon that died, and is not answered yet. */
static void one_that_is_being_opened_counts(void **state)
{
	struct play *play = *state;

	play->plan.rule.max_subflows = 2;
	adoption_begin(&play->plan, play->key.netns);
	list(play);
	list_subflow(play, LOCAL_PORT, 0, false);
	list_opening(play, LOCAL_PORT + 1);
	end(play);
	play_assert_subflows(play, 1, 1, 0);
	play_threshold(play, 150);
	assert_int_equal(play->creates, 0);
	play_joined(play, LOCAL_PORT + 1);
	play_assert_subflows(play, 2, 0, 0);
	play_intent(play, 0, 1);
	play_assert_subflows(play, 1, 0, 0);
}

/* What became of it was lost with the events. */
static void one_whose_opening_came_to_nothing_is_forgotten(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	play_intent(play, 1, 0);
	play_intent(play, 1, 1);
	play_assert_subflows(play, 1, 1, 0);
	adoption_begin(&play->plan, play->key.netns);
	list(play);
	list_subflow(play, LOCAL_PORT, 0, false);
	end(play);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 1, 1);
	assert_int_equal(play_conn(play)->n_passed, 0);
}

static void one_that_was_to_be_removed_and_never_came_up_is_removed(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	play_intent(play, 1, 1);
	adoption_begin(&play->plan, play->key.netns);
	list(play);
	list_subflow(play, LOCAL_PORT, 0, false);
	end(play);
	play_assert_subflows(play, 1, 0, 0);
	play_assert_receipt(play, 1, 1);
}

/* It competes with the others for the ways to its peer. */
static void one_that_is_taken_up_has_rivals(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	list(play);
	list_subflow(play, LOCAL_PORT, 0, false);
	end(play);
	assert_non_null(play_conn(play)->ends);
	assert_ptr_equal(TAILQ_FIRST(&play_conn(play)->ends->conns), play_conn(play));
}

static void one_that_came_up_unheard_is_established(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 100);
	adoption_begin(&play->plan, play->key.netns);
	list(play);
	list_subflow(play, LOCAL_PORT, 0, false);
	list_subflow(play, LOCAL_PORT + 1, 0, false);
	end(play);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play_conn(play)->passed[0].subflows, 2);
}

/* An earlier daemon has left a receipt; what it had done is not done again, what it had not is. */
static void an_earlier_daemons_work_is_not_repeated(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	play_hear(play, (struct event){.kind = EVENT_FOUND,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.has_receipt = true,
				.receipt = {.adds = 2, .removes = 1, .heard = 3, .ids = 5}});
	list_subflow(play, LOCAL_PORT, 0, false);
	list_subflow(play, LOCAL_PORT + 1, 0, false);
	end(play);
	play_assert_receipt(play, 2, 1);
	assert_int_equal(play_conn(play)->ids.count, 5);
	play_intent(play, 2, 1);
	play_assert_subflows(play, 2, 0, 0);
	play_intent(play, 4, 1);
	play_assert_subflows(play, 2, 2, 0);
	play_assert_receipt(play, 4, 1);
}

/* RFC 8684 3.1, C flag: it holds on. What the peer had announced shows where a subflow leads. */
static void one_whose_peer_denies_joins_keeps_to_that(void **state)
{
	struct play *play = *state;
	struct endpoint other = play_remote();

	other.v4.s_addr = htonl(0x0a000003);
	for (int i = 0; i < 2; i++) {
		play->creates = 0;
		adoption_begin(&play->plan, play->key.netns);
		list(play);
		list_subflow(play, LOCAL_PORT, 0, false);
		if (i)
			play_hear(play, (struct event){.kind = EVENT_FOUND_SUBFLOW,
						.local = play_local(LOCAL_PORT + 1),
						.remote = other,
						.remote_id = 7});
		adoption_end(&play->plan, play->key.netns);
		play_hear(play, (struct event){.kind = EVENT_DENIED});
		play_intent(play, 1, 0);
		assert_int_equal(play->creates, i);
		assert_int_equal(play_conn(play)->remotes.count, i);
		if (i)
			assert_true(endpoint_is_equal(&play->create.remote, &other));
		play_closed(play);
	}
}

/* Or else its end would be taken for that of an address. */
static void a_subflow_to_an_announced_address_is_replaced(void **state)
{
	struct play *play = *state;
	struct endpoint other = play_remote();

	other.v4.s_addr = htonl(0x0a000003);
	play->plan.does_repair = true;
	adoption_begin(&play->plan, play->key.netns);
	list(play);
	list_subflow(play, LOCAL_PORT, 0, false);
	play_hear(play, (struct event){.kind = EVENT_FOUND_SUBFLOW,
				.local = play_local(LOCAL_PORT + 1),
				.remote = other,
				.remote_id = 7});
	end(play);
	play->now_ns += 10000000000;
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(LOCAL_PORT + 1),
				.remote = other,
				.error = ECONNRESET,
				.reset_reason = -1});
	assert_int_equal(play->creates, 1);
	assert_int_equal(play->plan.counters.repairs, 1);
}

/* It died while it gave a command. What the socket shows tells whether it was given. */
static void the_last_command_counts_if_the_socket_shows_it(void **state)
{
	struct play *play = *state;

	for (uint32_t live = 1; live <= 2; live++) {
		adoption_begin(&play->plan, play->key.netns);
		play_hear(play, (struct event){.kind = EVENT_FOUND,
					.local = play_local(LOCAL_PORT),
					.remote = play_remote(),
					.has_receipt = true,
					.receipt = {.adds = 1, .creating = 1, .live = live}});
		list_subflow(play, LOCAL_PORT, 0, false);
		list_subflow(play, LOCAL_PORT + 1, 0, false);
		end(play);
		play_intent(play, 2, 0);
		play_assert_subflows(play, 2, live == 2, 0);
		play_assert_receipt(play, 2, 0);
		play_closed(play);
	}
}

static void list_with_move(struct play *play, uint16_t moved, uint16_t heir)
{
	play_hear(play, (struct event){.kind = EVENT_FOUND,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.has_receipt = true,
				.receipt = {.moved = moved, .heir = heir}});
}

/* It died between make and break: one of the two is one too many. */
static void a_move_is_carried_to_its_end(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	list_with_move(play, LOCAL_PORT, LOCAL_PORT + 2);
	for (uint16_t i = 0; i < 3; i++)
		list_subflow(play, LOCAL_PORT + i, 0, false);
	end(play);
	assert_int_equal(conn_count_all(play_conn(play)), 2);
	assert_int_equal(play->backups, 1);
	assert_int_equal(play->backup.local.port, LOCAL_PORT);
	assert_true(play->backup.is_backup);
	assert_true(play_wait(play));
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT);
	assert_int_equal(play->receipt.moved, LOCAL_PORT);
	play_left(play, LOCAL_PORT);
	assert_int_equal(play->receipt.moved, 0);
	assert_int_equal(play->receipt.heir, 0);
	play_assert_subflows(play, 2, 0, 0);
	assert_int_equal(play->creates, 0);
}

static void so_is_one_whose_syn_is_not_answered(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	list_with_move(play, LOCAL_PORT + 1, LOCAL_PORT + 2);
	list_subflow(play, LOCAL_PORT, 0, false);
	list_subflow(play, LOCAL_PORT + 1, 0, false);
	list_opening(play, LOCAL_PORT + 2);
	end(play);
	assert_int_equal(conn_count_all(play_conn(play)), 2);
	assert_int_equal(play->backups, 0);
	play_joined(play, LOCAL_PORT + 2);
	assert_int_equal(play->backups, 1);
	assert_true(play_wait(play));
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 1);
}

/* What was to take its place is not there: the old one carries data again. */
static void one_that_came_to_nothing_is_forgotten(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	list_with_move(play, LOCAL_PORT, LOCAL_PORT + 2);
	list_subflow(play, LOCAL_PORT, 0, false);
	list_subflow(play, LOCAL_PORT + 1, 0, false);
	end(play);
	assert_int_equal(play->backups, 1);
	assert_int_equal(play->backup.local.port, LOCAL_PORT);
	assert_false(play->backup.is_backup);
	assert_int_equal(play->receipt.moved, 0);
	assert_false(play_wait(play));
	play_assert_subflows(play, 2, 0, 0);
}

/* The old one had gone already, and that was not noted any more. */
static void nor_is_anything_done_for_one_that_was_over(void **state)
{
	struct play *play = *state;

	adoption_begin(&play->plan, play->key.netns);
	list_with_move(play, LOCAL_PORT + 1, LOCAL_PORT + 2);
	list_subflow(play, LOCAL_PORT, 0, false);
	list_subflow(play, LOCAL_PORT + 2, 0, false);
	end(play);
	assert_int_equal(play->backups, 0);
	assert_int_equal(play->receipt.moved, 0);
	assert_false(play_wait(play));
	play_assert_subflows(play, 2, 0, 0);
}

/* Its end was not heard. */
static void one_that_is_gone_leaves_room(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play->create_error = ENOTCONN;
	play_intent(play, 3, 0);
	play->create_error = 0;
	play->plan.max_subflows = play->plan.rule.max_subflows = 2;
	assert_true(play_wait(play));
	play_joined(play, LOCAL_PORT + 1);
	play_assert_subflows(play, 2, 0, 2);
	adoption_begin(&play->plan, play->key.netns);
	list(play);
	list_subflow(play, LOCAL_PORT, 0, false);
	end(play);
	play_assert_subflows(play, 1, 1, 1);
}

/* The kernel has closed it by itself while it was to be closed here, for another reason than REMOVE
 * by number: what it answers counts for none. */
static void one_that_is_being_closed_is_answered_for(void **state)
{
	struct play *play = *state;
	struct event removal = {.kind = EVENT_INTENT,
		.key = play->key,
		.generation = 1,
		.adds = 2,
		.has_wishes = true,
		.wishes.list[0] = {.addr = {0, 0, htonl(0xffff), htonl(0x0a000001)},
			.port = LOCAL_PORT + 2,
			.since = 1,
			.flags = WISH_TAKEN | WISH_REMOVED}};

	play_connect_with(play, 2);
	adoption_begin(&play->plan, play->key.netns);
	list(play);
	list_subflow(play, LOCAL_PORT, 0, false);
	list_subflow(play, LOCAL_PORT + 1, 0, false);
	plan_hear(&play->plan, &removal);
	play->destroy_error = ESRCH;
	end(play);
	assert_int_equal(play->destroys, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 2);
	play_assert_subflows(play, 2, 0, 0);
	play_assert_receipt(play, 2, 0);
	play_left(play, LOCAL_PORT + 2);
	assert_int_equal(play_conn(play)->n_subflows, 2);
}

static void find_one_closed(struct play *play)
{
	play_connect_with(play, 2);
	play_intent(play, 2, 1);
	assert_int_equal(play->destroy.local.port, LOCAL_PORT + 2);
	adoption_begin(&play->plan, play->key.netns);
	list(play);
	list_subflow(play, LOCAL_PORT, 0, false);
	list_subflow(play, LOCAL_PORT + 1, 0, false);
	end(play);
	assert_int_equal(play_conn(play)->n_subflows, 3);
}

static void the_end_of_a_closed_one_is_no_refusal_of_another(void **state)
{
	struct play *play = *state;

	find_one_closed(play);
	play_intent(play, 3, 1);
	play_left(play, LOCAL_PORT + 2);
	play_assert_subflows(play, 2, 1, 0);
	assert_int_equal(play->plan.counters.refused_by_peer, 0);
	assert_false(play_wait(play));
}

/* In the flood for which it was listed anew. */
static void one_whose_end_was_lost_is_forgotten(void **state)
{
	struct play *play = *state;
	uint64_t found_ns = play->now_ns;

	find_one_closed(play);
	play->now_ns += 500000000;
	adoption_begin(&play->plan, play->key.netns);
	list(play);
	list_subflow(play, LOCAL_PORT, 0, false);
	list_subflow(play, LOCAL_PORT + 1, 0, false);
	end(play);
	assert_true(play_wait(play));
	assert_int_equal(play->now_ns, found_ns + 1000000000);
	assert_int_equal(play_conn(play)->n_subflows, 2);
	play_assert_receipt(play, 2, 1);
}

static void other_namespaces_are_not_touched(void **state)
{
	struct play *play = *state;

	play_connect(play);
	adoption_begin(&play->plan, play->key.netns + 1);
	adoption_end(&play->plan, play->key.netns + 1);
	assert_non_null(play_conn(play));
}

static void one_that_is_not_established_yet_stays(void **state)
{
	struct play *play = *state;

	play_created(play);
	adoption_begin(&play->plan, play->key.netns);
	end(play);
	assert_non_null(play_conn(play));
	/* Its end was lost. */
	play->now_ns += 1000000000;
	play_hear(play, (struct event){.kind = EVENT_CREATED,
				.key = {.netns = play->key.netns, .token = 2},
				.local = play_local(LOCAL_PORT + 1),
				.remote = play_remote()});
	adoption_begin(&play->plan, play->key.netns);
	end(play);
	assert_null(play_conn(play));
	assert_int_equal(conn_table_count(&play->plan.table), 1);
}

/* The word of it was lost, and may have been the last. */
static void one_that_is_listed_is_established(void **state)
{
	struct play *play = *state;

	play->plan.policy.ndiffports = 2;
	play_created(play);
	adoption_begin(&play->plan, play->key.netns);
	list(play);
	list_subflow(play, LOCAL_PORT, 0, false);
	end(play);
	play_assert_subflows(play, 1, 1, 0);
	play_intent(play, 1, 0);
	play_assert_subflows(play, 1, 2, 0);
	play_established(play);
	play_assert_subflows(play, 1, 2, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_is_taken_up_with_its_subflows),
		TEST(thresholds_that_it_has_passed_have_had_their_effect),
		TEST(those_passed_while_there_was_no_daemon_have_it_still),
		TEST(one_of_the_kernels_own_is_left_alone),
		TEST(one_that_was_accepted_opens_nothing),
		TEST(each_namespace_is_searched_once),
		TEST(a_request_waits_for_it),
		TEST(what_is_not_listed_is_forgotten),
		TEST(one_that_is_being_opened_counts),
		TEST(one_whose_opening_came_to_nothing_is_forgotten),
		TEST(one_that_was_to_be_removed_and_never_came_up_is_removed),
		TEST(one_that_is_taken_up_has_rivals),
		TEST(one_that_came_up_unheard_is_established),
		TEST(an_earlier_daemons_work_is_not_repeated),
		TEST(one_whose_peer_denies_joins_keeps_to_that),
		TEST(a_subflow_to_an_announced_address_is_replaced),
		TEST(the_last_command_counts_if_the_socket_shows_it),
		TEST(a_move_is_carried_to_its_end),
		TEST(so_is_one_whose_syn_is_not_answered),
		TEST(one_that_came_to_nothing_is_forgotten),
		TEST(nor_is_anything_done_for_one_that_was_over),
		TEST(one_that_is_gone_leaves_room),
		TEST(one_that_is_being_closed_is_answered_for),
		TEST(the_end_of_a_closed_one_is_no_refusal_of_another),
		TEST(one_whose_end_was_lost_is_forgotten),
		TEST(other_namespaces_are_not_touched),
		TEST(one_that_is_not_established_yet_stays),
		TEST(one_that_is_listed_is_established),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
