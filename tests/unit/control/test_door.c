/* SPDX-License-Identifier: MIT */
/* The socket at its path: who may reach it, and what stood there before. */
#include "desk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* From the start, and not by its name: that may be another file's by then. */
static void everybody_may_reach_it(void **state)
{
	struct desk *desk = *state;
	struct server second = {.source.fd = -1};
	mode_t mask = umask(077);
	char path[80];
	struct stat st;

	snprintf(path, sizeof(path), "%s/second", desk->folder);
	assert_int_equal(server_init(&second, &desk->loop, path), 0);
	assert_int_equal(umask(mask), 077);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	server_done(&second);
}

static void there_is_one_server_at_a_path(void **state)
{
	struct desk *desk = *state;
	struct server second = {.source.fd = -1};

	assert_int_equal(server_init(&second, &desk->loop, desk->path), -EADDRINUSE);
	assert_int_equal(second.source.fd, -1);
	/* The first one's file is still there. */
	close(desk_dial(desk));
}

static void a_dead_socket_file_is_replaced(void **state)
{
	struct desk *desk = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct server second = {.source.fd = -1};
	int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/dead", desk->folder);
	assert_int_equal(bind(dead, (struct sockaddr *)&address, sizeof(address)), 0);
	close(dead);
	assert_int_equal(server_init(&second, &desk->loop, address.sun_path), 0);
	server_done(&second);
	assert_int_equal(access(address.sun_path, F_OK), -1);
}

/* Whatever else stands there is somebody's. */
static void another_file_is_left_alone(void **state)
{
	struct desk *desk = *state;
	struct server second = {.source.fd = -1};
	char path[80];
	FILE *file;

	snprintf(path, sizeof(path), "%s/file", desk->folder);
	file = fopen(path, "we");
	fclose(file);
	assert_true(server_init(&second, &desk->loop, path) < 0);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

static void refuses_a_path_that_is_too_long(void **state)
{
	struct desk *desk = *state;
	struct server second = {.source.fd = -1};
	char path[200];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(server_init(&second, &desk->loop, path), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(everybody_may_reach_it, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(
			there_is_one_server_at_a_path, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(
			a_dead_socket_file_is_replaced, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(another_file_is_left_alone, desk_begin, desk_end),
		cmocka_unit_test_setup_teardown(
			refuses_a_path_that_is_too_long, desk_begin, desk_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
