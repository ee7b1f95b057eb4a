/* SPDX-License-Identifier: MIT */
/* A small generic netlink layer over libmnl. */
#include "genl.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <string.h>
#include <sys/socket.h>

#define ERRNO_MAX 4095

/*
 * The kernel answers within the request's own system call, so reading never
 * needs to wait; and it binds the socket by itself at the first request.
 */
int genl_open(int protocol, struct mnl_socket **ret_socket)
{
	struct mnl_socket *socket = mnl_socket_open2(protocol, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (!socket)
		return -errno;
	*ret_socket = socket;
	return 0;
}

bool genl_is_sound(const void *bytes, size_t len)
{
	const char *at = bytes;
	struct nlmsghdr header;

	for (; len; at += header.nlmsg_len, len -= header.nlmsg_len) {
		if (len < sizeof(header))
			return false;
		memcpy(&header, at, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > len ||
			header.nlmsg_len % NLMSG_ALIGNTO)
			return false;
	}
	return true;
}

struct nlmsghdr *genl_begin(
	char *buffer, const struct genl_family *family, uint8_t command, uint16_t flags)
{
	struct nlmsghdr *request;
	struct genlmsghdr *header;

	/* libmnl leaves the padding of attributes as it finds it. */
	memset(buffer, 0, GENL_BUFFER_BYTES);
	request = mnl_nlmsg_put_header(buffer);
	request->nlmsg_type = family->id;
	request->nlmsg_flags = NLM_F_REQUEST | flags;
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->cmd = command;
	header->version = 1;
	return request;
}

/* An errno as the kernel writes it, negative; anything else is no answer. */
static int end(int error)
{
	if (!error)
		return MNL_CB_STOP;
	errno = error < 0 && error >= -ERRNO_MAX ? -error : EBADMSG;
	return MNL_CB_ERROR;
}

static int end_with_error(const struct nlmsghdr *message, void *arg)
{
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);

	(void)arg;
	return end(mnl_nlmsg_get_payload_len(message) < sizeof(*answer) ? -EBADMSG : answer->error);
}

/* Says how a dump went; libmnl's own callback does not look. */
static int end_dump(const struct nlmsghdr *message, void *arg)
{
	int error = 0;

	(void)arg;
	if (mnl_nlmsg_get_payload_len(message) >= sizeof(error))
		memcpy(&error, mnl_nlmsg_get_payload(message), sizeof(error));
	return end(error);
}

int genl_send(struct mnl_socket *socket, struct nlmsghdr *request, uint32_t *ret_sequence)
{
	static uint32_t sequence;

	request->nlmsg_seq = *ret_sequence = ++sequence;
	return mnl_socket_sendto(socket, request, request->nlmsg_len) < 0 ? -errno : 0;
}

int genl_read(struct mnl_socket *socket, uint32_t sequence, mnl_cb_t each, void *arg)
{
	static mnl_cb_t control[NLMSG_MIN_TYPE] = {
		[NLMSG_DONE] = end_dump, [NLMSG_ERROR] = end_with_error};
	char answer[GENL_BUFFER_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	ssize_t len = mnl_socket_recvfrom(socket, answer, sizeof(answer));
	int more;

	if (len < 0)
		return errno == EAGAIN ? -EPROTO : -errno;
	if (!len || !genl_is_sound(answer, len))
		return -EBADMSG;
	more = mnl_cb_run2(answer, len, sequence, 0, each, arg, control, NLMSG_MIN_TYPE);
	return more < 0 ? -errno : more > MNL_CB_STOP;
}

int genl_ask(struct mnl_socket *socket, struct nlmsghdr *request, mnl_cb_t each, void *arg)
{
	uint32_t sequence;
	int r = genl_send(socket, request, &sequence);

	if (r)
		return r;
	do
		r = genl_read(socket, sequence, each, arg);
	while (r > 0);
	return r;
}

struct resolving {
	const char *group;
	struct genl_family family;
};

static int read_group(const struct nlattr *attr, void *arg)
{
	struct resolving *resolving = arg;
	const struct nlattr *inner;
	uint32_t id = 0;
	bool is_it = false;

	mnl_attr_for_each_nested(inner, attr)
	{
		if (mnl_attr_get_type(inner) == CTRL_ATTR_MCAST_GRP_ID &&
			mnl_attr_validate(inner, MNL_TYPE_U32) >= 0)
			id = mnl_attr_get_u32(inner);
		if (mnl_attr_get_type(inner) == CTRL_ATTR_MCAST_GRP_NAME &&
			mnl_attr_validate(inner, MNL_TYPE_NUL_STRING) >= 0)
			is_it = !strcmp(mnl_attr_get_str(inner), resolving->group);
	}
	if (is_it)
		resolving->family.events_group = id;
	return MNL_CB_OK;
}

static int read_family_attr(const struct nlattr *attr, void *arg)
{
	struct resolving *resolving = arg;

	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID &&
		mnl_attr_validate(attr, MNL_TYPE_U16) >= 0)
		resolving->family.id = mnl_attr_get_u16(attr);
	if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS)
		mnl_attr_parse_nested(attr, read_group, resolving);
	return MNL_CB_OK;
}

