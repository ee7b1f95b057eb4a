/* SPDX-License-Identifier: MIT */
/* The decoder of sock_diag's messages, of old and new kernels, and the dump that uses it. */
#include "kernel/sockinfo.h"

#include "../unit.h"
#include "answers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/mptcp.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>

#define TOKEN 0xdeadbeef

/* struct mptcp_info as 6.18 has it, by offset. */
enum {
	AT_FLAGS = 8,
	AT_TOKEN = 12,
	AT_WRITE_SEQ = 16,
	AT_SND_UNA = 24,
	AT_BYTES_SENT = 56,
	AT_BYTES_RECEIVED = 64,
	AT_BYTES_ACKED = 72,
	INFO_BYTES = 80,
};
/* struct tcp_info, the same. */
enum {
	AT_TCP_RTT = 68,
	AT_TCP_BYTES_ACKED = 120,
	AT_TCP_BYTES_RECEIVED = 128,
	AT_TCP_NOTSENT = 144,
	AT_TCP_MIN_RTT = 148,
	AT_TCP_BUSY_TIME = 168,
	AT_TCP_RWND_LIMITED = 176,
};
/* 6.1 ends here. */
enum { OLD_INFO_BYTES = 48 };

static char buffers[5][1024];

static void put_u32(unsigned char *info, size_t at, uint32_t value)
{
	memcpy(info + at, &value, sizeof(value));
}

static void put_u64(unsigned char *info, size_t at, uint64_t value)
{
	memcpy(info + at, &value, sizeof(value));
}

static struct nlmsghdr *message(
	char *buffer, uint8_t family, uint32_t token, uint32_t flags, size_t info_bytes)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct inet_diag_msg *socket = mnl_nlmsg_put_extra_header(header, sizeof(*socket));
	unsigned char info[INFO_BYTES] = {};

	header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	header->nlmsg_flags = NLM_F_MULTI;
	socket->idiag_family = family;
	socket->idiag_state = TCP_ESTABLISHED;
	socket->id.idiag_sport = htons(40000);
	socket->id.idiag_dport = htons(80);
	socket->id.idiag_src[0] = htonl(0x0a000001);
	socket->id.idiag_dst[0] = htonl(0x0a000002);
	put_u32(info, AT_FLAGS, flags);
	put_u32(info, AT_TOKEN, token);
	put_u64(info, AT_WRITE_SEQ, 50);
	put_u64(info, AT_SND_UNA, -100);
	put_u64(info, AT_BYTES_SENT, 123456789012);
	put_u64(info, AT_BYTES_RECEIVED, 345);
	put_u64(info, AT_BYTES_ACKED, 123456780000);
	if (info_bytes)
		mnl_attr_put(header, INET_DIAG_INFO, info_bytes, info);
	return header;
}

static void decodes_a_connection(void **state)
{
	struct diag_conn conn;

	(void)state;
	assert_int_equal(
		sockinfo_conn(message(buffers[0], AF_INET, TOKEN, 0, INFO_BYTES), &conn), 0);
	assert_int_equal(conn.token, TOKEN);
	assert_int_equal(conn.local.family, AF_INET);
	assert_int_equal(conn.local.port, 40000);
	assert_int_equal(conn.local.v4.s_addr, htonl(0x0a000001));
	assert_int_equal(conn.remote.port, 80);
	assert_int_equal(conn.remote.v4.s_addr, htonl(0x0a000002));
	assert_true(conn.has_bytes);
	assert_int_equal(conn.bytes_sent, 123456789012);
	assert_int_equal(conn.bytes_received, 345);
	assert_int_equal(conn.bytes_acked, 123456780000);
}

static void decodes_ipv6(void **state)
{
	const struct in6_addr near = {.s6_addr = {10, 0, 0, 1}};
	struct diag_conn conn;

	(void)state;
	assert_int_equal(
		sockinfo_conn(message(buffers[0], AF_INET6, TOKEN, 0, INFO_BYTES), &conn), 0);
	assert_int_equal(conn.local.family, AF_INET6);
	assert_memory_equal(&conn.local.v6, &near, sizeof(near));
}

