/* SPDX-License-Identifier: MIT */
/* What the kernel says of one socket: a message of sock_diag. */
#include "sockinfo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/mptcp.h>
#include <stddef.h>
#include <string.h>

/* struct mptcp_info, as far as we read it; 6.1 ends before the byte counters. */
struct info {
	uint8_t subflows, add_addr_signal, add_addr_accepted, subflows_max, add_addr_signal_max,
		add_addr_accepted_max;
	uint32_t flags, token;
	uint64_t write_seq, snd_una, rcv_nxt;
	uint8_t local_addr_used, local_addr_max, csum_enabled;
	uint32_t retransmits;
	uint64_t bytes_retrans, bytes_sent, bytes_received, bytes_acked;
};

/* In struct tcp_info, which is of any length: include/uapi/linux/tcp.h. */
enum {
	AT_RTT = 68,
	AT_BYTES_ACKED = 120,
	AT_BYTES_RECEIVED = 128,
	AT_NOTSENT = 144,
	AT_MIN_RTT = 148,
	AT_BUSY_TIME = 168,
	AT_RWND_LIMITED = 176,
};

#define FLAG_FALLBACK  (1 << 0)
#define OLD_INFO_BYTES (offsetof(struct info, token) + sizeof(uint32_t))

static void read_endpoint(
	struct endpoint *endpoint, uint8_t family, const __be32 *address, __be16 port)
{
	endpoint->family = family;
	endpoint->port = ntohs(port);
	if (family == AF_INET)
		memcpy(&endpoint->v4, address, sizeof(endpoint->v4));
	else
		memcpy(&endpoint->v6, address, sizeof(endpoint->v6));
}

struct conn_attrs {
	const struct nlattr *info, *cgroup;
};

static int find_conn_attrs(const struct nlattr *attr, void *arg)
{
	struct conn_attrs *attrs = arg;

	if (mnl_attr_get_type(attr) == INET_DIAG_INFO)
		attrs->info = attr;
	else if (mnl_attr_get_type(attr) == INET_DIAG_CGROUP_ID)
		attrs->cgroup = attr;
	return MNL_CB_OK;
}

/* The kernel has told of its CLOSED already. */
static bool is_closed_by_application(const struct inet_diag_msg *socket)
{
	return (socket->idiag_state == TCP_FIN_WAIT1 || socket->idiag_state == TCP_FIN_WAIT2) &&
	       !socket->idiag_inode;
}

int sockinfo_conn(const struct nlmsghdr *message, struct diag_conn *ret_conn)
{
	struct conn_attrs attrs = {};
	const struct inet_diag_msg *socket;
	struct diag_conn conn = {};
	struct info info = {};
	size_t len;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*socket))
		return -EBADMSG;
	socket = mnl_nlmsg_get_payload(message);
	if (socket->idiag_family != AF_INET && socket->idiag_family != AF_INET6)
		return -EBADMSG;
	if (is_closed_by_application(socket))
		return -ENODATA;
	mnl_attr_parse(message, sizeof(*socket), find_conn_attrs, &attrs);
	if (!attrs.info)
		return -ENODATA;
	len = mnl_attr_get_payload_len(attrs.info);
	if (len < OLD_INFO_BYTES)
		return -EBADMSG;
	memcpy(&info, mnl_attr_get_payload(attrs.info), len < sizeof(info) ? len : sizeof(info));
	if (!info.token || info.flags & FLAG_FALLBACK)
		return -ENODATA;
	conn.token = info.token;
	conn.uid = socket->idiag_uid;
	conn.device = socket->id.idiag_if;
	conn.is_open = socket->idiag_state < 32 && SOCKINFO_OPEN & 1u << socket->idiag_state;
	if (attrs.cgroup && mnl_attr_get_payload_len(attrs.cgroup) >= sizeof(conn.cgroup))
		conn.cgroup = mnl_attr_get_u64(attrs.cgroup);
	conn.bytes_queued = info.write_seq - info.snd_una;
	conn.has_bytes = len >= sizeof(info);
	if (conn.has_bytes) {
		conn.bytes_sent = info.bytes_sent;
		conn.bytes_acked = info.bytes_acked;
		conn.bytes_received = info.bytes_received;
	}
	read_endpoint(
		&conn.local, socket->idiag_family, socket->id.idiag_src, socket->id.idiag_sport);
	read_endpoint(
		&conn.remote, socket->idiag_family, socket->id.idiag_dst, socket->id.idiag_dport);
	*ret_conn = conn;
	return 0;
}

struct nests {
	const struct nlattr *info, *ulp, *mptcp, *values[MPTCP_SUBFLOW_ATTR_MAX + 1];
};

static int find_ulp(const struct nlattr *attr, void *arg)
{
	if (mnl_attr_get_type(attr) == INET_DIAG_ULP_INFO)
		((struct nests *)arg)->ulp = attr;
	if (mnl_attr_get_type(attr) == INET_DIAG_INFO)
		((struct nests *)arg)->info = attr;
	return MNL_CB_OK;
}

static int find_mptcp(const struct nlattr *attr, void *arg)
{
	if (mnl_attr_get_type(attr) == INET_ULP_INFO_MPTCP)
		((struct nests *)arg)->mptcp = attr;
	return MNL_CB_OK;
}