static int read_family(const struct nlmsghdr *message, void *arg)
{
	return mnl_attr_parse(message, sizeof(struct genlmsghdr), read_family_attr, arg);
}

int genl_resolve(struct mnl_socket *socket, const char *name, const char *group,
	struct genl_family *ret_family)
{
	struct genl_family controller = {.id = GENL_ID_CTRL};
	struct resolving resolving = {.group = group};
	char buffer[GENL_BUFFER_BYTES];
	struct nlmsghdr *request = genl_begin(buffer, &controller, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	int err;

	mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, name);
	err = genl_ask(socket, request, read_family, &resolving);
	if (err)
		return err;
	if (!resolving.family.id)
		return -ENOENT;
	*ret_family = resolving.family;
	return 0;
}

int genl_listen(struct mnl_socket *socket, const unsigned int *groups, size_t n)
{
	unsigned int group;
	int on = 1;

	if (mnl_socket_setsockopt(socket, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on)) < 0 ||
		mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		group = groups[i];
		if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) <
			0)
			return -errno;
	}
	return 0;
}

/* Which namespace a message came from: NETLINK_LISTEN_ALL_NSID. */
static int read_nsid(struct msghdr *header)
{
	struct cmsghdr *control;
	int nsid = GENL_HOME;

	for (control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
		if (control->cmsg_level == SOL_NETLINK &&
			control->cmsg_type == NETLINK_LISTEN_ALL_NSID)
			memcpy(&nsid, CMSG_DATA(control), sizeof(nsid));
	}
	return nsid;
}

/* One datagram's way in; used again and again for others. */
struct reception {
	char control[CMSG_SPACE(sizeof(int)) + 64];
	struct sockaddr_nl sender;
	struct iovec iov;
};

static void expect(struct reception *reception, char *buffer, size_t size, struct msghdr *header)
{
	reception->sender = (struct sockaddr_nl){};
	reception->iov = (struct iovec){.iov_base = buffer, .iov_len = size};
	*header = (struct msghdr){.msg_name = &reception->sender,
		.msg_namelen = sizeof(reception->sender),
		.msg_iov = &reception->iov,
		.msg_iovlen = 1,
		.msg_control = reception->control,
		.msg_controllen = sizeof(reception->control)};
}

static size_t len_of(const struct reception *reception, const struct msghdr *header, size_t len)
{
	return reception->sender.nl_pid || header->msg_flags & MSG_TRUNC ? 0 : len;
}

static int error_of_reading(void)
{
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

int genl_hear(struct mnl_socket *socket, char *buffer, size_t size, size_t *ret_len, int *ret_nsid)
{
	struct reception reception;
	struct msghdr header;
	ssize_t len;

	expect(&reception, buffer, size, &header);
	len = recvmsg(mnl_socket_get_fd(socket), &header, MSG_DONTWAIT);
	if (len < 0)
		return error_of_reading();
	*ret_len = len_of(&reception, &header, len);
	*ret_nsid = read_nsid(&header);
	return 1;
}

int genl_hear_many(struct mnl_socket *socket, struct genl_datagram datagrams[GENL_MANY])
{
	struct reception receptions[GENL_MANY];
	struct mmsghdr headers[GENL_MANY];
	int i, n;

	for (i = 0; i < GENL_MANY; i++)
		expect(&receptions[i], datagrams[i].bytes, sizeof(datagrams[i].bytes),
			&headers[i].msg_hdr);
	n = recvmmsg(mnl_socket_get_fd(socket), headers, GENL_MANY, MSG_DONTWAIT, NULL);
	if (n < 0)
		return error_of_reading();
	for (i = 0; i < n; i++) {
		datagrams[i].len = len_of(&receptions[i], &headers[i].msg_hdr, headers[i].msg_len);
		datagrams[i].nsid = read_nsid(&headers[i].msg_hdr);
	}
	return n;
}
