/* SPDX-License-Identifier: MIT */
/* The decoder of path-manager events: what the kernel sends, and what it never should. */
#include "kernel/pm.h"

#include "../unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include <string.h>

#define TOKEN 0xdeadbeef

struct message {
	char buffer[1024];
	struct nlmsghdr *header;
};

static void begin(struct message *message, uint8_t command)
{
	struct genlmsghdr *genl;

	memset(message, 0, sizeof(*message));
	message->header = mnl_nlmsg_put_header(message->buffer);
	genl = mnl_nlmsg_put_extra_header(message->header, sizeof(*genl));
	genl->cmd = command;
	genl->version = 1;
}

static void put_ends4(struct message *message)
{
	mnl_attr_put_u16(message->header, MPTCP_ATTR_FAMILY, AF_INET);
	mnl_attr_put_u32(message->header, MPTCP_ATTR_SADDR4, htonl(0x0a000001));
	mnl_attr_put_u32(message->header, MPTCP_ATTR_DADDR4, htonl(0x0a000002));
	mnl_attr_put_u16(message->header, MPTCP_ATTR_SPORT, htons(40000));
	mnl_attr_put_u16(message->header, MPTCP_ATTR_DPORT, htons(80));
}

static void decodes_created(void **state)
{
	struct message message;
	struct event event;

	(void)state;
	begin(&message, MPTCP_EVENT_CREATED);
	mnl_attr_put_u32(message.header, MPTCP_ATTR_TOKEN, TOKEN);
	put_ends4(&message);
	mnl_attr_put_u8(message.header, MPTCP_ATTR_SERVER_SIDE, 1);
	assert_int_equal(pm_decode(message.header, &event), 0);
	assert_int_equal(event.kind, EVENT_CREATED);
	assert_int_equal(event.key.token, TOKEN);
	assert_true(event.is_server);
	assert_false(event.denies_join);
	assert_int_equal(event.local.family, AF_INET);
	assert_int_equal(event.local.v4.s_addr, htonl(0x0a000001));
	assert_int_equal(event.local.port, 40000);
	assert_int_equal(event.remote.v4.s_addr, htonl(0x0a000002));
	assert_int_equal(event.remote.port, 80);
	assert_int_equal(event.reset_reason, -1);
}

static void decodes_ipv6_and_ids(void **state)
{
	struct in6_addr near = IN6ADDR_LOOPBACK_INIT, far = {.s6_addr = {0xfd, 1}};
	struct message message;
	struct event event;

	(void)state;
	begin(&message, MPTCP_EVENT_SUB_ESTABLISHED);
	mnl_attr_put_u32(message.header, MPTCP_ATTR_TOKEN, TOKEN);
	mnl_attr_put_u16(message.header, MPTCP_ATTR_FAMILY, AF_INET6);
	mnl_attr_put(message.header, MPTCP_ATTR_SADDR6, sizeof(near), &near);
	mnl_attr_put(message.header, MPTCP_ATTR_DADDR6, sizeof(far), &far);
	mnl_attr_put_u16(message.header, MPTCP_ATTR_SPORT, htons(1));
	mnl_attr_put_u16(message.header, MPTCP_ATTR_DPORT, htons(65535));
	mnl_attr_put_u8(message.header, MPTCP_ATTR_LOC_ID, 255);
	assert_int_equal(pm_decode(message.header, &event), 0);
	assert_int_equal(event.kind, EVENT_SUBFLOW_ESTABLISHED);
	assert_int_equal(event.id, 255);
	assert_int_equal(event.local.family, AF_INET6);
	assert_memory_equal(&event.local.v6, &near, sizeof(near));
	assert_memory_equal(&event.remote.v6, &far, sizeof(far));
	assert_int_equal(event.local.port, 1);
	assert_int_equal(event.remote.port, 65535);
}

static void decodes_why_a_subflow_closed(void **state)
{
	struct message message;
	struct event event;

	(void)state;
	begin(&message, MPTCP_EVENT_SUB_CLOSED);
	mnl_attr_put_u32(message.header, MPTCP_ATTR_TOKEN, TOKEN);
	put_ends4(&message);
	mnl_attr_put_u8(message.header, MPTCP_ATTR_ERROR, ECONNREFUSED);
	mnl_attr_put_u32(message.header, MPTCP_ATTR_RESET_REASON, 3);
	assert_int_equal(pm_decode(message.header, &event), 0);
	assert_int_equal(event.kind, EVENT_SUBFLOW_CLOSED);
	assert_int_equal(event.error, ECONNREFUSED);
	assert_int_equal(event.reset_reason, 3);
	assert_false(event.is_transient);
	mnl_attr_put_u32(message.header, MPTCP_ATTR_RESET_FLAGS, 1);
	assert_int_equal(pm_decode(message.header, &event), 0);
	assert_true(event.is_transient);
}

