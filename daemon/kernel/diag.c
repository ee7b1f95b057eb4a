/* SPDX-License-Identifier: MIT */
/* What the kernel is asked of its sockets: net/mptcp/mptcp_diag.c. */
#include "diag.h"

#include "kernel/genl.h"
#include "kernel/sockinfo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>

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

struct part {
	void (*each)(void *arg, const struct diag_conn *conn);
	void *arg;
};

static int read_conn(const struct nlmsghdr *message, void *arg)
{
	const struct part *part = arg;
	struct diag_conn conn;

	if (!sockinfo_conn(message, &conn))
		part->each(part->arg, &conn);
	return MNL_CB_OK;
}

static int read_subflow(const struct nlmsghdr *message, void *arg)
{
	const struct dump *dump = arg;
	struct diag_subflow subflow;

	if (!sockinfo_subflow(message, &subflow))
		dump->each_subflow(dump->arg, &subflow);
	return MNL_CB_OK;
}

static int read_flow(const struct nlmsghdr *message, void *arg)
{
	const struct dump *dump = arg;
	struct diag_flow flow;

	if (!sockinfo_flow(message, &flow))
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

	query->idiag_states = SOCKINFO_ESTABLISHED;
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

	answer->err = sockinfo_subflow(message, &answer->subflow);
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
	sockinfo_conn(message, arg);
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

struct pace {
	struct rate_sample sample;
	int err;
};

static int read_pace(const struct nlmsghdr *message, void *arg)
{
	struct pace *pace = arg;

	pace->err = sockinfo_pace(message, &pace->sample);
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

	query->idiag_states = SOCKINFO_OPEN;
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
