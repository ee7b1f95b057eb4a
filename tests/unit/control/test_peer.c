/* SPDX-License-Identifier: MIT */
/* Who may change things: root, and the operators' group, as first or as any other group. */
#include "control/peer.h"

#include "../unit.h"

#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER      65534
#define OPERATORS 4711
#define GROUPS    200 /* more than are asked for at first */

/* What peer_read() says of a process of @uid in @group and @n further ones; as an exit status. */
static int read_as(uid_t uid, gid_t group, const gid_t *groups, size_t n, gid_t operators)
{
	struct peer peer;
	int pair[2], status;
	pid_t pid = fork();

	if (!pid) {
		if (setgroups(n, groups) || setresgid(group, group, group) ||
			setresuid(uid, uid, uid) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
			peer_read(pair[0], operators, &peer) || peer.uid != uid)
			_exit(99);
		_exit(peer.is_operator);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void root_may(void **state)
{
	(void)state;
	assert_int_equal(read_as(0, 0, NULL, 0, PEER_NO_GROUP), 1);
}

static void others_may_not(void **state)
{
	const gid_t groups[] = {1, 2, 3};

	(void)state;
	assert_int_equal(read_as(USER, USER, groups, 3, PEER_NO_GROUP), 0);
	assert_int_equal(read_as(USER, USER, groups, 3, OPERATORS), 0);
	assert_int_equal(read_as(USER, USER, NULL, 0, OPERATORS), 0);
	/* Root's group is not root. */
	assert_int_equal(read_as(USER, 0, NULL, 0, PEER_NO_GROUP), 0);
}

static void the_group_may(void **state)
{
	gid_t groups[GROUPS];

	(void)state;
	for (int i = 0; i < GROUPS; i++)
		groups[i] = OPERATORS - GROUPS + 1 + i;
	assert_int_equal(read_as(USER, OPERATORS, NULL, 0, OPERATORS), 1);
	assert_int_equal(read_as(USER, USER, groups, GROUPS, OPERATORS), 1);
	assert_int_equal(read_as(USER, USER, groups, GROUPS - 1, OPERATORS), 0);
}

static void what_is_no_socket_is_nobody(void **state)
{
	struct peer peer;

	(void)state;
	assert_true(peer_read(-1, PEER_NO_GROUP, &peer) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_may),
		cmocka_unit_test(others_may_not),
		cmocka_unit_test(the_group_may),
		cmocka_unit_test(what_is_no_socket_is_nobody),
	};

	if (geteuid() != 0)
		return 77; /* other users' processes take root */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
