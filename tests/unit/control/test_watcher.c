/* SPDX-License-Identifier: MIT */
/* Clients that watch: what they hear, what they miss, and that they stay. */
#include "desk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int watch(struct desk *desk)
{
	uint32_t before = desk->server.watchers;
	char first[6];
	int fd = desk_dial(desk);

	assert_int_equal(send(fd, "watch\n", 6, 0), 6);
	desk_wait_for(desk, &desk->server.watchers, before + 1);
	assert_int_equal(recv(fd, first, 5, MSG_WAITALL), 5);
	return fd;
}

static void hears(int fd, const char *line)
{
	char bytes[64] = "";

	assert_int_equal(recv(fd, bytes, strlen(line), MSG_WAITALL), strlen(line));
	assert_string_equal(bytes, line);
}

static void hears_nothing(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

/* Not even many users end what an operator watches; and of those who wait, the idle give way. */
static void whoever_watches_is_not_displaced(void **state)
{
	struct desk *desk = *state;
	int operator, quiet, user, idle[2 * CLIENTS_MAX];

	if (geteuid() != 0)
		skip();
	operator= watch(desk);
	quiet = desk_dial(desk); /* an operator, too */
	user = desk_dial_as(desk, SOMEBODY);
	assert_int_equal(send(user, "watch\n", 6, 0), 6);
	desk_wait_for(desk, &desk->server.user_watchers, 1);
	hears(user, "watch");
	for (int i = 0; i < 2 * CLIENTS_MAX; i++) {
		idle[i] = desk_dial_as(desk, SOMEBODY + 1 + i);
		desk_serve_all(desk);
	}
	assert_int_equal(desk->server.watchers, 2);
	assert_true(desk_is_kept(operator) && desk_is_kept(quiet) && desk_is_kept(user));
	assert_false(desk_is_kept(idle[0]));
	assert_true(desk_is_kept(idle[2 * CLIENTS_MAX - 1]));
	for (int i = 0; i < 2 * CLIENTS_MAX; i++)
		close(idle[i]);
	close(operator);
	close(quiet);
	close(user);
}

/* And is told how much it was, as soon as its user's turn has come. */
static void a_watcher_that_costs_too_much_misses_something(void **state)
{
	const uint32_t uid = SOMEBODY;
	struct desk *desk = *state;
	int operator, user;

	if (geteuid() != 0)
		skip();
	operator= watch(desk);
	user = desk_dial_as(desk, uid);
	assert_int_equal(send(user, "watch\n", 6, 0), 6);
	desk_wait_for(desk, &desk->server.user_watchers, 1);
	hears(user, "watch");
	desk->server.turns.count = 0;
	server_tell(&desk->server, &uid, "one\n");
	assert_true(desk->server.turns.list[0].until_ns);
	turns_spend(&desk->server.turns, uid, 1200 * MS / 9, loop_now_ns());
	server_tell(&desk->server, &uid, "two\n");
	server_tell(&desk->server, &uid, "three\n");
	assert_int_equal(desk->server.untold, 2);
	hears(user, "one\n");
	hears_nothing(user);
	hears(operator, "one\ntwo\nthree\n");
	while (recv(user, &(char){0}, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
		desk_serve_all(desk);
	hears(user, "lost 2\n");
	desk->server.turns.count = 0;
	server_tell(&desk->server, &uid, "four\n");
	hears(user, "four\n");
	assert_true(server_is_heard(&desk->server, NULL));
	close(operator);
	desk_wait_for(desk, &desk->server.watchers, 1);
	assert_false(server_is_heard(&desk->server, NULL));
	assert_true(server_is_heard(&desk->server, &uid));
	close(user);
}

static void watchers_hear_what_is_for_them(void **state)
{
	const uint32_t ours = 65534, others = 65533;
	struct desk *desk = *state;
	int operator, user;

	if (geteuid() != 0)
		skip();
	operator= watch(desk);
	assert_int_equal(seteuid(65534), 0);
	user = desk_dial(desk);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(send(user, "watch\n", 6, 0), 6);
	desk_wait_for(desk, &desk->server.user_watchers, 1);
	hears(user, "watch");
	server_tell_all(&desk->server, "all\n");
	server_tell(&desk->server, NULL, "nobody's\n");
	server_tell(&desk->server, &ours, "ours\n");
	server_tell(&desk->server, &others, "others\n");
	hears(operator, "all\nnobody's\nours\nothers\n");
	hears(user, "all\nours\n");
	hears_nothing(user);
	close(user);
	desk_wait_for(desk, &desk->server.user_watchers, 0);
	assert_int_equal(desk->server.watchers, 1);
	/* To end one's own direction is not to hang up. */
	assert_int_equal(shutdown(operator, SHUT_WR), 0);
	server_tell_all(&desk->server, "more\n");
	hears(operator, "more\n");
	close(operator);
	desk_wait_for(desk, &desk->server.watchers, 0);
}

/* It misses what is too much, is told how much that was, and hears what comes after. */
static void a_slow_watcher_is_told_what_it_missed(void **state)
{
	static char text[LONG_BYTES];
	struct desk *desk = *state;
	unsigned long told = 0, lost;
	size_t len = 0, heard;
	char line[1001];
	int fd = watch(desk);
	char *end;
	ssize_t n;

	memset(line, 'a', sizeof(line));
	line[sizeof(line) - 2] = '\n';
	line[sizeof(line) - 1] = '\0';
	while (desk->server.untold < 100) {
		server_tell_all(&desk->server, line);
		told++;
	}
	do {
		n = recv(fd, text + len, sizeof(text) - 1 - len, MSG_DONTWAIT);
		if (n > 0)
			len += n;
		else
			desk_serve_all(desk);
		text[len] = '\0';
		end = strstr(text, "lost ");
	} while (!end || !strchr(end, '\n'));
	heard = (end - text) / strlen(line);
	assert_int_equal((end - text) % strlen(line), 0);
	assert_int_equal(sscanf(end, "lost %lu", &lost), 1);
	assert_int_equal(heard + lost, told);
	assert_int_equal(lost, desk->server.untold);
	server_tell_all(&desk->server, "again\n");
	hears(fd, "again\n");
	server_tell_lost(&desk->server, 7);
	hears(fd, "lost 7\n");
	close(fd);
	desk_wait_for(desk, &desk->server.watchers, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			whoever_watches_is_not_displaced, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(
			a_watcher_that_costs_too_much_misses_something, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(
			watchers_hear_what_is_for_them, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(
			a_slow_watcher_is_told_what_it_missed, desk_begin, desk_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