static void an_old_kernel_counts_no_bytes(void **state)
{
	struct diag_conn conn;

	(void)state;
	assert_int_equal(
		sockinfo_conn(message(buffers[0], AF_INET, TOKEN, 0, OLD_INFO_BYTES), &conn), 0);
	assert_int_equal(conn.token, TOKEN);
	assert_false(conn.has_bytes);
	assert_int_equal(conn.bytes_sent, 0);
	assert_int_equal(conn.bytes_received, 0);

	/* Counted in part is not counted. */
	assert_int_equal(
		sockinfo_conn(message(buffers[0], AF_INET, TOKEN, 0, AT_BYTES_RECEIVED), &conn), 0);
	assert_false(conn.has_bytes);
	assert_int_equal(conn.bytes_sent, 0);
}

static void what_is_no_connection_has_no_data(void **state)
{
	struct diag_conn conn = {.token = 77};

	(void)state;
	assert_int_equal(
		sockinfo_conn(message(buffers[0], AF_INET, 0, 0, INFO_BYTES), &conn), -ENODATA);
	assert_int_equal(/* fallen back */
		sockinfo_conn(message(buffers[0], AF_INET, TOKEN, 1, INFO_BYTES), &conn), -ENODATA);
	assert_int_equal(/* no information */
		sockinfo_conn(message(buffers[0], AF_INET, TOKEN, 0, 0), &conn), -ENODATA);
	assert_int_equal(conn.token, 77);
}

/* One that is asked for by its token may not have begun, or have ended. */
static void tells_what_is_open(void **state)
{
	static const uint8_t open[] = {
		TCP_ESTABLISHED, TCP_CLOSE_WAIT, TCP_FIN_WAIT1, TCP_FIN_WAIT2};
	struct nlmsghdr *header = message(buffers[0], AF_INET, TOKEN, 0, INFO_BYTES);
	struct inet_diag_msg *socket = mnl_nlmsg_get_payload(header);
	struct diag_conn conn;

	(void)state;
	socket->idiag_inode = 7;
	for (unsigned int i = 0; i < 256; i++) {
		socket->idiag_state = i;
		assert_int_equal(sockinfo_conn(header, &conn), 0);
		assert_int_equal(conn.is_open, memchr(open, i, sizeof(open)) != NULL);
	}
}

/* Shut down in one direction: its socket is there. Closed: it is not, and nobody tells of its end.
 */
static void a_closed_one_is_none(void **state)
{
	struct nlmsghdr *header = message(buffers[0], AF_INET, TOKEN, 0, INFO_BYTES);
	struct inet_diag_msg *socket = mnl_nlmsg_get_payload(header);
	struct diag_conn conn;

	(void)state;
	for (socket->idiag_state = TCP_FIN_WAIT1; socket->idiag_state <= TCP_FIN_WAIT2;
		socket->idiag_state++) {
		socket->idiag_inode = 7;
		assert_int_equal(sockinfo_conn(header, &conn), 0);
		socket->idiag_inode = 0;
		assert_int_equal(sockinfo_conn(header, &conn), -ENODATA);
	}
	/* Not accepted yet. */
	socket->idiag_state = TCP_ESTABLISHED;
	assert_int_equal(sockinfo_conn(header, &conn), 0);
}

static void bad_messages_are_refused(void **state)
{
	struct nlmsghdr *header = message(buffers[0], AF_INET, TOKEN, 0, INFO_BYTES);
	struct diag_conn conn;

	(void)state;
	header->nlmsg_len = NLMSG_HDRLEN + sizeof(struct inet_diag_msg) - 1;
	assert_int_equal(sockinfo_conn(header, &conn), -EBADMSG);
	header = message(buffers[0], AF_UNIX, TOKEN, 0, INFO_BYTES);
	assert_int_equal(sockinfo_conn(header, &conn), -EBADMSG);
	header = message(buffers[0], AF_INET, TOKEN, 0, AT_TOKEN);
	assert_int_equal(sockinfo_conn(header, &conn), -EBADMSG);
}

