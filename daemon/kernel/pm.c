/* SPDX-License-Identifier: MIT */
/* The kernel's MPTCP path manager: include/uapi/linux/mptcp_pm.h, net/mptcp/pm_userspace.c. */
#include "pm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include <string.h>

/* Newer kernels say it in the event's flags too; older ones in an attribute of its own only. */
#define FLAG_SERVER_SIDE (1 << 1)

/* The T flag of MP_TCPRST, RFC 8684 section 3.6. */
#define RESET_TRANSIENT (1 << 0)

int pm_resolve(struct genl_family *ret_family)
{
	struct mnl_socket *socket;
	int err = genl_open(NETLINK_GENERIC, &socket);

	if (err)
		return err;
	err = genl_resolve(socket, MPTCP_PM_NAME, MPTCP_PM_EV_GRP_NAME, ret_family);
	mnl_socket_close(socket);
	return err;
}

/* Ports are host byte order in commands and big endian in events. */
static void put_endpoint(struct nlmsghdr *request, uint16_t type, const struct endpoint *endpoint,
	int id, uint32_t flags, uint32_t device)
{
	struct nlattr *nest = mnl_attr_nest_start(request, type);

	mnl_attr_put_u16(request, MPTCP_PM_ADDR_ATTR_FAMILY, endpoint->family);
	if (endpoint->family == AF_INET)
		mnl_attr_put(
			request, MPTCP_PM_ADDR_ATTR_ADDR4, sizeof(endpoint->v4), &endpoint->v4);
	else
		mnl_attr_put(
			request, MPTCP_PM_ADDR_ATTR_ADDR6, sizeof(endpoint->v6), &endpoint->v6);
	if (endpoint->port)
		mnl_attr_put_u16(request, MPTCP_PM_ADDR_ATTR_PORT, endpoint->port);
	if (id >= 0)
		mnl_attr_put_u8(request, MPTCP_PM_ADDR_ATTR_ID, id);
	if (flags)
		mnl_attr_put_u32(request, MPTCP_PM_ADDR_ATTR_FLAGS, flags);
	if (device)
		mnl_attr_put_u32(request, MPTCP_PM_ADDR_ATTR_IF_IDX, device);
	mnl_attr_nest_end(request, nest);
}

int pm_create(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, const struct endpoint *remote, uint8_t id, uint32_t device,
	bool is_backup)
{
	char buffer[GENL_BUFFER_BYTES];
	struct nlmsghdr *request =
		genl_begin(buffer, family, MPTCP_PM_CMD_SUBFLOW_CREATE, NLM_F_ACK);

	mnl_attr_put_u32(request, MPTCP_PM_ATTR_TOKEN, token);
	put_endpoint(request, MPTCP_PM_ATTR_ADDR, local, id,
		is_backup ? MPTCP_PM_ADDR_FLAG_BACKUP : 0, device);
	put_endpoint(request, MPTCP_PM_ATTR_ADDR_REMOTE, remote, -1, 0, 0);
	return genl_ask(socket, request, NULL, NULL);
}

int pm_destroy(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, const struct endpoint *remote)
{
	char buffer[GENL_BUFFER_BYTES];
	struct nlmsghdr *request =
		genl_begin(buffer, family, MPTCP_PM_CMD_SUBFLOW_DESTROY, NLM_F_ACK);

	mnl_attr_put_u32(request, MPTCP_PM_ATTR_TOKEN, token);
	put_endpoint(request, MPTCP_PM_ATTR_ADDR, local, -1, 0, 0);
	put_endpoint(request, MPTCP_PM_ATTR_ADDR_REMOTE, remote, -1, 0, 0);
	return genl_ask(socket, request, NULL, NULL);
}

int pm_set_backup(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, const struct endpoint *remote, bool is_backup)
{
	char buffer[GENL_BUFFER_BYTES];
	struct nlmsghdr *request = genl_begin(buffer, family, MPTCP_PM_CMD_SET_FLAGS, NLM_F_ACK);

	mnl_attr_put_u32(request, MPTCP_PM_ATTR_TOKEN, token);
	put_endpoint(request, MPTCP_PM_ATTR_ADDR, local, -1,
		is_backup ? MPTCP_PM_ADDR_FLAG_BACKUP : 0, 0);
	put_endpoint(request, MPTCP_PM_ATTR_ADDR_REMOTE, remote, -1, 0, 0);
	return genl_ask(socket, request, NULL, NULL);
}

