/* SPDX-License-Identifier: MIT */
/* A subflow that has joined carries nothing at first. */
#include "play.h"

#include "core/adoption.h"

#include <errno.h>

#define QUIET_NS 20000000ull

static struct subflow *find(struct play *play, uint16_t port)
{
	struct endpoint local = play_local(port), remote = play_remote();

	return conn_find_subflow(play_conn(play), &local, &remote);
}

/* One is opened, as a backup. */
static void play_quiet(struct play *play)
{
	play->plan.quiets.rule.time_ns = QUIET_NS;
	play_connect(play);
	play_intent(play, 1, 0);
	assert_true(play->create.is_backup);
	assert_int_equal(play->receipt.quiet, 1);
}

/* It was said @told times by now. */
static void assert_over(struct play *play, unsigned int told)
{
	assert_int_equal(play->backups, told);
	assert_int_equal(play->backup.local.port, LOCAL_PORT + 1);
	assert_false(play->backup.is_backup);
	assert_false(quiet_is_on(find(play, LOCAL_PORT + 1)));
}

/* Nothing is left to be done, nor for the next daemon. */
static void assert_done(struct play *play)
{
	assert_false(play_wait(play));
	assert_int_equal(play->receipt.quiet, 0);
}

static void it_joins_as_a_backup_and_is_one_no_more_after_its_time(void **state)
{
	struct play *play = *state;
	uint64_t joined_ns;

	play_quiet(play);
	play_joined(play, LOCAL_PORT + 1);
	joined_ns = play->now_ns;
	assert_int_equal(play->backups, 0);
	assert_true(quiet_is_on(find(play, LOCAL_PORT + 1)));
	assert_true(play_wait(play));
	assert_in_range(play->now_ns, joined_ns + QUIET_NS, joined_ns + QUIET_NS + 1);
	assert_over(play, 1);
	/* It is told by an ACK, which may be lost. */
	assert_true(play_wait(play));
	assert_over(play, 2);
	assert_done(play);
}

static void without_the_rule_it_may_send_at_once(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	assert_false(play->create.is_backup);
	play_joined(play, LOCAL_PORT + 1);
	assert_false(quiet_is_on(find(play, LOCAL_PORT + 1)));
	assert_false(play_wait(play));
	assert_int_equal(play->backups, 0);
}

static void set_backup(struct play *play, bool is_backup)
{
	play_hear(play, (struct event){.kind = EVENT_BACKUP,
				.local = play_local(LOCAL_PORT + 1),
				.remote = play_remote(),
				.is_backup = is_backup});
}

static void what_the_application_wants_holds_after_it(void **state)
{
	struct play *play = *state;

	play_quiet(play);
	play_joined(play, LOCAL_PORT + 1);
	set_backup(play, true);
	assert_int_equal(play->backups, 1);
	assert_true(play->backup.is_backup);
	assert_true(play_wait(play));
	assert_done(play);
	assert_int_equal(play->backups, 1);
	set_backup(play, false);
	assert_over(play, 2);
}

static void the_application_cannot_end_it(void **state)
{
	struct play *play = *state;

	play_quiet(play);
	play_joined(play, LOCAL_PORT + 1);
	set_backup(play, true);
	set_backup(play, false);
	assert_int_equal(play->backups, 1);
	assert_true(play_wait(play));
	assert_over(play, 2);
}

static void one_that_is_closed_meanwhile_is_forgotten(void **state)
{
	struct play *play = *state;

	play_quiet(play);
	play_joined(play, LOCAL_PORT + 1);
	play_intent(play, 1, 1);
	play_left(play, LOCAL_PORT + 1);
	assert_done(play);
	assert_int_equal(play->backups, 0);
	play_intent(play, 2, 1);
	assert_int_equal(play->receipt.quiet, 1);
	play_closed(play);
	assert_false(play_wait(play));
}

static void when_the_daemon_ends_it_is_over(void **state)
{
	struct play *play = *state;

	play_quiet(play);
	play_joined(play, LOCAL_PORT + 1);
	quiet_end(&play->plan, play->now_ns);
	play_act(play);
	assert_over(play, 1);
	assert_done(play);
}

/* The kernel chooses its port, and which that is is not known yet. */
static void one_that_is_being_opened_then_is_left_to_the_next_daemon(void **state)
{
	struct play *play = *state;

	play_quiet(play);
	assert_int_equal(play->create.local.port, 0);
	quiet_end(&play->plan, play->now_ns);
	play_act(play);
	assert_int_equal(play->backups, 0);
	assert_int_equal(play->receipt.quiet, 1);
}