/* A subflow's message, with the first @info_bytes of struct tcp_info. */
static struct nlmsghdr *subflow_message(char *buffer, size_t info_bytes)
{
	struct nlmsghdr *header = message(buffer, AF_INET, 0, 0, 0);
	unsigned char info[AT_TCP_RWND_LIMITED + 8] = {};
	struct nlattr *ulp, *mptcp;

	put_u32(info, AT_TCP_RTT, 1234);
	put_u32(info, AT_TCP_MIN_RTT, 567);
	put_u64(info, AT_TCP_BYTES_ACKED, 123456789012);
	put_u64(info, AT_TCP_BYTES_RECEIVED, 345);
	put_u32(info, AT_TCP_NOTSENT, 65537);
	put_u64(info, AT_TCP_BUSY_TIME, 98765432109);
	put_u64(info, AT_TCP_RWND_LIMITED, 87654321098);
	mnl_attr_put(header, INET_DIAG_INFO, info_bytes, info);
	ulp = mnl_attr_nest_start(header, INET_DIAG_ULP_INFO);
	mptcp = mnl_attr_nest_start(header, INET_ULP_INFO_MPTCP);
	mnl_attr_put_u32(header, MPTCP_SUBFLOW_ATTR_TOKEN_LOC, TOKEN);
	mnl_attr_put_u8(header, MPTCP_SUBFLOW_ATTR_ID_LOC, 3);
	mnl_attr_put_u8(header, MPTCP_SUBFLOW_ATTR_ID_REM, 7);
	mnl_attr_nest_end(header, mptcp);
	mnl_attr_nest_end(header, ulp);
	return header;
}

static void decodes_what_a_subflow_has_carried(void **state)
{
	struct diag_subflow subflow = {};

	(void)state;
	assert_int_equal(
		sockinfo_subflow(subflow_message(buffers[0], AT_TCP_BYTES_RECEIVED + 8), &subflow),
		0);
	assert_int_equal(subflow.token, TOKEN);
	assert_int_equal(subflow.id, 3);
	assert_int_equal(subflow.remote_id, 7);
	assert_int_equal(subflow.bytes_acked, 123456789012);
	assert_int_equal(subflow.bytes_received, 345);
	assert_int_equal(subflow.device, 0);

	assert_int_equal(
		sockinfo_subflow(subflow_message(buffers[0], AT_TCP_BYTES_RECEIVED + 7), &subflow),
		0);
	assert_int_equal(subflow.bytes_acked, 123456789012);
	assert_int_equal(subflow.bytes_received, 0);
}

static void tells_plain_tcp_from_subflows(void **state)
{
	struct nlmsghdr *header = message(buffers[0], AF_INET, 0, 0, 0);
	unsigned char info[AT_TCP_BYTES_RECEIVED + 8] = {};
	struct diag_flow flow = {};

	(void)state;
	assert_int_equal(sockinfo_flow(subflow_message(buffers[1], sizeof(info)), &flow), -ENODATA);
	put_u64(info, AT_TCP_BYTES_ACKED, 123456789012);
	put_u64(info, AT_TCP_BYTES_RECEIVED, 345);
	((struct inet_diag_msg *)mnl_nlmsg_get_payload(header))->idiag_uid = 1000;
	mnl_attr_put(header, INET_DIAG_INFO, sizeof(info), info);
	assert_int_equal(sockinfo_flow(header, &flow), 0);
	assert_int_equal(flow.uid, 1000);
	assert_int_equal(flow.bytes_acked, 123456789012);
	assert_int_equal(flow.bytes_received, 345);
	assert_int_equal(flow.local.port, 40000);
	assert_int_equal(flow.remote.port, 80);
	header->nlmsg_len = NLMSG_HDRLEN + sizeof(struct inet_diag_msg) - 1;
	assert_int_equal(sockinfo_flow(header, &flow), -EBADMSG);
}

