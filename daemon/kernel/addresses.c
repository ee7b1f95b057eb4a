/* SPDX-License-Identifier: MIT */
/* The addresses of the namespaces, over rtnetlink. */
#include "addresses.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/epoll.h>

#define DEVICES_MAX       256
#define PRESENT_MAX       512
#define MESSAGE_BYTES_MAX 16384

#define UP_FLAGS (IFF_UP | IFF_RUNNING)

struct reading {
	struct addresses *addresses;
	struct device devices[DEVICES_MAX];
	uint32_t n_devices;
	struct endpoint present[PRESENT_MAX]; /* on devices that are up */
	uint32_t n_present;
};

int addresses_decode_device(const struct nlmsghdr *message, struct device *ret_device)
{
	const struct ifinfomsg *device = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*device))
		return -EBADMSG;
	*ret_device = (struct device){.index = device->ifi_index,
		.is_up = (device->ifi_flags & UP_FLAGS) == UP_FLAGS,
		.is_loopback = device->ifi_flags & IFF_LOOPBACK};
	return 0;
}

/* IFA_LOCAL is the own end of a point-to-point link, where IFA_ADDRESS is the peer's. */
static int find_local(const struct nlattr *attr, void *arg)
{
	const struct nlattr **found = arg;
	uint16_t type = mnl_attr_get_type(attr);

	if (type == IFA_LOCAL || (type == IFA_ADDRESS && !*found))
		*found = attr;
	return MNL_CB_OK;
}

int addresses_decode_address(const struct nlmsghdr *message, struct address *ret_address)
{
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	struct endpoint endpoint = {};
	const struct nlattr *found = NULL;
	size_t len;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
		(header->ifa_family != AF_INET && header->ifa_family != AF_INET6))
		return -EBADMSG;
	len = header->ifa_family == AF_INET ? sizeof(endpoint.v4) : sizeof(endpoint.v6);
	mnl_attr_parse(message, sizeof(*header), find_local, &found);
	if (!found || mnl_attr_get_payload_len(found) < len)
		return -EBADMSG;
	endpoint.family = header->ifa_family;
	memcpy(&endpoint.v6, mnl_attr_get_payload(found), len);
	*ret_address = (struct address){.endpoint = endpoint,
		.device = (int)header->ifa_index,
		/* A tentative one cannot be bound yet, a deprecated one is for old connections. */
		.is_usable = header->ifa_scope == RT_SCOPE_UNIVERSE &&
			     !(header->ifa_flags &
				     (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED))};
	return 0;
}

static int note_device(const struct nlmsghdr *message, void *arg)
{
	struct reading *reading = arg;

	if (reading->n_devices < DEVICES_MAX &&
		!addresses_decode_device(message, &reading->devices[reading->n_devices]))
		reading->n_devices++;
	return MNL_CB_OK;
}

static const struct device *find_device(const struct reading *reading, int index)
{
	for (uint32_t i = 0; i < reading->n_devices; i++) {
		if (reading->devices[i].index == index)
			return &reading->devices[i];
	}
	return NULL;
}

static void put(struct endpoint *list, uint32_t size, uint32_t *count,
	const struct endpoint *endpoint, uint32_t *refused)
{
	if (*count < size)
		list[(*count)++] = *endpoint;
	else
		(*refused)++;
}

static bool has_address(
	const struct endpoint *list, uint32_t count, const struct endpoint *endpoint)
{
	for (uint32_t i = 0; i < count; i++) {
		if (endpoint_is_same_address(&list[i], endpoint))
			return true;
	}
	return false;
}

static void put_gone(struct addresses *addresses, const struct address *address)
{
	put(addresses->gone, ADDRESSES_MAX, &addresses->n_gone, &address->endpoint,
		&addresses->refused);
}

void addresses_note_gone(struct addresses *addresses, const struct endpoint *endpoint)
{
	if (!has_address(addresses->gone, addresses->n_gone, endpoint))
		put(addresses->gone, ADDRESSES_MAX, &addresses->n_gone, endpoint,
			&addresses->refused);
}