static int find_value(const struct nlattr *attr, void *arg)
{
	if (mnl_attr_get_type(attr) <= MPTCP_SUBFLOW_ATTR_MAX)
		((struct nests *)arg)->values[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static uint32_t read_number(const struct nests *nests, int type, size_t size)
{
	const struct nlattr *attr = nests->values[type];

	if (!attr || mnl_attr_get_payload_len(attr) < size)
		return 0;
	return size == 1 ? mnl_attr_get_u8(attr) : mnl_attr_get_u32(attr);
}

/* Of struct tcp_info; 0 where the kernel's ends before. */
static uint64_t read_bytes(const struct nlattr *info, size_t at)
{
	uint64_t bytes = 0;

	if (info && mnl_attr_get_payload_len(info) >= at + sizeof(bytes))
		memcpy(&bytes, (const char *)mnl_attr_get_payload(info) + at, sizeof(bytes));
	return bytes;
}

/* What is said of a TCP socket; ret_nests->mptcp: it is a subflow. -EBADMSG. */
static int read_tcp(const struct nlmsghdr *message, const struct inet_diag_msg **ret_socket,
	struct nests *ret_nests)
{
	const struct inet_diag_msg *socket;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*socket))
		return -EBADMSG;
	socket = mnl_nlmsg_get_payload(message);
	if (socket->idiag_family != AF_INET && socket->idiag_family != AF_INET6)
		return -EBADMSG;
	mnl_attr_parse(message, sizeof(*socket), find_ulp, ret_nests);
	if (ret_nests->ulp)
		mnl_attr_parse_nested(ret_nests->ulp, find_mptcp, ret_nests);
	*ret_socket = socket;
	return 0;
}

int sockinfo_flow(const struct nlmsghdr *message, struct diag_flow *ret_flow)
{
	const struct inet_diag_msg *socket;
	struct diag_flow flow = {};
	struct nests nests = {};
	int err = read_tcp(message, &socket, &nests);

	if (err)
		return err;
	if (nests.mptcp)
		return -ENODATA;
	flow.uid = socket->idiag_uid;
	flow.bytes_acked = read_bytes(nests.info, AT_BYTES_ACKED);
	flow.bytes_received = read_bytes(nests.info, AT_BYTES_RECEIVED);
	read_endpoint(
		&flow.local, socket->idiag_family, socket->id.idiag_src, socket->id.idiag_sport);
	read_endpoint(
		&flow.remote, socket->idiag_family, socket->id.idiag_dst, socket->id.idiag_dport);
	*ret_flow = flow;
	return 0;
}

int sockinfo_subflow(const struct nlmsghdr *message, struct diag_subflow *ret_subflow)
{
	const struct inet_diag_msg *socket;
	struct diag_subflow subflow = {};
	struct nests nests = {};
	uint32_t flags;
	int err = read_tcp(message, &socket, &nests);

	if (err)
		return err;
	if (nests.mptcp)
		mnl_attr_parse_nested(nests.mptcp, find_value, &nests);
	subflow.token = read_number(&nests, MPTCP_SUBFLOW_ATTR_TOKEN_LOC, 4);
	if (!subflow.token)
		return -ENODATA;
	subflow.id = read_number(&nests, MPTCP_SUBFLOW_ATTR_ID_LOC, 1);
	subflow.remote_id = read_number(&nests, MPTCP_SUBFLOW_ATTR_ID_REM, 1);
	flags = read_number(&nests, MPTCP_SUBFLOW_ATTR_FLAGS, 4);
	subflow.is_server = !(flags & (MPTCP_SUBFLOW_FLAG_MCAP_LOC | MPTCP_SUBFLOW_FLAG_JOIN_LOC));
	subflow.is_opening = socket->idiag_state == TCP_SYN_SENT;
	subflow.is_backup = flags & MPTCP_SUBFLOW_FLAG_BKUP_LOC;
	subflow.device = socket->id.idiag_if;
	subflow.bytes_acked = read_bytes(nests.info, AT_BYTES_ACKED);
	subflow.bytes_received = read_bytes(nests.info, AT_BYTES_RECEIVED);
	read_endpoint(
		&subflow.local, socket->idiag_family, socket->id.idiag_src, socket->id.idiag_sport);
	read_endpoint(&subflow.remote, socket->idiag_family, socket->id.idiag_dst,
		socket->id.idiag_dport);
	*ret_subflow = subflow;
	return 0;
}

int sockinfo_pace(const struct nlmsghdr *message, struct rate_sample *ret_sample)
{
	const struct inet_diag_msg *socket;
	struct nests nests = {};
	const char *info;
	int err = read_tcp(message, &socket, &nests);

	if (err)
		return err;
	if (!nests.info ||
		mnl_attr_get_payload_len(nests.info) < AT_RWND_LIMITED + sizeof(uint64_t))
		return -EBADMSG;
	info = mnl_attr_get_payload(nests.info);
	memcpy(&ret_sample->srtt_us, info + AT_RTT, sizeof(ret_sample->srtt_us));
	memcpy(&ret_sample->least_us, info + AT_MIN_RTT, sizeof(ret_sample->least_us));
	memcpy(&ret_sample->unsent, info + AT_NOTSENT, sizeof(ret_sample->unsent));
	ret_sample->bytes_acked = read_bytes(nests.info, AT_BYTES_ACKED);
	ret_sample->bytes_received = read_bytes(nests.info, AT_BYTES_RECEIVED);
	ret_sample->own_acked = read_bytes(nests.info, AT_BYTES_ACKED);
	ret_sample->busy_us = read_bytes(nests.info, AT_BUSY_TIME);
	ret_sample->held_us = read_bytes(nests.info, AT_RWND_LIMITED);
	return 0;
}
