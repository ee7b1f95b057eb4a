/* SPDX-License-Identifier: MIT */
/* What the kernel knows of every MPTCP connection: net/mptcp/mptcp_diag.c. */
#include "diag.h"

#include "kernel/genl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/mptcp.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
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

#define FLAG_FALLBACK (1 << 0)
#define ESTABLISHED   (1 << TCP_ESTABLISHED | 1 << TCP_CLOSE_WAIT)
/* One that sends no more receives on. */
#define OPEN           (ESTABLISHED | 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2)
#define OLD_INFO_BYTES (offsetof(struct info, token) + sizeof(uint32_t))

struct dump {
	void (*each_subflow)(void *arg, const struct diag_subflow *subflow);
	void (*each_flow)(void *arg, const struct diag_flow *flow);
	void *arg;
};

static int find_info(const struct nlattr *attr, void *arg)
{
	if (mnl_attr_get_type(attr) == INET_DIAG_INFO)
		*(const struct nlattr **)arg = attr;
	return MNL_CB_OK;
}

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

int diag_decode(const struct nlmsghdr *message, struct diag_conn *ret_conn)
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
	conn.is_open = socket->idiag_state < 32 && OPEN & 1u << socket->idiag_state;
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

int diag_decode_flow(const struct nlmsghdr *message, struct diag_flow *ret_flow)
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

int diag_decode_subflow(const struct nlmsghdr *message, struct diag_subflow *ret_subflow)
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

struct part {
	void (*each)(void *arg, const struct diag_conn *conn);
	void *arg;
};

static int read_conn(const struct nlmsghdr *message, void *arg)
{
	const struct part *part = arg;
	struct diag_conn conn;

	if (!diag_decode(message, &conn))
		part->each(part->arg, &conn);
	return MNL_CB_OK;
}

static int read_subflow(const struct nlmsghdr *message, void *arg)
{
	const struct dump *dump = arg;
	struct diag_subflow subflow;

	if (!diag_decode_subflow(message, &subflow))
		dump->each_subflow(dump->arg, &subflow);
	return MNL_CB_OK;
}

static int read_flow(const struct nlmsghdr *message, void *arg)
{
	const struct dump *dump = arg;
	struct diag_flow flow;

	if (!diag_decode_flow(message, &flow))
		dump->each_flow(dump->arg, &flow);
	return MNL_CB_OK;
}

static struct inet_diag_req_v2 *begin_query(
	struct nlmsghdr *request, uint16_t flags, uint8_t family)
{
	struct inet_diag_req_v2 *query;

	request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	request->nlmsg_flags = NLM_F_REQUEST | flags;
	query = mnl_nlmsg_put_extra_header(request, sizeof(*query));
	query->sdiag_family = family;
	query->sdiag_protocol = IPPROTO_TCP; /* eight bits are too few: an attribute says MPTCP */
	query->idiag_ext = 1 << (INET_DIAG_INFO - 1);
	query->idiag_states = ~0u;
	return query;
}

static int dump_family(struct mnl_socket *socket, uint8_t family, struct dump *dump)
{
	char buffer[GENL_BUFFER_BYTES];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *query = begin_query(request, NLM_F_DUMP, family);

	query->idiag_states = ESTABLISHED;
	if (!dump->each_subflow)
		return genl_ask(socket, request, read_flow, dump);
	query->idiag_states |= 1 << TCP_SYN_SENT;
	return genl_ask(socket, request, read_subflow, dump);
}

static int dump_all(struct dump *dump)
{
	struct mnl_socket *socket;
	int err = genl_open(NETLINK_SOCK_DIAG, &socket);

	if (err)
		return err;
	err = dump_family(socket, AF_INET, dump);
	if (!err)
		err = dump_family(socket, AF_INET6, dump);
	mnl_socket_close(socket);
	return err;
}

static int ask_once(struct nlmsghdr *request, mnl_cb_t read, void *arg)
{
	struct mnl_socket *socket;
	int err = genl_open(NETLINK_SOCK_DIAG, &socket);

	if (err)
		return err;
	err = genl_ask(socket, request, read, arg);
	mnl_socket_close(socket);
	return err;
}

static void write_endpoint(__be32 *address, __be16 *port, const struct endpoint *endpoint)
{
	*port = htons(endpoint->port);
	if (endpoint->family == AF_INET)
		memcpy(address, &endpoint->v4, sizeof(endpoint->v4));
	else
		memcpy(address, &endpoint->v6, sizeof(endpoint->v6));
}

struct silence {
	uint32_t least_ms;
	bool is_silent, is_known;
};

static int read_silence(const struct nlmsghdr *message, void *arg)
{
	const struct nlattr *attr = NULL;
	struct silence *silence = arg;
	struct tcp_info info;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct inet_diag_msg))
		return MNL_CB_STOP;
	mnl_attr_parse(message, sizeof(struct inet_diag_msg), find_info, &attr);
	if (!attr || mnl_attr_get_payload_len(attr) < sizeof(info))
		return MNL_CB_STOP;
	memcpy(&info, mnl_attr_get_payload(attr), sizeof(info));
	silence->is_known = true;
	silence->is_silent = info.tcpi_retransmits && info.tcpi_last_ack_recv >= silence->least_ms;
	return MNL_CB_STOP;
}

/* What is said of the one TCP socket between these ends; -ENOENT. */
static int ask_about(
	const struct endpoint *local, const struct endpoint *remote, mnl_cb_t read, void *arg)
{
	char buffer[GENL_BUFFER_BYTES];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *query = begin_query(request, 0, local->family);

	query->id.idiag_cookie[0] = query->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	write_endpoint(query->id.idiag_src, &query->id.idiag_sport, local);
	write_endpoint(query->id.idiag_dst, &query->id.idiag_dport, remote);
	return ask_once(request, read, arg);
}