static void decodes_the_device_of_a_subflow(void **state)
{
	struct nlmsghdr *header = subflow_message(buffers[0], 0);
	struct inet_diag_msg *socket = mnl_nlmsg_get_payload(header);
	struct diag_subflow subflow = {};

	(void)state;
	socket->id.idiag_if = 7;
	assert_int_equal(sockinfo_subflow(header, &subflow), 0);
	assert_int_equal(subflow.device, 7);
}

static void count(void *arg, const struct diag_conn *conn)
{
	unsigned int *tokens = arg;

	*tokens += conn->token;
}

static void put(const struct nlmsghdr *header)
{
	answers_put(header, header->nlmsg_len, -1);
}

static void dumps_both_families(void **state)
{
	unsigned int tokens = 0;

	(void)state;
	answers_reset();
	put(message(buffers[0], AF_INET, 1, 0, INFO_BYTES));
	put(message(buffers[1], AF_INET, 2, 0, INFO_BYTES));
	put(message(buffers[2], AF_INET, 4, 1, INFO_BYTES)); /* fallen back */
	put(answers_done(buffers[3], 0));
	put(message(buffers[4], AF_INET6, 8, 0, INFO_BYTES));
	put((struct nlmsghdr *)buffers[3]);
	assert_int_equal(diag_dump(count, &tokens), 0);
	assert_int_equal(tokens, 1 + 2 + 8);
	assert_int_equal(answers.asked, 2);
}

static void a_kernel_without_diagnosis_says_so(void **state)
{
	unsigned int tokens = 0;

	(void)state;
	answers_reset();
	put(answers_acknowledge(buffers[0], -ENOENT));
	assert_int_equal(diag_dump(count, &tokens), -ENOENT);
	assert_int_equal(tokens, 0);
}

static void finds_one_by_its_token(void **state)
{
	const struct inet_diag_req_v2 *query;
	struct diag_conn conn = {};
	struct nlmsghdr *found;

	(void)state;
	answers_reset();
	found = message(buffers[0], AF_INET6, TOKEN, 0, INFO_BYTES);
	((struct inet_diag_msg *)mnl_nlmsg_get_payload(found))->idiag_uid = 1000;
	put(found);
	assert_int_equal(diag_find(TOKEN, &conn), 0);
	assert_int_equal(conn.uid, 1000);
	query = mnl_nlmsg_get_payload((struct nlmsghdr *)answers.request);
	assert_int_equal(query->id.idiag_cookie[0], TOKEN);

	answers_reset();
	put(message(buffers[0], AF_INET, TOKEN + 1, 0, INFO_BYTES));
	assert_int_equal(diag_find(TOKEN, &conn), -ENOENT);
	answers_reset();
	put(message(buffers[0], AF_INET, TOKEN, 1, INFO_BYTES)); /* fallen back */
	assert_int_equal(diag_find(TOKEN, &conn), -ENOENT);
	answers_reset();
	put(answers_acknowledge(buffers[0], -ENOENT));
	assert_int_equal(diag_find(TOKEN, &conn), -ENOENT);
	assert_int_equal(conn.uid, 1000);
}

