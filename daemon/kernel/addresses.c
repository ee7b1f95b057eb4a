/* SPDX-License-Identifier: MIT */
/* The addresses of a namespace that subflows can leave from, over rtnetlink. */
#include "addresses.h"

#include "kernel/genl.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>

/* Devices beyond this many are not used. */
#define DEVICES_MAX 256

struct reading {
	int devices[DEVICES_MAX]; /* indexes, of those that are up */
	uint32_t n_devices;
	struct endpoint *addresses;
	uint32_t size, count;
};

static int note_device(const struct nlmsghdr *message, void *arg)
{
	const struct ifinfomsg *device = mnl_nlmsg_get_payload(message);
	struct reading *reading = arg;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*device) || !(device->ifi_flags & IFF_UP) ||
		device->ifi_flags & IFF_LOOPBACK)
		return MNL_CB_OK;
	if (reading->n_devices < DEVICES_MAX)
		reading->devices[reading->n_devices++] = device->ifi_index;
	return MNL_CB_OK;
}

static bool is_usable(const struct reading *reading, const struct ifaddrmsg *address)
{
	/* A tentative one cannot be bound yet, a deprecated one is for old connections. */
	if (address->ifa_scope != RT_SCOPE_UNIVERSE ||
		address->ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED))
		return false;
	for (uint32_t i = 0; i < reading->n_devices; i++) {
		if (reading->devices[i] == (int)address->ifa_index)
			return true;
	}
	return false;
}

/* IFA_LOCAL is the own end of a point-to-point link, where IFA_ADDRESS is the peer's. */
static int note_attr(const struct nlattr *attr, void *arg)
{
	const struct nlattr **found = arg;
	uint16_t type = mnl_attr_get_type(attr);

	if (type == IFA_LOCAL || (type == IFA_ADDRESS && !*found))
		*found = attr;
	return MNL_CB_OK;
}

static int note_address(const struct nlmsghdr *message, void *arg)
{
	const struct ifaddrmsg *address = mnl_nlmsg_get_payload(message);
	struct endpoint endpoint = {};
	const struct nlattr *found = NULL;
	struct reading *reading = arg;
	size_t len;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*address) ||
		reading->count == reading->size || !is_usable(reading, address))
		return MNL_CB_OK;
	len = address->ifa_family == AF_INET ? sizeof(endpoint.v4) : sizeof(endpoint.v6);
	mnl_attr_parse(message, sizeof(*address), note_attr, &found);
	if (!found || mnl_attr_get_payload_len(found) < len)
		return MNL_CB_OK;
	endpoint.family = address->ifa_family;
	memcpy(&endpoint.v6, mnl_attr_get_payload(found), len);
	reading->addresses[reading->count++] = endpoint;
	return MNL_CB_OK;
}

static int dump(struct mnl_socket *socket, uint16_t type, uint8_t family, mnl_cb_t each,
	struct reading *reading)
{
	char buffer[GENL_BUFFER_BYTES];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	size_t size = type == RTM_GETLINK ? sizeof(struct ifinfomsg) : sizeof(struct ifaddrmsg);

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	*(uint8_t *)mnl_nlmsg_put_extra_header(request, size) = family;
	return genl_ask(socket, request, each, reading);
}

int addresses_read(struct endpoint *ret_addresses, uint32_t size, uint32_t *ret_count)
{
	struct reading reading = {.addresses = ret_addresses, .size = size};
	struct mnl_socket *socket;
	int err = genl_open(NETLINK_ROUTE, &socket);

	if (err)
		return err;
	err = dump(socket, RTM_GETLINK, AF_UNSPEC, note_device, &reading);
	if (!err)
		err = dump(socket, RTM_GETADDR, AF_INET, note_address, &reading);
	if (!err)
		err = dump(socket, RTM_GETADDR, AF_INET6, note_address, &reading);
	mnl_socket_close(socket);
	if (!err)
		*ret_count = reading.count;
	return err;
}
