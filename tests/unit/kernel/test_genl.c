/* SPDX-License-Identifier: MIT */
/* Resolving a family, and what an answer may be. */
#include "kernel/genl.h"

#include "../unit.h"
#include "answers.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <string.h>

static char buffers[4][2048];

static struct nlmsghdr *begin_family(char *buffer)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = GENL_ID_CTRL;
	mnl_nlmsg_put_extra_header(message, sizeof(struct genlmsghdr));
	return message;
}

static void put_group(struct nlmsghdr *message, const char *name, uint32_t id)
{
	struct nlattr *group = mnl_attr_nest_start(message, 1);

	mnl_attr_put_u32(message, CTRL_ATTR_MCAST_GRP_ID, id);
	mnl_attr_put_strz(message, CTRL_ATTR_MCAST_GRP_NAME, name);
	mnl_attr_nest_end(message, group);
}

static void put(const struct nlmsghdr *message)
{
	answers_put(message, message->nlmsg_len, -1);
}

static int resolve(struct genl_family *ret_family)
{
	struct mnl_socket *socket;
	int err;

	assert_int_equal(genl_open(NETLINK_GENERIC, &socket), 0);
	err = genl_resolve(socket, "mptcp_pm", "mptcp_pm_events", ret_family);
	mnl_socket_close(socket);
	return err;
}

static void finds_family_and_group(void **state)
{
	struct genl_family family = {};
	struct nlmsghdr *message;
	struct nlattr *groups;

	(void)state;
	answers_reset();
	message = begin_family(buffers[0]);
	mnl_attr_put_u16(message, CTRL_ATTR_FAMILY_ID, 33);
	groups = mnl_attr_nest_start(message, CTRL_ATTR_MCAST_GROUPS);
	put_group(message, "mptcp_pm_cmds", 6);
	put_group(message, "mptcp_pm_events", 7);
	put_group(message, "others", 8);
	mnl_attr_nest_end(message, groups);
	put(message);
	put(answers_acknowledge(buffers[1], 0));
	assert_int_equal(resolve(&family), 0);
	assert_int_equal(family.id, 33);
	assert_int_equal(family.events_group, 7);
	assert_int_equal(answers.given, 2);
	assert_int_equal(answers.asked, 1);
}

static void a_family_may_lack_the_group(void **state)
{
	struct genl_family family = {};
	struct nlmsghdr *message;

	(void)state;
	answers_reset();
	message = begin_family(buffers[0]);
	mnl_attr_put_u16(message, CTRL_ATTR_FAMILY_ID, 33);
	put(message);
	put(answers_acknowledge(buffers[1], 0));
	assert_int_equal(resolve(&family), 0);
	assert_int_equal(family.events_group, 0);
}

static void no_family_is_an_error(void **state)
{
	struct genl_family family = {.id = 77};

	(void)state;
	answers_reset();
	put(answers_acknowledge(buffers[0], -ENOENT));
	assert_int_equal(resolve(&family), -ENOENT);

	/* An answer that says nothing. */
	answers_reset();
	put(begin_family(buffers[0]));
	put(answers_acknowledge(buffers[1], 0));
	assert_int_equal(resolve(&family), -ENOENT);
	assert_int_equal(family.id, 77);
}

/* Values of a wrong size are not read. */
static void wrong_sizes_are_passed_over(void **state)
{
	struct genl_family family = {};
	struct nlmsghdr *message;
	struct nlattr *groups, *group;

	(void)state;
	answers_reset();
	message = begin_family(buffers[0]);
	mnl_attr_put_u8(message, CTRL_ATTR_FAMILY_ID, 33);
	groups = mnl_attr_nest_start(message, CTRL_ATTR_MCAST_GROUPS);
	group = mnl_attr_nest_start(message, 1);
	mnl_attr_put_u32(message, CTRL_ATTR_MCAST_GRP_ID, 7);
	mnl_attr_put(message, CTRL_ATTR_MCAST_GRP_NAME, 15, "mptcp_pm_events"); /* no end */
	mnl_attr_nest_end(message, group);
	mnl_attr_nest_end(message, groups);
	mnl_attr_put_u16(message, CTRL_ATTR_FAMILY_ID, 34);
	put(message);
	put(answers_acknowledge(buffers[1], 0));
	assert_int_equal(resolve(&family), 0);
	assert_int_equal(family.id, 34);
	assert_int_equal(family.events_group, 0);
}

static void an_answer_that_ends_early_is_an_error(void **state)
{
	struct genl_family family;

	(void)state;
	answers_reset();
	assert_int_equal(resolve(&family), -EPROTO); /* none at all */

	answers_reset();
	put(begin_family(buffers[0]));
	assert_int_equal(resolve(&family), -EPROTO); /* no end */

	answers_reset();
	answers_put_error(ENOBUFS);
	assert_int_equal(resolve(&family), -ENOBUFS);
}

