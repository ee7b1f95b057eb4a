/* SPDX-License-Identifier: MIT */
/* The operator's window: who is let in, answered, kept waiting and displaced. */
#include "desk.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void answers_and_hangs_up(void **state)
{
	struct desk *desk = *state;
	struct caller caller;

	desk_call(desk, &caller);
	desk_say(&caller, "status\n");
	desk_serve(&caller);
	assert_string_equal(caller.answer, "status");
	assert_string_equal(desk->heard, "status");
	assert_int_equal(desk->heard_from.uid, geteuid());
	assert_int_equal(desk->server.count, 0);
	desk_hang_up(&caller);
}

/* More than fits the socket's buffer: the rest waits for room, and nobody for it. */
static void gives_a_long_answer_as_it_is_read(void **state)
{
	struct desk *desk = *state;
	struct caller caller;

	desk_call(desk, &caller);
	desk_say(&caller, "long\n");
	desk_serve(&caller);
	assert_int_equal(caller.len, LONG_BYTES);
	desk_hang_up(&caller);
}

static void hangs_up_on_what_is_no_request(void **state)
{
	struct desk *desk = *state;
	struct caller caller;
	char line[600];

	memset(line, 'a', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	desk_call(desk, &caller);
	desk_say(&caller, line);
	desk_serve(&caller);
	assert_null(caller.answer);
	assert_string_equal(desk->heard, "");
	desk_hang_up(&caller);

	desk_call(desk, &caller); /* no memory for an answer */
	desk_say(&caller, "nothing\n");
	desk_serve(&caller);
	assert_null(caller.answer);
	assert_int_equal(desk->server.count, 0);
	desk_hang_up(&caller);
}

static void the_oldest_of_too_many_gives_way(void **state)
{
	struct desk *desk = *state;
	int silent[CLIENTS_MAX];
	struct caller caller;
	char byte;

	for (int i = 0; i < CLIENTS_MAX; i++)
		silent[i] = desk_dial(desk);
	desk_call(desk, &caller);
	desk_say(&caller, "status\n");
	desk_serve(&caller);
	assert_string_equal(caller.answer, "status");
	assert_int_equal(desk->server.refused, 1);
	assert_int_equal(desk->server.count, CLIENTS_MAX - 1);
	assert_int_equal(recv(silent[0], &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(recv(silent[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	for (int i = 0; i < CLIENTS_MAX; i++)
		close(silent[i]);
	desk_hang_up(&caller);
}

/* Who holds most gives way, though others are older. */
static void a_flood_of_one_user_displaces_nobody_else(void **state)
{
	struct desk *desk = *state;
	int other, flood[CLIENTS_MAX];

	if (geteuid() != 0)
		skip();
	other = desk_dial_as(desk, SOMEBODY);
	for (int i = 0; i < CLIENTS_MAX; i++) {
		flood[i] = desk_dial_as(desk, SOMEBODY + 1);
		desk_serve_all(desk);
	}
	assert_true(desk->server.refused >= 1);
	assert_true(desk_is_kept(other));
	assert_false(desk_is_kept(flood[0]));
	close(other);
	for (int i = 0; i < CLIENTS_MAX; i++)
		close(flood[i]);
}

static int say_as(const struct desk *desk, uid_t uid, const char *line)
{
	int fd = desk_dial_as(desk, uid);

	assert_int_equal(send(fd, line, strlen(line), 0), strlen(line));
	return fd;
}

static int ask_as(const struct desk *desk, uid_t uid)
{
	return say_as(desk, uid, "long\n");
}

/* Serves while one reads to the end of its answer; how long that was. */
static size_t read_all(struct desk *desk, int fd)
{
	static char bytes[LONG_BYTES];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) != 0) {
		if (n > 0)
			len += n;
		else
			desk_serve_all(desk);
	}
	close(fd);
	return len;
}

/* What it has not read is given up after a while. */
static void a_client_that_does_not_read_is_given_up(void **state)
{
	struct desk *desk = *state;
	int fd;

	if (geteuid() != 0)
		skip();
	fd = ask_as(desk, SOMEBODY);
	desk_wait_for(desk, &desk->server.unread, 1);
	assert_int_equal(server_bytes(&desk->server), LONG_BYTES);
	assert_int_equal(desk->server.stalled, 0);
	/* For as long as it reads some, it is waited for. */
	assert_int_equal(read_all(desk, fd), LONG_BYTES);
	desk_wait_for(desk, &desk->server.unread, 0);
	desk->server.patience_ns = MS;
	fd = ask_as(desk, SOMEBODY + 1);
	while (!desk->server.stalled)
		desk_serve_all(desk);
	assert_int_equal(desk->server.unread, 0);
	assert_int_equal(server_bytes(&desk->server), 0);
	assert_in_range(read_all(desk, fd), 1, LONG_BYTES - 1);
}

static void nobody_is_answered_who_has_not_read_the_last_answer(void **state)
{
	struct desk *desk = *state;
	int first, second;

	if (geteuid() != 0)
		skip();
	first = ask_as(desk, SOMEBODY);
	desk_wait_for(desk, &desk->server.unread, 1);
	desk->server.turns.count = 0;
	second = ask_as(desk, SOMEBODY);
	while (!desk->server.deferred)
		desk_serve_all(desk);
	for (int i = 0; i < 10; i++)
		desk_serve_all(desk);
	assert_int_equal(recv(second, &(char){0}, 1, MSG_DONTWAIT), -1);
	assert_int_equal(desk->server.unread, 1);
	assert_int_equal(read_all(desk, first), LONG_BYTES);
	assert_int_equal(read_all(desk, second), LONG_BYTES);
}

/* So many that are read by nobody are kept: operators' last. */
static void unread_answers_are_bounded(void **state)
{
	int users[SERVER_ANSWERS_MAX], operators[SERVER_ANSWERS_MAX + 1];
	struct desk *desk = *state;

	if (geteuid() != 0)
		skip();
	for (int i = 0; i < SERVER_ANSWERS_MAX; i++) {
		users[i] = ask_as(desk, SOMEBODY + i);
		desk_wait_for(desk, &desk->server.unread, i + 1);
	}
	for (int i = 0; i <= SERVER_ANSWERS_MAX; i++) {
		operators[i] = ask_as(desk, 0);
		while (desk->server.displaced != (uint64_t)i + 1)
			desk_serve_all(desk);
		assert_int_equal(desk->server.unread, SERVER_ANSWERS_MAX);
	}
	assert_true(read_all(desk, users[0]) < LONG_BYTES);
	assert_true(read_all(desk, operators[0]) < LONG_BYTES);
	assert_int_equal(read_all(desk, operators[1]), LONG_BYTES);
	for (int i = 1; i < SERVER_ANSWERS_MAX; i++)
		close(users[i]);
	for (int i = 2; i <= SERVER_ANSWERS_MAX; i++)
		close(operators[i]);
}

/* What is written is what the client has room for, and others are answered meanwhile. */
static void an_answer_is_written_as_it_is_read(void **state)
{
	struct desk *desk = *state;
	int fd;

	if (geteuid() != 0)
		skip();
	fd = say_as(desk, 0, "parts\n");
	desk_wait_for(desk, &desk->server.unread, 1);
	for (int i = 0; i < 2 * PARTS; i++)
		desk_serve_all(desk);
	assert_in_range(desk->parts, 1, PARTS - 1);
	assert_int_equal(server_bytes(&desk->server), PART_BYTES);
	assert_int_equal(read_all(desk, fd), strlen("parts") + PARTS / 2 * PART_BYTES);
	desk_wait_for(desk, &desk->server.count, 0);
	assert_int_equal(desk->stories, 0);
	assert_int_equal(desk->server.stalled, 0);
}

/* A user's goes on when his turn has come, and his next question waits for its end. */
static void parts_take_their_users_time(void **state)
{
	struct desk *desk = *state;
	int first, second;

	if (geteuid() != 0)
		skip();
	desk->server.patience_ns = 1000 * MS;
	first = say_as(desk, SOMEBODY, "parts\n");
	while (!desk->parts)
		desk_serve_all(desk);
	turns_spend(&desk->server.turns, SOMEBODY, 5 * MS, loop_now_ns());
	second = ask_as(desk, SOMEBODY);
	while (!desk->server.deferred)
		desk_serve_all(desk);
	assert_int_equal(desk->heard_users, 1);
	assert_int_equal(read_all(desk, first), strlen("parts") + PARTS / 2 * PART_BYTES);
	assert_int_equal(read_all(desk, second), LONG_BYTES);
	assert_int_equal(desk->server.deferred, 1);
	assert_int_equal(desk->server.stalled, 0);
}

static void what_goes_on_is_given_up_with_its_client(void **state)
{
	struct desk *desk = *state;
	int fd;

	if (geteuid() != 0)
		skip();
	/* It hangs up. */
	fd = say_as(desk, 0, "parts\n");
	desk_wait_for(desk, &desk->stories, 1);
	close(fd);
	desk_wait_for(desk, &desk->stories, 0);
	/* It reads nothing. */
	desk->server.patience_ns = MS;
	fd = say_as(desk, 0, "parts\n");
	while (!desk->server.stalled)
		desk_serve_all(desk);
	assert_int_equal(desk->stories, 0);
	close(fd);
	/* There is no memory for the next part. */
	desk->is_short = true;
	assert_int_equal(read_all(desk, say_as(desk, 0, "parts\n")), strlen("parts"));
	assert_int_equal(desk->stories, 0);
	/* The server ends. */
	desk->is_short = false;
	desk->server.patience_ns = 1000 * MS;
	fd = say_as(desk, 0, "parts\n");
	desk_wait_for(desk, &desk->stories, 1);
	close(fd);
}

/* Whoever has come all the time is hung up on, for a while, and nobody else is. */
static void a_flood_at_the_door_is_not_let_in(void **state)
{
	struct desk *desk = *state;

	if (geteuid() != 0)
		skip();
	desk_serve_all(desk);
	assert_int_equal(desk->server.door.count, 0);
	close(desk_dial_as(desk, SOMEBODY));
	desk_serve_all(desk);
	assert_int_equal(desk->server.shut_out, 0);
	assert_int_equal(desk->server.door.list[0].uid, SOMEBODY);
	assert_true(desk->server.door.list[0].until_ns);
	turns_spend(&desk->server.door, SOMEBODY, 10000 * MS, loop_now_ns());
	assert_int_equal(read_all(desk, ask_as(desk, SOMEBODY)), 0);
	assert_int_equal(desk->server.shut_out, 1);
	assert_int_equal(read_all(desk, ask_as(desk, SOMEBODY + 1)), LONG_BYTES);
	desk->server.door.list[0].until_ns = loop_now_ns();
	assert_int_equal(read_all(desk, ask_as(desk, SOMEBODY)), LONG_BYTES);
	assert_int_equal(desk->server.shut_out, 1);
}

static void nobody_is_answered_who_has_hung_up(void **state)
{
	struct desk *desk = *state;

	if (geteuid() != 0)
		skip();
	close(ask_as(desk, SOMEBODY));
	desk_serve_all(desk);
	assert_int_equal(desk->heard_users, 0);
	desk_wait_for(desk, &desk->server.count, 0);
	assert_int_equal(desk->server.turns.list[0].uid, SOMEBODY);
	assert_true(desk->server.turns.list[0].until_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_and_hangs_up, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(
			gives_a_long_answer_as_it_is_read, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(
			hangs_up_on_what_is_no_request, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(
			the_oldest_of_too_many_gives_way, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(
			a_flood_of_one_user_displaces_nobody_else, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(
			a_client_that_does_not_read_is_given_up, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(
			nobody_is_answered_who_has_not_read_the_last_answer, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(unread_answers_are_bounded, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(
			an_answer_is_written_as_it_is_read, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(parts_take_their_users_time, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(
			what_goes_on_is_given_up_with_its_client, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(
			a_flood_at_the_door_is_not_let_in, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(
			nobody_is_answered_who_has_hung_up, desk_begin, desk_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
