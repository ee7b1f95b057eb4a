/* SPDX-License-Identifier: MIT */
/* Who listens to a netlink multicast group: net/netlink/diag.c. */
#include "listener.h"

#include "kernel/genl.h"

#include <errno.h>
#include <limits.h>
#include <linux/netlink_diag.h>
#include <linux/sock_diag.h>
#include <string.h>

#define BITS_OF_LONG (sizeof(unsigned long) * CHAR_BIT)

struct search {
	uint32_t group;
	uint64_t own_inode;
	bool has;
};

static int find_groups(const struct nlattr *attr, void *arg)
{
	if (mnl_attr_get_type(attr) == NETLINK_DIAG_GROUPS)
		*(const struct nlattr **)arg = attr;
	return MNL_CB_OK;
}

int listener_decode(const struct nlmsghdr *message, uint32_t group, uint64_t *ret_inode)
{
	size_t at = (group - 1) / BITS_OF_LONG * sizeof(unsigned long);
	const struct netlink_diag_msg *socket;
	const struct nlattr *attr = NULL;
	unsigned long bits;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*socket))
		return -EBADMSG;
	socket = mnl_nlmsg_get_payload(message);
	mnl_attr_parse(message, sizeof(*socket), find_groups, &attr);
	if (!attr || mnl_attr_get_payload_len(attr) < at + sizeof(bits))
		return -ENODATA;
	memcpy(&bits, (const char *)mnl_attr_get_payload(attr) + at, sizeof(bits));
	if (!(bits >> (group - 1) % BITS_OF_LONG & 1))
		return -ENODATA;
	*ret_inode = socket->ndiag_ino;
	return 0;
}

static int read_socket(const struct nlmsghdr *message, void *arg)
{
	struct search *search = arg;
	uint64_t inode;

	if (!listener_decode(message, search->group, &inode) && inode != search->own_inode)
		search->has = true;
	return MNL_CB_OK;
}

int listener_find(int protocol, uint32_t group, uint64_t own_inode, bool *ret_has)
{
	struct search search = {.group = group, .own_inode = own_inode};
	struct netlink_diag_req *query;
	char buffer[GENL_BUFFER_BYTES];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct mnl_socket *socket;
	int err;

	request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	query = mnl_nlmsg_put_extra_header(request, sizeof(*query));
	query->sdiag_family = AF_NETLINK;
	query->sdiag_protocol = protocol;
	query->ndiag_show = NDIAG_SHOW_GROUPS;
	err = genl_open(NETLINK_SOCK_DIAG, &socket);
	if (err)
		return err;
	err = genl_ask(socket, request, read_socket, &search);
	mnl_socket_close(socket);
	if (!err)
		*ret_has = search.has;
	return err;
}