int pm_announce(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, uint8_t id)
{
	char buffer[GENL_BUFFER_BYTES];
	struct nlmsghdr *request = genl_begin(buffer, family, MPTCP_PM_CMD_ANNOUNCE, NLM_F_ACK);

	mnl_attr_put_u32(request, MPTCP_PM_ATTR_TOKEN, token);
	put_endpoint(request, MPTCP_PM_ATTR_ADDR, local, id, MPTCP_PM_ADDR_FLAG_SIGNAL, 0);
	return genl_ask(socket, request, NULL, NULL);
}

int pm_withdraw(
	struct mnl_socket *socket, const struct genl_family *family, uint32_t token, uint8_t id)
{
	char buffer[GENL_BUFFER_BYTES];
	struct nlmsghdr *request = genl_begin(buffer, family, MPTCP_PM_CMD_REMOVE, NLM_F_ACK);

	mnl_attr_put_u32(request, MPTCP_PM_ATTR_TOKEN, token);
	mnl_attr_put_u8(request, MPTCP_PM_ATTR_LOC_ID, id);
	return genl_ask(socket, request, NULL, NULL);
}

int pm_claim(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, const struct endpoint *remote)
{
	struct endpoint nowhere = *remote;
	int err;

	nowhere.port = remote->port == 1 ? 2 : 1;
	err = pm_destroy(socket, family, token, local, &nowhere);
	return err == -ESRCH ? 0 : err;
}

static int note_endpoint(const struct nlmsghdr *message, void *arg)
{
	(void)message;
	*(bool *)arg = true;
	return MNL_CB_OK;
}

int pm_has_endpoints(struct mnl_socket *socket, const struct genl_family *family, bool *ret_has)
{
	char buffer[GENL_BUFFER_BYTES];
	struct nlmsghdr *request = genl_begin(buffer, family, MPTCP_PM_CMD_GET_ADDR, NLM_F_DUMP);
	bool has = false;
	int err = genl_ask(socket, request, note_endpoint, &has);

	if (!err)
		*ret_has = has;
	return err;
}

static const size_t sizes[MPTCP_ATTR_MAX + 1] = {
	[MPTCP_ATTR_TOKEN] = sizeof(uint32_t),
	[MPTCP_ATTR_FAMILY] = sizeof(uint16_t),
	[MPTCP_ATTR_LOC_ID] = sizeof(uint8_t),
	[MPTCP_ATTR_REM_ID] = sizeof(uint8_t),
	[MPTCP_ATTR_SADDR4] = sizeof(struct in_addr),
	[MPTCP_ATTR_SADDR6] = sizeof(struct in6_addr),
	[MPTCP_ATTR_DADDR4] = sizeof(struct in_addr),
	[MPTCP_ATTR_DADDR6] = sizeof(struct in6_addr),
	[MPTCP_ATTR_SPORT] = sizeof(uint16_t),
	[MPTCP_ATTR_DPORT] = sizeof(uint16_t),
	[MPTCP_ATTR_ERROR] = sizeof(uint8_t),
	[MPTCP_ATTR_FLAGS] = sizeof(uint16_t),
	[MPTCP_ATTR_RESET_REASON] = sizeof(uint32_t),
	[MPTCP_ATTR_RESET_FLAGS] = sizeof(uint32_t),
	[MPTCP_ATTR_SERVER_SIDE] = sizeof(uint8_t),
};

static int collect(const struct nlattr *attr, void *arg)
{
	const struct nlattr **attrs = arg;
	uint16_t type = mnl_attr_get_type(attr);

	if (type > MPTCP_ATTR_MAX)
		return MNL_CB_OK;
	if (mnl_attr_get_payload_len(attr) < sizes[type])
		return MNL_CB_ERROR;
	attrs[type] = attr;
	return MNL_CB_OK;
}

static void read_endpoint(struct endpoint *endpoint, const struct nlattr *v4,
	const struct nlattr *v6, const struct nlattr *port)
{
	if (v4) {
		endpoint->family = AF_INET;
		memcpy(&endpoint->v4, mnl_attr_get_payload(v4), sizeof(endpoint->v4));
	} else if (v6) {
		endpoint->family = AF_INET6;
		memcpy(&endpoint->v6, mnl_attr_get_payload(v6), sizeof(endpoint->v6));
	}
	if (port)
		endpoint->port = ntohs(mnl_attr_get_u16(port));
}

