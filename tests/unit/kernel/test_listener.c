/* SPDX-License-Identifier: MIT */
/* Listeners to groups beyond the 32 that /proc/net/netlink shows. */
#include "kernel/genl.h"
#include "kernel/listener.h"

#include "../unit.h"

#include <errno.h>
#include <linux/netlink_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP RTNLGRP_STATS /* 36 */

static struct nlmsghdr *put_socket(char *buffer, const void *groups, size_t size)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct netlink_diag_msg *socket;

	message->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	socket = mnl_nlmsg_put_extra_header(message, sizeof(*socket));
	socket->ndiag_ino = 4711;
	if (groups)
		mnl_attr_put(message, NETLINK_DIAG_GROUPS, size, groups);
	return message;
}

static void finds_one_bit(void **state)
{
	char buffer[512] __attribute__((aligned(NLMSG_ALIGNTO)));
	const unsigned long bits = sizeof(long) * 8;
	struct nlmsghdr *message;
	unsigned long groups[4];
	uint64_t inode;

	(void)state;
	for (uint32_t group = 1; group <= 4 * bits; group++) {
		memset(groups, 0, sizeof(groups));
		groups[(group - 1) / bits] = 1ul << (group - 1) % bits;
		message = put_socket(buffer, groups, sizeof(groups));
		for (uint32_t asked = 1; asked <= 5 * bits; asked++) {
			inode = 0;
			assert_int_equal(listener_decode(message, asked, &inode),
				asked == group ? 0 : -ENODATA);
			assert_int_equal(inode, asked == group ? 4711 : 0);
		}
	}
}

static void what_is_short_is_no_listener(void **state)
{
	char buffer[512] __attribute__((aligned(NLMSG_ALIGNTO)));
	unsigned long groups = ~0ul;
	struct nlmsghdr *message;
	uint64_t inode;

	(void)state;
	message = put_socket(buffer, NULL, 0);
	assert_int_equal(listener_decode(message, 1, &inode), -ENODATA);
	message = put_socket(buffer, &groups, sizeof(groups) - 1);
	assert_int_equal(listener_decode(message, 1, &inode), -ENODATA);
	message = put_socket(buffer, &groups, sizeof(groups));
	assert_int_equal(listener_decode(message, 1, &inode), 0);
	message->nlmsg_len = NLMSG_HDRLEN + sizeof(struct netlink_diag_msg) - 1;
	assert_int_equal(listener_decode(message, 1, &inode), -EBADMSG);
}

/* The kernel's own answer. */
static void finds_a_socket_that_listens(void **state)
{
	struct mnl_socket *one, *other;
	unsigned int group = GROUP;
	struct stat st;
	bool has = false;
	int err;

	(void)state;
	assert_true(GROUP > 32);
	assert_int_equal(genl_open(NETLINK_ROUTE, &one), 0);
	assert_int_equal(genl_open(NETLINK_ROUTE, &other), 0);
	assert_int_equal(
		mnl_socket_setsockopt(one, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)), 0);
	assert_int_equal(fstat(mnl_socket_get_fd(other), &st), 0);
	err = listener_find(NETLINK_ROUTE, GROUP, st.st_ino, &has);
	if (err == -ENOENT)
		skip(); /* the kernel lacks CONFIG_NETLINK_DIAG */
	assert_int_equal(err, 0);
	assert_true(has);
	assert_int_equal(listener_find(NETLINK_ROUTE, 1000, st.st_ino, &has), 0);
	assert_false(has);
	mnl_socket_close(one);
	mnl_socket_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_one_bit),
		cmocka_unit_test(what_is_short_is_no_listener),
		cmocka_unit_test(finds_a_socket_that_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
