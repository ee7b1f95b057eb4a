/* SPDX-License-Identifier: MIT */
/* A mirror of what is local in each served namespace, for the hooks. */
#include "locals.h"

#include "core/prefixes.h"
#include "kernel/maps.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define MESSAGE_BYTES_MAX 16384
#define NETNS_BITS        64
#define V4_PREFIX_BITS    96 /* of a v4-mapped address, before the IPv4 one */

struct reading {
	uint64_t cookie;
	struct local *prefixes;
	size_t count, room, refused;
};

static int find_destination(const struct nlattr *attr, void *arg)
{
	if (mnl_attr_get_type(attr) == RTA_DST)
		*(const struct nlattr **)arg = attr;
	return MNL_CB_OK;
}

int locals_decode(const struct nlmsghdr *message, uint64_t cookie, struct local *ret_local)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	struct local_key key = {};
	const struct nlattr *destination = NULL;
	size_t len;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*route))
		return -EBADMSG;
	if (message->nlmsg_type != RTM_NEWROUTE || route->rtm_table != RT_TABLE_LOCAL ||
		(route->rtm_family != AF_INET && route->rtm_family != AF_INET6))
		return -ENOENT;
	len = route->rtm_family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
	mnl_attr_parse(message, sizeof(*route), find_destination, &destination);
	if (route->rtm_dst_len > len * 8 ||
		(destination && mnl_attr_get_payload_len(destination) < len) ||
		(!destination && route->rtm_dst_len))
		return -EBADMSG;
	key.bits = NETNS_BITS + route->rtm_dst_len;
	memcpy(key.netns, &cookie, sizeof(cookie));
	if (route->rtm_family == AF_INET) {
		key.bits += V4_PREFIX_BITS;
		key.addr[2] = htonl(0xffff);
	}
	if (destination)
		memcpy((char *)key.addr + sizeof(key.addr) - len, mnl_attr_get_payload(destination),
			len);
	*ret_local = (struct local){.key = key, .is_local = route->rtm_type == RTN_LOCAL};
	return 0;
}

static int note_route(const struct nlmsghdr *message, void *arg)
{
	struct reading *reading = arg;
	struct local local, *prefixes;
	size_t room;

	if (locals_decode(message, reading->cookie, &local))
		return MNL_CB_OK;
	if (reading->count == reading->room) {
		room = reading->room ? reading->room * 2 : 16;
		prefixes = room > LOCALS_OF_NETNS_MAX
				   ? NULL
				   : reallocarray(reading->prefixes, room, sizeof(*prefixes));
		if (!prefixes) {
			reading->refused++;
			return MNL_CB_OK;
		}
		reading->prefixes = prefixes;
		reading->room = room;
	}
	reading->prefixes[reading->count++] = local;
	return MNL_CB_OK;
}

static int dump(struct mnl_socket *socket, uint8_t family, struct reading *reading)
{
	char buffer[GENL_BUFFER_BYTES];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct rtmsg *route;

	request->nlmsg_type = RTM_GETROUTE;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
	route->rtm_family = family;
	route->rtm_table = RT_TABLE_LOCAL;
	mnl_attr_put_u32(request, RTA_TABLE, RT_TABLE_LOCAL);
	return genl_ask(socket, request, note_route, reading);
}

static int compare_keys(const struct local *a, const struct local *b)
{
	return memcmp(&a->key, &b->key, sizeof(a->key));
}

/* What is local by one of its routes comes first. */
static int compare(const void *a, const void *b)
{
	const struct local *left = a, *right = b;
	int order = compare_keys(left, right);

	return order ? order : (int)right->is_local - (int)left->is_local;
}

/* An address on two devices is local by two routes. */
static size_t drop_repeated(struct local *prefixes, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (!kept || compare_keys(&prefixes[kept - 1], &prefixes[i]))
			prefixes[kept++] = prefixes[i];
	}
	return kept;
}

/*
 * Both lists are sorted and repeat nothing: what is in one of them only has come, or gone. What
 * the hooks have no room for is taken out of @now: they are told again next time.
 */
static void tell(struct locals *locals, const struct locals_netns *netns, struct reading *now)
{
	size_t i = 0, j = 0, told = 0;
	bool is_new;
	int order;

	while (i < netns->count || j < now->count) {
		order = i == netns->count ? 1
			: j == now->count ? -1
					  : compare_keys(&netns->prefixes[i], &now->prefixes[j]);
		is_new = order > 0 ||
			 (!order && netns->prefixes[i].is_local != now->prefixes[j].is_local);
		if (order < 0)
			maps_drop_local(locals->hooks, &netns->prefixes[i].key);
		else if (is_new && maps_put_local(locals->hooks, &now->prefixes[j].key,
					   now->prefixes[j].is_local))
			locals->refused++;
		else
			now->prefixes[told++] = now->prefixes[j];
		i += order <= 0;
		j += order >= 0;
	}
	now->count = told;
}

static struct locals_netns *get_netns(struct locals *locals, uint64_t cookie)
{
	struct locals_netns *netns;