/* net/mptcp: mptcp_event_addr_announced(), mptcp_event_addr_removed(). */
static void decodes_announced_addresses(void **state)
{
	struct in6_addr far = {.s6_addr = {0xfd, 1}};
	struct message message;
	struct event event;

	(void)state;
	begin(&message, MPTCP_EVENT_ANNOUNCED);
	mnl_attr_put_u32(message.header, MPTCP_ATTR_TOKEN, TOKEN);
	mnl_attr_put_u8(message.header, MPTCP_ATTR_REM_ID, 9);
	mnl_attr_put_u16(message.header, MPTCP_ATTR_DPORT, htons(80));
	assert_int_equal(pm_decode(message.header, &event), -EBADMSG);
	mnl_attr_put(message.header, MPTCP_ATTR_DADDR6, sizeof(far), &far);
	assert_int_equal(pm_decode(message.header, &event), 0);
	assert_int_equal(event.kind, EVENT_ANNOUNCED);
	assert_int_equal(event.id, 9);
	assert_int_equal(event.remote.port, 80);
	assert_int_equal(event.remote.family, AF_INET6);
	assert_memory_equal(&event.remote.v6, &far, sizeof(far));

	begin(&message, MPTCP_EVENT_REMOVED);
	mnl_attr_put_u32(message.header, MPTCP_ATTR_TOKEN, TOKEN);
	assert_int_equal(pm_decode(message.header, &event), -EBADMSG);
	mnl_attr_put_u8(message.header, MPTCP_ATTR_REM_ID, 9);
	assert_int_equal(pm_decode(message.header, &event), 0);
	assert_int_equal(event.kind, EVENT_WITHDRAWN);
	assert_int_equal(event.id, 9);
}

/* Newer kernels say server side in the flags alone. */
static void decodes_flags(void **state)
{
	struct message message;
	struct event event;

	(void)state;
	begin(&message, MPTCP_EVENT_ESTABLISHED);
	mnl_attr_put_u32(message.header, MPTCP_ATTR_TOKEN, TOKEN);
	put_ends4(&message);
	mnl_attr_put_u16(
		message.header, MPTCP_ATTR_FLAGS, MPTCP_PM_EV_FLAG_DENY_JOIN_ID0 | (1 << 1));
	assert_int_equal(pm_decode(message.header, &event), 0);
	assert_int_equal(event.kind, EVENT_ESTABLISHED);
	assert_true(event.denies_join);
	assert_true(event.is_server);
}

static void closed_has_no_ends(void **state)
{
	struct message message;
	struct event event;

	(void)state;
	begin(&message, MPTCP_EVENT_CLOSED);
	mnl_attr_put_u32(message.header, MPTCP_ATTR_TOKEN, TOKEN);
	assert_int_equal(pm_decode(message.header, &event), 0);
	assert_int_equal(event.kind, EVENT_CLOSED);
}

static void what_means_nothing_is_none(void **state)
{
	struct message message;
	struct event event;

	(void)state;
	begin(&message, 200);
	assert_int_equal(pm_decode(message.header, &event), 0);
	assert_int_equal(event.kind, EVENT_NONE);
}

/* Each change of a good message leaves the caller's event as it was. */
static void bad_messages_are_refused(void **state)
{
	struct message message;
	struct event event = {.serial = 77};
	struct nlattr *attr;

	(void)state;
	begin(&message, MPTCP_EVENT_CREATED);
	put_ends4(&message);
	assert_int_equal(pm_decode(message.header, &event), -EBADMSG); /* no token */

	begin(&message, MPTCP_EVENT_CREATED);
	mnl_attr_put_u32(message.header, MPTCP_ATTR_TOKEN, TOKEN);
	assert_int_equal(pm_decode(message.header, &event), -EBADMSG); /* no ends */

	begin(&message, MPTCP_EVENT_CREATED);
	mnl_attr_put_u16(message.header, MPTCP_ATTR_TOKEN, 1);
	put_ends4(&message);
	assert_int_equal(pm_decode(message.header, &event), -EBADMSG); /* a short token */

	begin(&message, MPTCP_EVENT_CREATED);
	mnl_attr_put_u32(message.header, MPTCP_ATTR_TOKEN, TOKEN);
	mnl_attr_put_u32(message.header, MPTCP_ATTR_SADDR4, 1);
	mnl_attr_put(message.header, MPTCP_ATTR_DADDR6, 16, "0123456789abcdef");
	assert_int_equal(pm_decode(message.header, &event), -EBADMSG); /* two families */

	begin(&message, MPTCP_EVENT_CLOSED);
	message.header->nlmsg_len = NLMSG_HDRLEN + 1;
	assert_int_equal(pm_decode(message.header, &event), -EBADMSG); /* cut off */

	/* An attribute that claims to be longer than the message is not read. */
	begin(&message, MPTCP_EVENT_CLOSED);
	mnl_attr_put_u32(message.header, MPTCP_ATTR_TOKEN, TOKEN);
	attr = mnl_nlmsg_get_payload_offset(message.header, sizeof(struct genlmsghdr));
	attr->nla_len = 4000;
	assert_int_equal(pm_decode(message.header, &event), -EBADMSG);
	assert_int_equal(event.serial, 77);
}

static void unknown_attributes_are_passed_over(void **state)
{
	struct message message;
	struct event event;

	(void)state;
	begin(&message, MPTCP_EVENT_CLOSED);
	mnl_attr_put(message.header, 500, 3, "abc");
	mnl_attr_put_u32(message.header, MPTCP_ATTR_TOKEN, TOKEN);
	assert_int_equal(pm_decode(message.header, &event), 0);
	assert_int_equal(event.key.token, TOKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_created),
		cmocka_unit_test(decodes_ipv6_and_ids),
		cmocka_unit_test(decodes_why_a_subflow_closed),
		cmocka_unit_test(decodes_announced_addresses),
		cmocka_unit_test(decodes_flags),
		cmocka_unit_test(closed_has_no_ends),
		cmocka_unit_test(what_means_nothing_is_none),
		cmocka_unit_test(bad_messages_are_refused),
		cmocka_unit_test(unknown_attributes_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