static void an_errno_is_one(void **state)
{
	static const int wrong[] = {INT32_MIN, -4096, 4096, INT32_MAX};
	struct genl_family family;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		answers_reset();
		put(answers_acknowledge(buffers[0], wrong[i]));
		assert_int_equal(resolve(&family), -EBADMSG);
	}
}

struct seen {
	unsigned int messages;
};

static int count(const struct nlmsghdr *message, void *arg)
{
	struct seen *seen = arg;

	(void)message;
	seen->messages++;
	return MNL_CB_OK;
}

static int dump(struct seen *seen)
{
	const struct genl_family family = {.id = 33};
	char buffer[GENL_BUFFER_BYTES];
	struct mnl_socket *socket;
	int err;

	assert_int_equal(genl_open(NETLINK_GENERIC, &socket), 0);
	*seen = (struct seen){};
	err = genl_ask(socket, genl_begin(buffer, &family, 1, NLM_F_DUMP), count, seen);
	mnl_socket_close(socket);
	return err;
}

static void put_part(char *buffer)
{
	struct nlmsghdr *message = begin_family(buffer);

	message->nlmsg_flags = NLM_F_MULTI;
	put(message);
}

static void a_dump_comes_in_parts(void **state)
{
	struct seen seen;

	(void)state;
	answers_reset();
	put_part(buffers[0]);
	put_part(buffers[1]);
	put(answers_done(buffers[2], 0));
	assert_int_equal(dump(&seen), 0);
	assert_int_equal(seen.messages, 2);
}

/* The kernel says in the last message how a dump went. */
static void a_dump_that_fails_on_the_way_is_an_error(void **state)
{
	struct seen seen;

	(void)state;
	answers_reset();
	put_part(buffers[0]);
	put(answers_done(buffers[1], -EPERM));
	assert_int_equal(dump(&seen), -EPERM);
}

/* A length that libmnl would take for a negative one, and others that do not fit. */
static void a_length_beyond_the_datagram_is_no_answer(void **state)
{
	static const uint32_t wrong[] = {
		0, NLMSG_HDRLEN - 1, 100, INT32_MAX, 0x80000000, UINT32_MAX};
	struct genl_family family;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct nlmsghdr *message = begin_family(buffers[0]);
		size_t len = message->nlmsg_len;

		message->nlmsg_len = wrong[i];
		answers_reset();
		answers_put(message, len, -1);
		assert_int_equal(resolve(&family), -EBADMSG);
	}
	answers_reset();
	answers_put(buffers[0], NLMSG_HDRLEN - 1, -1); /* less than a header */
	assert_int_equal(resolve(&family), -EBADMSG);
	answers_reset();
	answers_put(buffers[0], 0, -1);
	assert_int_equal(resolve(&family), -EBADMSG);
}

static void a_request_says_what_it_is(void **state)
{
	const struct genl_family family = {.id = 33};
	char buffer[GENL_BUFFER_BYTES];
	struct nlmsghdr *request = genl_begin(buffer, &family, 9, NLM_F_ACK);
	const struct genlmsghdr *header = mnl_nlmsg_get_payload(request);

	(void)state;
	assert_int_equal(request->nlmsg_type, 33);
	assert_int_equal(request->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
	assert_int_equal(header->cmd, 9);
	assert_int_equal(header->version, 1);
}

static void the_groups_that_are_named_are_heard(void **state)
{
	const unsigned int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV6_ROUTE};
	struct mnl_socket *socket;
	uint32_t joined[8] = {};
	socklen_t len = sizeof(joined);
	int err;

	(void)state;
	assert_int_equal(genl_open(NETLINK_ROUTE, &socket), 0);
	err = genl_listen(socket, groups, 2);
	if (err == -EPERM) { /* it takes CAP_NET_BROADCAST */
		mnl_socket_close(socket);
		skip();
	}
	assert_int_equal(err, 0);
	assert_int_equal(mnl_socket_getsockopt(socket, NETLINK_LIST_MEMBERSHIPS, joined, &len), 0);
	assert_int_equal(joined[0], 1 << (RTNLGRP_LINK - 1) | 1 << (RTNLGRP_IPV6_ROUTE - 1));
	mnl_socket_close(socket);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_family_and_group),
		cmocka_unit_test(a_family_may_lack_the_group),
		cmocka_unit_test(no_family_is_an_error),
		cmocka_unit_test(wrong_sizes_are_passed_over),
		cmocka_unit_test(an_answer_that_ends_early_is_an_error),
		cmocka_unit_test(an_errno_is_one),
		cmocka_unit_test(a_dump_comes_in_parts),
		cmocka_unit_test(a_dump_that_fails_on_the_way_is_an_error),
		cmocka_unit_test(a_length_beyond_the_datagram_is_no_answer),
		cmocka_unit_test(a_request_says_what_it_is),
		cmocka_unit_test(the_groups_that_are_named_are_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