	HASH_FIND(hh, locals->all, &cookie, sizeof(cookie), netns);
	if (netns)
		return netns;
	netns = calloc(1, sizeof(*netns));
	if (!netns)
		return NULL;
	netns->cookie = cookie;
	HASH_ADD(hh, locals->all, cookie, sizeof(cookie), netns);
	return netns;
}

int locals_read(struct locals *locals, uint64_t cookie)
{
	struct reading now = {.cookie = cookie};
	struct locals_netns *netns = get_netns(locals, cookie);
	const uint8_t families[] = {AF_INET, AF_INET6};
	struct mnl_socket *socket;
	int on = 1, err;

	if (!netns)
		return -ENOMEM;
	err = genl_open(NETLINK_ROUTE, &socket);
	if (err)
		return err;
	/* The kernel then sends this table only. Where it does not, the decoder looks. */
	mnl_socket_setsockopt(socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	for (size_t i = 0; i < sizeof(families) && !err; i++) {
		err = dump(socket, families[i], &now);
		/* A kernel without IPv6, or no address yet. */
		if (err == -EOPNOTSUPP || err == -ENOENT)
			err = 0;
	}
	mnl_socket_close(socket);
	if (err) {
		free(now.prefixes);
		return err;
	}
	if (now.count)
		qsort(now.prefixes, now.count, sizeof(*now.prefixes), compare);
	now.count = drop_repeated(now.prefixes, now.count);
	tell(locals, netns, &now);
	locals->refused += now.refused;
	free(netns->prefixes);
	netns->prefixes = now.prefixes;
	netns->count = now.count;
	return 0;
}

static struct in6_addr map(const struct endpoint *address)
{
	if (address->family == AF_INET6)
		return address->v6;
	return (struct in6_addr){.s6_addr32 = {0, 0, htonl(0xffff), address->v4.s_addr}};
}

bool locals_has(const struct locals *locals, uint64_t cookie, const struct endpoint *address)
{
	struct in6_addr mapped = map(address), prefix;
	const struct local *local, *longest = NULL;
	struct locals_netns *netns;

	HASH_FIND(hh, locals->all, &cookie, sizeof(cookie), netns);
	for (size_t i = 0; netns && i < netns->count; i++) {
		local = &netns->prefixes[i];
		memcpy(&prefix, local->key.addr, sizeof(prefix));
		if (prefixes_is_inside(&mapped, &prefix, local->key.bits - NETNS_BITS) &&
			(!longest || local->key.bits > longest->key.bits))
			longest = local;
	}
	return longest && longest->is_local;
}

void locals_forget(struct locals *locals, uint64_t cookie)
{
	struct locals_netns *netns;

	HASH_FIND(hh, locals->all, &cookie, sizeof(cookie), netns);
	if (!netns)
		return;
	tell(locals, netns, &(struct reading){});
	HASH_DEL(locals->all, netns);
	free(netns->prefixes);
	free(netns);
}

void locals_hear(struct locals *locals)
{
	char buffer[MESSAGE_BYTES_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	int got, nsid, of = GENL_HOME;
	bool has_news = false, has_lost = false;
	size_t len;

	while ((got = genl_hear(locals->socket, buffer, sizeof(buffer), &len, &nsid))) {
		if (got == -ENOBUFS) {
			has_lost = true;
			continue;
		}
		if (got < 0)
			break;
		if (has_news && nsid != of)
			locals->changed(locals->owner, of);
		of = nsid;
		has_news = true;
	}
	if (has_news)
		locals->changed(locals->owner, of);
	/* Only now: until the queue is empty the kernel drops more, without a word. */
	if (has_lost)
		locals->lost(locals->owner);
}

static void read_changes(struct source *source, uint32_t events)
{
	(void)events;
	locals_hear(SOURCE_OWNER(source, struct locals, source));
}

/* Of the routes' changes only those of the local table: a router has thousands of others. */
static int attach_filter(struct mnl_socket *socket)
{
	const uint32_t table_at = NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_table);
	const uint32_t type_at = offsetof(struct nlmsghdr, nlmsg_type);
	struct sock_filter code[] = {
		/* Loads are big endian, the type is not. */
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, type_at),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, table_at),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RT_TABLE_LOCAL, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = code};

	return setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_ATTACH_FILTER, &program,
		       sizeof(program)) < 0
		       ? -errno
		       : 0;
}

int locals_init(struct locals *locals, struct loop *loop)
{
	/* IPv4 routes go unsaid when their device goes down. */
	unsigned int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};
	int err = genl_open(NETLINK_ROUTE, &locals->socket);

	if (!err)
		err = attach_filter(locals->socket);
	if (!err)
		err = genl_listen(locals->socket, groups, sizeof(groups) / sizeof(*groups));
	if (err)
		return err;
	locals->source.fd = mnl_socket_get_fd(locals->socket);
	locals->source.ready = read_changes;
	return loop_add(loop, &locals->source, EPOLLIN);
}

void locals_done(struct locals *locals)
{
	struct locals_netns *netns, *next;

	HASH_ITER (hh, locals->all, netns, next) {
		HASH_DEL(locals->all, netns);
		free(netns->prefixes);
		free(netns);
	}
	if (locals->socket)
		mnl_socket_close(locals->socket);
	locals->socket = NULL;
}
