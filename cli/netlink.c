/* SPDX-License-Identifier: MIT */
/* Asks the kernel over netlink, one request and its answers at a time. */
#include "netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/inet_diag.h>
#include <linux/mptcp.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

enum { REQUEST_SIZE = 256, ANSWER_SIZE = 32 << 10, ERRNO_MAX = 4095 };

/* An errno as the kernel writes it, negative; anything else is no answer. */
static int finish(int error)
{
	if (error == 0)
		return MNL_CB_STOP;
	errno = error < 0 && error >= -ERRNO_MAX ? -error : EBADMSG;
	return MNL_CB_ERROR;
}

/* A dump says in its last message whether it went well; libmnl ignores that. */
static int on_done(const struct nlmsghdr *nlh, void *data)
{
	int error = 0;

	(void)data;
	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(error))
		memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
	return finish(error);
}

static int on_error(const struct nlmsghdr *nlh, void *data)
{
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(nlh);

	(void)data;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*answer)) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	return finish(answer->error);
}

/*
 * libmnl takes a length beyond INT_MAX for a negative one, and believes that
 * every message is followed by its padding.
 */
static bool is_sound(const char *bytes, size_t len)
{
	struct nlmsghdr header;

	for (; len > 0; bytes += header.nlmsg_len, len -= header.nlmsg_len) {
		if (len < sizeof(header))
			return false;
		memcpy(&header, bytes, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > len ||
			header.nlmsg_len % NLMSG_ALIGNTO)
			return false;
	}
	return true;
}

static int ask(struct mnl_socket *nl, struct nlmsghdr *request, mnl_cb_t on_answer, void *data)
{
	static mnl_cb_t control[NLMSG_MIN_TYPE] = {
		[NLMSG_DONE] = on_done, [NLMSG_ERROR] = on_error};
	char buf[ANSWER_SIZE];
	int r;

	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	request->nlmsg_seq = (uint32_t)time(NULL);
	if (mnl_socket_sendto(nl, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof(buf));

		if (n < 0)
			return -errno;
		if (n == 0 || !is_sound(buf, (size_t)n))
			return -EBADMSG;
		r = mnl_cb_run2(buf, (size_t)n, request->nlmsg_seq, mnl_socket_get_portid(nl),
			on_answer, data, control, NLMSG_MIN_TYPE);
	} while (r > 0);
	return r < 0 ? -errno : 0;
}

static struct mnl_socket *open_netlink(int bus)
{
	static const struct timeval timeout = {.tv_sec = 2};
	struct mnl_socket *nl = mnl_socket_open2(bus, SOCK_CLOEXEC);

	if (!nl)
		return NULL;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
		setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVTIMEO, &timeout,
			sizeof(timeout)) < 0) {
		mnl_socket_close(nl);
		return NULL;
	}
	return nl;
}

static struct nlmsghdr *put_header(char *buf, uint16_t family, uint8_t command, uint8_t version)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));

	nlh->nlmsg_type = family;
	genl->cmd = command;
	genl->version = version;
	return nlh;
}

static void read_group(const struct nlattr *group, struct netlink *pm)
{
	const struct nlattr *attr;
	const char *name = NULL;
	uint32_t id = 0;

	mnl_attr_for_each_nested(attr, group)
	{
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID &&
			mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			id = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME &&
			mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			name = mnl_attr_get_str(attr);
	}
	if (name && !strcmp(name, MPTCP_PM_EV_GRP_NAME))
		pm->events_group = id;
}

static int read_family(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr, *group;
	struct netlink *pm = data;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID &&
			mnl_attr_validate(attr, MNL_TYPE_U16) >= 0)
			pm->family = mnl_attr_get_u16(attr);
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS)
			mnl_attr_for_each_nested(group, attr) read_group(group, pm);
	}
	return MNL_CB_OK;
}

static int count_message(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	++*(unsigned *)data;
	return MNL_CB_OK;
}

static int read_limit(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh,
		sizeof(struct genlmsghdr)) if (mnl_attr_get_type(attr) == MPTCP_PM_ATTR_SUBFLOWS &&
					       mnl_attr_validate(attr, MNL_TYPE_U32) >= 0) *
		(uint32_t *)data = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

int netlink_init(struct netlink *pm)
{
	struct netlink found = {.socket = open_netlink(NETLINK_GENERIC)};
	char buf[REQUEST_SIZE];
	struct nlmsghdr *nlh;
	int r;

	if (!found.socket)
		return -errno;
	nlh = put_header(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, MPTCP_PM_NAME);
	r = ask(found.socket, nlh, read_family, &found);
	if (r == 0 && !found.family)
		r = -ENOENT;
	if (r < 0) {
		mnl_socket_close(found.socket);
		return r;
	}
	*pm = found;
	return 0;
}

void netlink_done(struct netlink *pm)
{
	if (pm->socket)
		mnl_socket_close(pm->socket);
	*pm = (struct netlink){0};
}

int netlink_count_endpoints(struct netlink *pm, unsigned *ret_count)
{
	char buf[REQUEST_SIZE];
	struct nlmsghdr *nlh;
	unsigned count = 0;
	int r;

	nlh = put_header(buf, pm->family, MPTCP_PM_CMD_GET_ADDR, MPTCP_PM_VER);
	nlh->nlmsg_flags = NLM_F_DUMP;
	r = ask(pm->socket, nlh, count_message, &count);
	if (r == 0)
		*ret_count = count;
	return r;
}

int netlink_get_subflow_limit(struct netlink *pm, uint32_t *ret_limit)
{
	char buf[REQUEST_SIZE];
	struct nlmsghdr *nlh;
	uint32_t limit = 0;
	int r;

	nlh = put_header(buf, pm->family, MPTCP_PM_CMD_GET_LIMITS, MPTCP_PM_VER);
	r = ask(pm->socket, nlh, read_limit, &limit);
	if (r == 0)
		*ret_limit = limit;
	return r;
}

int netlink_ask_mptcp_diag(void)
{
	struct mnl_socket *nl = open_netlink(NETLINK_SOCK_DIAG);
	struct inet_diag_req_v2 *filter;
	char buf[REQUEST_SIZE];
	struct nlmsghdr *nlh;
	int r;

	if (!nl)
		return -errno;
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_DUMP;
	/* No state is asked for: the dump is empty, however many connections there are. */
	filter = mnl_nlmsg_put_extra_header(nlh, sizeof(*filter));
	filter->sdiag_family = AF_INET;
	filter->sdiag_protocol = IPPROTO_MPTCP & 0xff;
	mnl_attr_put_u32(nlh, INET_DIAG_REQ_PROTOCOL, IPPROTO_MPTCP);
	r = ask(nl, nlh, NULL, NULL);
	mnl_socket_close(nl);
	return r;
}