static int note_address(const struct nlmsghdr *message, void *arg)
{
	struct reading *reading = arg;
	struct addresses *addresses = reading->addresses;
	const struct device *device;
	struct address address;

	if (addresses_decode_address(message, &address))
		return MNL_CB_OK;
	device = find_device(reading, address.device);
	if (!device) {
		addresses->refused += reading->n_devices == DEVICES_MAX;
		return MNL_CB_OK;
	}
	if (!device->is_up) {
		put_gone(addresses, &address);
		return MNL_CB_OK;
	}
	put(reading->present, PRESENT_MAX, &reading->n_present, &address.endpoint,
		&addresses->refused);
	if (address.is_usable && !device->is_loopback)
		put(addresses->usable, ADDRESSES_MAX, &addresses->n_usable, &address.endpoint,
			&addresses->refused);
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

int addresses_read(struct addresses *addresses)
{
	struct reading reading = {.addresses = addresses};
	uint32_t n_gone = 0;
	struct mnl_socket *socket;
	int err = genl_open(NETLINK_ROUTE, &socket);

	if (err)
		return err;
	addresses->n_usable = 0;
	err = dump(socket, RTM_GETLINK, AF_UNSPEC, note_device, &reading);
	if (!err)
		err = dump(socket, RTM_GETADDR, AF_UNSPEC, note_address, &reading);
	mnl_socket_close(socket);
	if (err)
		return err;
	for (uint32_t i = 0; i < addresses->n_gone; i++) {
		if (!has_address(reading.present, reading.n_present, &addresses->gone[i]))
			addresses->gone[n_gone++] = addresses->gone[i];
	}
	addresses->n_gone = n_gone;
	return 0;
}

static void hear(struct addresses_watch *watch, const struct nlmsghdr *message)
{
	struct addresses *addresses = &watch->addresses;
	struct address address;

	if (message->nlmsg_type == RTM_DELADDR && !addresses_decode_address(message, &address))
		put_gone(addresses, &address);
}

static void tell(struct addresses_watch *watch, int nsid)
{
	watch->changed(watch->owner, nsid, &watch->addresses);
	watch->addresses = (struct addresses){};
}

void addresses_hear(struct addresses_watch *watch)
{
	char buffer[MESSAGE_BYTES_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *message;
	int got, nsid, of = GENL_HOME, left;
	bool has_news = false, has_lost = false;
	size_t len;

	while ((got = genl_hear(watch->socket, buffer, sizeof(buffer), &len, &nsid))) {
		if (got == -ENOBUFS) {
			has_lost = true;
			continue;
		}
		if (got < 0)
			break;
		if (!genl_is_sound(buffer, len))
			continue;
		if (has_news && nsid != of)
			tell(watch, of);
		of = nsid;
		has_news = true;
		message = (void *)buffer;
		for (left = len; mnl_nlmsg_ok(message, left);
			message = mnl_nlmsg_next(message, &left))
			hear(watch, message);
	}
	if (has_news)
		tell(watch, of);
	/* Only now: until the queue is empty the kernel drops more, without a word. */
	if (has_lost)
		watch->lost(watch->owner);
}

static void read_changes(struct source *source, uint32_t events)
{
	(void)events;
	addresses_hear(SOURCE_OWNER(source, struct addresses_watch, source));
}

int addresses_watch_init(struct addresses_watch *watch, struct loop *loop)
{
	unsigned int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};
	int err = genl_open(NETLINK_ROUTE, &watch->socket);

	if (!err)
		err = genl_listen(watch->socket, groups, sizeof(groups) / sizeof(*groups));
	if (err)
		return err;
	watch->source.fd = mnl_socket_get_fd(watch->socket);
	watch->source.ready = read_changes;
	return loop_add(loop, &watch->source, EPOLLIN);
}

void addresses_watch_done(struct addresses_watch *watch)
{
	if (watch->socket)
		mnl_socket_close(watch->socket);
	watch->socket = NULL;
}