int diag_is_silent(const struct endpoint *local, const struct endpoint *remote, uint32_t least_ms,
	bool *ret_is_silent)
{
	struct silence silence = {.least_ms = least_ms};
	int err = ask_about(local, remote, read_silence, &silence);

	if (err)
		return err;
	if (!silence.is_known)
		return -EPROTO;
	*ret_is_silent = silence.is_silent;
	return 0;
}

struct subflow_answer {
	struct diag_subflow subflow;
	int err;
};

static int read_this(const struct nlmsghdr *message, void *arg)
{
	struct subflow_answer *answer = arg;

	answer->err = diag_decode_subflow(message, &answer->subflow);
	return MNL_CB_STOP;
}

int diag_is_backup(const struct endpoint *local, const struct endpoint *remote, bool *ret_is_backup)
{
	struct subflow_answer answer = {.err = -ENOENT};
	int err = ask_about(local, remote, read_this, &answer);

	if (!err)
		err = answer.err;
	if (!err)
		*ret_is_backup = answer.subflow.is_backup;
	return err;
}

static int read_one(const struct nlmsghdr *message, void *arg)
{
	diag_decode(message, arg);
	return MNL_CB_STOP;
}

int diag_find(uint32_t token, struct diag_conn *ret_conn)
{
	char buffer[GENL_BUFFER_BYTES];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	/* Of either family: the token alone is looked at. */
	struct inet_diag_req_v2 *query = begin_query(request, 0, AF_INET);
	struct diag_conn conn = {};
	int err;

	query->id.idiag_cookie[0] = token; /* mptcp_diag_dump_one() */
	mnl_attr_put_u32(request, INET_DIAG_REQ_PROTOCOL, IPPROTO_MPTCP);
	err = ask_once(request, read_one, &conn);
	if (!err && conn.token != token)
		err = -ENOENT;
	if (!err)
		*ret_conn = conn;
	return err;
}

int diag_decode_pace(const struct nlmsghdr *message, struct rate_sample *ret_sample)
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

struct pace {
	struct rate_sample sample;
	int err;
};

static int read_pace(const struct nlmsghdr *message, void *arg)
{
	struct pace *pace = arg;

	pace->err = diag_decode_pace(message, &pace->sample);
	return MNL_CB_STOP;
}

int diag_pace(
	const struct endpoint *local, const struct endpoint *remote, struct rate_sample *ret_sample)
{
	struct pace pace = {.err = -ENOENT};
	int err = ask_about(local, remote, read_pace, &pace);

	if (!err)
		err = pace.err;
	if (!err)
		*ret_sample = pace.sample;
	return err;
}

/* Where the kernel does not count by connection. */
struct sum {
	uint32_t token;
	struct rate_sample *sample;
};

static void add_subflow(void *arg, const struct diag_subflow *subflow)
{
	const struct sum *sum = arg;

	if (subflow->token != sum->token)
		return;
	sum->sample->bytes_acked += subflow->bytes_acked;
	sum->sample->bytes_received += subflow->bytes_received;
}

int diag_measure(uint32_t token, const struct endpoint *local, const struct endpoint *remote,
	struct rate_sample *ret_sample)
{
	struct rate_sample sample;
	struct diag_conn conn;
	int err = diag_pace(local, remote, &sample);

	if (!err)
		err = diag_find(token, &conn);
	if (err)
		return err;
	sample.queued = conn.bytes_queued;
	sample.bytes_acked = conn.bytes_acked;
	sample.bytes_received = conn.bytes_received;
	if (!conn.has_bytes)
		err = diag_dump_subflows(
			add_subflow, &(struct sum){.token = token, .sample = &sample});
	if (!err)
		*ret_sample = sample;
	return err;
}

static int ask_family(struct diag_walk *walk, uint8_t family)
{
	char buffer[GENL_BUFFER_BYTES];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *query = begin_query(request, NLM_F_DUMP, family);

	query->idiag_states = OPEN;
	mnl_attr_put_u32(request, INET_DIAG_REQ_PROTOCOL, IPPROTO_MPTCP);
	walk->family = family;
	return genl_send(walk->socket, request, &walk->sequence);
}

int diag_walk_begin(struct diag_walk *walk)
{
	int err = genl_open(NETLINK_SOCK_DIAG, &walk->socket);

	if (err)
		return err;
	err = ask_family(walk, AF_INET);
	if (err)
		diag_walk_end(walk);
	return err;
}

int diag_walk_next(
	struct diag_walk *walk, void (*each)(void *arg, const struct diag_conn *conn), void *arg)
{
	struct part part = {.each = each, .arg = arg};
	int r = genl_read(walk->socket, walk->sequence, read_conn, &part);

	if (!r && walk->family == AF_INET) {
		r = ask_family(walk, AF_INET6);
		if (!r)
			return 1;
	}
	if (r <= 0)
		diag_walk_end(walk);
	return r;
}

void diag_walk_end(struct diag_walk *walk)
{
	if (walk->socket)
		mnl_socket_close(walk->socket);
	walk->socket = NULL;
}

int diag_dump(void (*each)(void *arg, const struct diag_conn *conn), void *arg)
{
	struct diag_walk walk;
	int r = diag_walk_begin(&walk);

	if (r)
		return r;
	do
		r = diag_walk_next(&walk, each, arg);
	while (r > 0);
	return r;
}

int diag_dump_subflows(void (*each)(void *arg, const struct diag_subflow *subflow), void *arg)
{
	return dump_all(&(struct dump){.each_subflow = each, .arg = arg});
}

int diag_dump_flows(void (*each)(void *arg, const struct diag_flow *flow), void *arg)
{
	return dump_all(&(struct dump){.each_flow = each, .arg = arg});
}