/* First the subflow, then its connection; on an old kernel all its subflows. */
static void measures_a_connection(void **state)
{
	const struct endpoint local = {.family = AF_INET,
				      .port = 40000,
				      .v4.s_addr = htonl(0x0a000001)},
			      remote = {.family = AF_INET,
				      .port = 80,
				      .v4.s_addr = htonl(0x0a000002)};
	struct rate_sample sample = {};

	(void)state;
	answers_reset();
	put(subflow_message(buffers[0], AT_TCP_RWND_LIMITED + 8));
	put(message(buffers[1], AF_INET, TOKEN, 0, INFO_BYTES));
	assert_int_equal(diag_measure(TOKEN, &local, &remote, &sample), 0);
	assert_int_equal(sample.srtt_us, 1234);
	assert_int_equal(sample.least_us, 567);
	assert_int_equal(sample.own_acked, 123456789012);
	assert_int_equal(sample.held_us, 87654321098);
	assert_int_equal(sample.unsent, 65537);
	assert_int_equal(sample.queued, 150);
	assert_int_equal(sample.busy_us, 98765432109);
	assert_int_equal(sample.bytes_acked, 123456780000);
	assert_int_equal(sample.bytes_received, 345);

	answers_reset();
	put(subflow_message(buffers[0], AT_TCP_RWND_LIMITED + 8));
	put(message(buffers[1], AF_INET, TOKEN, 0, OLD_INFO_BYTES));
	put(subflow_message(buffers[2], AT_TCP_RWND_LIMITED + 8));
	put(answers_done(buffers[3], 0));
	put((struct nlmsghdr *)buffers[3]);
	assert_int_equal(diag_measure(TOKEN, &local, &remote, &sample), 0);
	assert_int_equal(sample.bytes_acked, 123456789012);
	assert_int_equal(sample.bytes_received, 345);
	assert_int_equal(sample.srtt_us, 1234);
}

static void measures_a_subflow(void **state)
{
	const struct endpoint end = {.family = AF_INET};
	struct rate_sample sample = {};

	(void)state;
	answers_reset();
	put(subflow_message(buffers[0], AT_TCP_RWND_LIMITED + 8));
	assert_int_equal(diag_pace(&end, &end, &sample), 0);
	assert_int_equal(sample.bytes_acked, 123456789012);
	assert_int_equal(sample.bytes_received, 345);
	assert_int_equal(sample.busy_us, 98765432109);
	assert_int_equal(sample.held_us, 87654321098);
	answers_reset();
	put(answers_acknowledge(buffers[0], -ENOENT));
	assert_int_equal(diag_pace(&end, &end, &sample), -ENOENT);
}

static void what_cannot_be_measured_is_no_sample(void **state)
{
	const struct endpoint end = {.family = AF_INET};
	struct rate_sample sample = {.srtt_us = 7};

	(void)state;
	answers_reset(); /* the subflow is gone */
	put(answers_acknowledge(buffers[0], -ENOENT));
	assert_int_equal(diag_measure(TOKEN, &end, &end, &sample), -ENOENT);
	answers_reset(); /* an older kernel's */
	put(subflow_message(buffers[0], AT_TCP_RWND_LIMITED + 7));
	assert_int_equal(diag_measure(TOKEN, &end, &end, &sample), -EBADMSG);
	answers_reset(); /* fallen back */
	put(subflow_message(buffers[0], AT_TCP_RWND_LIMITED + 8));
	put(message(buffers[1], AF_INET, TOKEN, 1, INFO_BYTES));
	assert_int_equal(diag_measure(TOKEN, &end, &end, &sample), -ENOENT);
	assert_int_equal(sample.srtt_us, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_a_connection),
		cmocka_unit_test(decodes_ipv6),
		cmocka_unit_test(an_old_kernel_counts_no_bytes),
		cmocka_unit_test(what_is_no_connection_has_no_data),
		cmocka_unit_test(tells_what_is_open),
		cmocka_unit_test(a_closed_one_is_none),
		cmocka_unit_test(bad_messages_are_refused),
		cmocka_unit_test(decodes_what_a_subflow_has_carried),
		cmocka_unit_test(tells_plain_tcp_from_subflows),
		cmocka_unit_test(decodes_the_device_of_a_subflow),
		cmocka_unit_test(dumps_both_families),
		cmocka_unit_test(a_kernel_without_diagnosis_says_so),
		cmocka_unit_test(finds_one_by_its_token),
		cmocka_unit_test(measures_a_connection),
		cmocka_unit_test(measures_a_subflow),
		cmocka_unit_test(what_cannot_be_measured_is_no_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