static void one_that_the_kernel_would_not_close_at_its_join_is_not_quiet_for_ever(void **state)
{
	struct play *play = *state;

	play_quiet(play);
	play_intent(play, 1, 1);
	play->destroy_error = ENOMEM;
	play_joined(play, LOCAL_PORT + 1);
	assert_int_equal(play->destroys, 1);
	assert_true(play_wait(play));
	assert_over(play, 1);
	assert_true(play_wait(play));
	assert_done(play);
}

/* What an earlier daemon has left: @quiet of its receipt. */
static void resume(struct play *play, uint16_t quiet)
{
	adoption_begin(&play->plan, play->key.netns);
	play_hear(play, (struct event){.kind = EVENT_FOUND,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote(),
				.has_receipt = true,
				.receipt.quiet = quiet});
	for (uint16_t i = 0; i < 3; i++)
		play_hear(play, (struct event){.kind = EVENT_FOUND_SUBFLOW,
					.local = play_local(LOCAL_PORT + i),
					.remote = play_remote(),
					.id = i,
					.is_unused = i == 1});
	adoption_end(&play->plan, play->key.netns);
	play_act(play);
}

static void what_an_earlier_daemon_has_left_is_ended(void **state)
{
	struct play *play = *state;

	resume(play, 1);
	assert_over(play, 1);
	assert_true(play_wait(play));
	assert_over(play, 2);
	assert_done(play);
}

static void what_the_application_made_one_is_left(void **state)
{
	struct play *play = *state;

	resume(play, 0);
	assert_int_equal(play->backups, 0);
}

static void not_heard(struct play *play)
{
	play_hear(play, (struct event){.kind = EVENT_BACKUP_FAILED,
				.local = play_local(LOCAL_PORT + 1),
				.remote = play_remote(),
				.error = EINVAL,
				.reset_reason = -1});
}

/* A round trip that is longer than it: the kernel cannot be told before the join is finished. */
static void what_the_kernel_would_not_hear_is_said_again(void **state)
{
	struct play *play = *state;
	uint64_t told_ns;

	play_quiet(play);
	play_joined(play, LOCAL_PORT + 1);
	assert_true(play_wait(play));
	for (unsigned int told = 1; told < 4; told++) {
		assert_over(play, told);
		told_ns = play->now_ns;
		not_heard(play);
		assert_true(quiet_is_on(find(play, LOCAL_PORT + 1)));
		assert_int_equal(play->receipt.quiet, 1);
		assert_true(play_wait(play));
		assert_int_equal(play->now_ns, told_ns + (QUIET_NS << (told - 1)));
	}
	assert_true(play_wait(play));
	assert_over(play, 5);
	assert_done(play);
	/* The last time, too. */
	not_heard(play);
	assert_true(play_wait(play));
	assert_over(play, 6);
	assert_true(play_wait(play));
	assert_over(play, 7);
	assert_done(play);
}

/* Whatever it is that the kernel would not hear. */
static void a_wish_that_the_kernel_would_not_hear_is_said_again(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	play_joined(play, LOCAL_PORT + 1);
	set_backup(play, true);
	assert_int_equal(play->backups, 1);
	not_heard(play);
	assert_int_equal(play->receipt.quiet, 1);
	assert_true(play_wait(play));
	assert_int_equal(play->backups, 2);
	assert_true(play->backup.is_backup);
	assert_done(play);
	/* It is closed before it is told. */
	not_heard(play);
	play_left(play, LOCAL_PORT + 1);
	not_heard(play);
	assert_done(play);
	assert_int_equal(play->backups, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_joins_as_a_backup_and_is_one_no_more_after_its_time),
		TEST(without_the_rule_it_may_send_at_once),
		TEST(what_the_application_wants_holds_after_it),
		TEST(the_application_cannot_end_it),
		TEST(one_that_is_closed_meanwhile_is_forgotten),
		TEST(when_the_daemon_ends_it_is_over),
		TEST(one_that_is_being_opened_then_is_left_to_the_next_daemon),
		TEST(one_that_the_kernel_would_not_close_at_its_join_is_not_quiet_for_ever),
		TEST(what_the_kernel_would_not_hear_is_said_again),
		TEST(a_wish_that_the_kernel_would_not_hear_is_said_again),
		TEST(what_an_earlier_daemon_has_left_is_ended),
		TEST(what_the_application_made_one_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