static enum event_kind kind_of(uint8_t command)
{
	switch (command) {
	case MPTCP_EVENT_CREATED:
		return EVENT_CREATED;
	case MPTCP_EVENT_ESTABLISHED:
		return EVENT_ESTABLISHED;
	case MPTCP_EVENT_CLOSED:
		return EVENT_CLOSED;
	case MPTCP_EVENT_SUB_ESTABLISHED:
		return EVENT_SUBFLOW_ESTABLISHED;
	case MPTCP_EVENT_SUB_CLOSED:
		return EVENT_SUBFLOW_CLOSED;
	case MPTCP_EVENT_ANNOUNCED:
		return EVENT_ANNOUNCED;
	case MPTCP_EVENT_REMOVED:
		return EVENT_WITHDRAWN;
	}
	return EVENT_NONE;
}

static bool has_its_ends(const struct event *event)
{
	switch (event->kind) {
	case EVENT_CLOSED:
	case EVENT_WITHDRAWN:
		return true;
	case EVENT_ANNOUNCED:
		return event->remote.family && event->remote.port;
	default:
		return event->local.family && event->local.family == event->remote.family;
	}
}

int pm_decode(const struct nlmsghdr *message, struct event *ret_event)
{
	const struct nlattr *attrs[MPTCP_ATTR_MAX + 1] = {};
	struct event event = {.reset_reason = -1};
	const struct genlmsghdr *header;
	uint16_t flags;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return -EBADMSG;
	header = mnl_nlmsg_get_payload(message);
	event.kind = kind_of(header->cmd);
	if (event.kind == EVENT_NONE) {
		*ret_event = event;
		return 0;
	}
	if (mnl_attr_parse(message, sizeof(*header), collect, attrs) != MNL_CB_OK ||
		!attrs[MPTCP_ATTR_TOKEN])
		return -EBADMSG;
	event.key.token = mnl_attr_get_u32(attrs[MPTCP_ATTR_TOKEN]);
	read_endpoint(&event.local, attrs[MPTCP_ATTR_SADDR4], attrs[MPTCP_ATTR_SADDR6],
		attrs[MPTCP_ATTR_SPORT]);
	read_endpoint(&event.remote, attrs[MPTCP_ATTR_DADDR4], attrs[MPTCP_ATTR_DADDR6],
		attrs[MPTCP_ATTR_DPORT]);
	if (!has_its_ends(&event))
		return -EBADMSG;
	if (event.kind == EVENT_ANNOUNCED || event.kind == EVENT_WITHDRAWN) {
		if (!attrs[MPTCP_ATTR_REM_ID])
			return -EBADMSG;
		event.id = mnl_attr_get_u8(attrs[MPTCP_ATTR_REM_ID]);
	}
	if (attrs[MPTCP_ATTR_LOC_ID])
		event.id = mnl_attr_get_u8(attrs[MPTCP_ATTR_LOC_ID]);
	if (attrs[MPTCP_ATTR_SERVER_SIDE])
		event.is_server = mnl_attr_get_u8(attrs[MPTCP_ATTR_SERVER_SIDE]);
	if (attrs[MPTCP_ATTR_FLAGS]) {
		flags = mnl_attr_get_u16(attrs[MPTCP_ATTR_FLAGS]);
		event.is_server |= !!(flags & FLAG_SERVER_SIDE);
		event.denies_join = flags & MPTCP_PM_EV_FLAG_DENY_JOIN_ID0;
	}
	if (attrs[MPTCP_ATTR_ERROR])
		event.error = mnl_attr_get_u8(attrs[MPTCP_ATTR_ERROR]);
	if (attrs[MPTCP_ATTR_RESET_REASON])
		event.reset_reason = mnl_attr_get_u32(attrs[MPTCP_ATTR_RESET_REASON]);
	if (attrs[MPTCP_ATTR_RESET_FLAGS])
		event.is_transient =
			mnl_attr_get_u32(attrs[MPTCP_ATTR_RESET_FLAGS]) & RESET_TRANSIENT;
	*ret_event = event;
	return 0;
}
