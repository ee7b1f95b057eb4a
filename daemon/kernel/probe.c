/* SPDX-License-Identifier: MIT */
/* Hands and ears of path discovery. */
#include "probe.h"

#include "kernel/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/rtnetlink.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_BUFFER_BYTES (1 << 20)
#define ANSWER_BYTES_MAX     1500
#define WRONG                0x5555 /* turns a checksum into one that cannot be right */

/* Of what reaches an ICMP socket, only "time exceeded" that quotes a TCP packet of ours. */
static int filter(int fd, int family, uint16_t id)
{
	struct sock_filter v4[] = {
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), /* x = length of the outer header */
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_TIME_EXCEEDED, 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 8 + 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 8 + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, id, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, ANSWER_BYTES_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_filter v6[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP6_TIME_EXCEEDED, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8 + 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, ANSWER_BYTES_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {.len = sizeof(v4) / sizeof(*v4), .filter = v4};

	if (family == AF_INET6) {
		program.len = sizeof(v6) / sizeof(*v6);
		program.filter = v6;
	}
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

static int open_raw(int family, int protocol, int *ret_fd)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int probe_open(struct probe *probe, int family, uint16_t id)
{
	int bytes = RECEIVE_BUFFER_BYTES, err;

	*probe = (struct probe){.send_fd = -1, .receive_fd = -1, .family = family, .id = id};
	/* A socket of IPPROTO_RAW receives nothing, and takes the IP header from us. */
	err = open_raw(family, IPPROTO_RAW, &probe->send_fd);
	if (!err)
		err = open_raw(family, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6,
			&probe->receive_fd);
	if (!err)
		err = filter(probe->receive_fd, family, id);
	if (!err && setsockopt(probe->receive_fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) < 0)
		err = -errno;
	if (err)
		probe_close(probe);
	return err;
}

void probe_close(struct probe *probe)
{
	if (probe->send_fd >= 0)
		close(probe->send_fd);
	if (probe->receive_fd >= 0)
		close(probe->receive_fd);
	probe->send_fd = probe->receive_fd = -1;
}

static uint32_t add(uint32_t total, const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i + 1 < len; i += 2)
		total += byte[i] << 8 | byte[i + 1];
	return total;
}

/*
 * An acknowledgement outside any window, whose checksum is wrong on purpose: if it
 * comes through all the same, the other end drops it before it looks at anything
 * else. Routers neither check nor hash it.
 */
static void fill_tcp(struct tcphdr *tcp, const struct probe_packet *packet)
{
	bool is_v4 = packet->remote.family == AF_INET;
	size_t address_len = is_v4 ? 4 : 16;
	uint32_t total = IPPROTO_TCP + sizeof(*tcp);

	*tcp = (struct tcphdr){.th_sport = htons(packet->local.port),
		.th_dport = htons(packet->remote.port),
		.th_seq = htonl(packet->sequence),
		.th_ack = htonl(packet->acknowledgement),
		.th_off = sizeof(*tcp) / 4,
		.th_flags = TH_ACK,
		.th_win = htons(1024)};
	total = add(total, &packet->local.v6, address_len);
	total = add(total, &packet->remote.v6, address_len);
	total = add(total, tcp, sizeof(*tcp));
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	tcp->th_sum = htons(~total ^ WRONG);
}

/*
 * The device is the socket's, as one that is given with a packet does not hold for IPv6 beside a
 * source address (net/ipv6/route.c:ip6_route_output_flags_noref).
 */
static int bind_to_device(struct probe *probe, unsigned int ifindex)
{
	int index = ifindex;

	if (ifindex == probe->ifindex)
		return 0;
	if (setsockopt(probe->send_fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index)) < 0)
		return -errno;
	probe->ifindex = ifindex;
	return 0;
}

/*
 * The kernel does not look into a header of ours for the source address, by which a host with
 * several addresses may choose the way: ip-rule(8).
 */
static int send_from(
	const struct probe *probe, struct msghdr *message, const struct endpoint *local)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr align;
	} control = {};
	struct in_pktinfo v4 = {.ipi_spec_dst = local->v4};
	struct in6_pktinfo v6 = {.ipi6_addr = local->v6};
	bool is_v4 = probe->family == AF_INET;
	struct cmsghdr *info;

	message->msg_control = control.bytes;
	message->msg_controllen = is_v4 ? CMSG_SPACE(sizeof(v4)) : CMSG_SPACE(sizeof(v6));
	info = CMSG_FIRSTHDR(message);
	info->cmsg_level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
	info->cmsg_type = is_v4 ? IP_PKTINFO : IPV6_PKTINFO;
	info->cmsg_len = is_v4 ? CMSG_LEN(sizeof(v4)) : CMSG_LEN(sizeof(v6));
	memcpy(CMSG_DATA(info), is_v4 ? (void *)&v4 : (void *)&v6, is_v4 ? sizeof(v4) : sizeof(v6));
	return sendmsg(probe->send_fd, message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int probe_send(struct probe *probe, const struct probe_packet *packet)
{
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_addr = packet->remote.v6};
	struct sockaddr_in to4 = {.sin_family = AF_INET, .sin_addr = packet->remote.v4};
	struct tcphdr tcp;
	struct ip ip4 = {.ip_v = 4,
		.ip_hl = sizeof(ip4) / 4,
		.ip_len = htons(sizeof(ip4) + sizeof(tcp)),
		.ip_id = htons(probe->id),
		.ip_ttl = packet->ttl,
		.ip_p = IPPROTO_TCP,
		.ip_src = packet->local.v4,
		.ip_dst = packet->remote.v4};
	struct ip6_hdr ip6 = {.ip6_src = packet->local.v6, .ip6_dst = packet->remote.v6};
	bool is_v4 = probe->family == AF_INET;
	struct iovec parts[2] = {{.iov_base = is_v4 ? (void *)&ip4 : (void *)&ip6,
					 .iov_len = is_v4 ? sizeof(ip4) : sizeof(ip6)},
		{.iov_base = &tcp, .iov_len = sizeof(tcp)}};
	struct msghdr message = {.msg_name = is_v4 ? (void *)&to4 : (void *)&to6,
		.msg_namelen = is_v4 ? sizeof(to4) : sizeof(to6),
		.msg_iov = parts,
		.msg_iovlen = 2};
	int err;

	ip6.ip6_flow = htonl(6u << 28 | packet->label);
	ip6.ip6_plen = htons(sizeof(tcp));
	ip6.ip6_nxt = IPPROTO_TCP;
	ip6.ip6_hlim = packet->ttl;
	fill_tcp(&tcp, packet);
	err = bind_to_device(probe, packet->ifindex);
	return err ? err : send_from(probe, &message, &packet->local);
}

int probe_receive(const struct probe *probe, struct icmp_answer *ret_answer)
{
	uint8_t bytes[ANSWER_BYTES_MAX];
	struct sockaddr_in6 from = {};
	socklen_t from_len = sizeof(from);
	ssize_t len = recvfrom(probe->receive_fd, bytes, sizeof(bytes), MSG_DONTWAIT,
		(struct sockaddr *)&from, &from_len);
	int err;

	if (len < 0)
		return 0;
	if (probe->family == AF_INET)
		err = icmp_decode4(bytes, len, ret_answer);
	else
		err = icmp_decode6(bytes, len, &from.sin6_addr, ret_answer);
	if (!err && probe->family == AF_INET && ret_answer->id != probe->id)
		err = -EBADMSG;
	return err ? err : 1;
}

static int read_route_attr(const struct nlattr *attr, void *arg)
{
	struct probe_route *route = arg;

	switch (mnl_attr_get_type(attr)) {
	case RTA_OIF:
		if (mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			route->ifindex = mnl_attr_get_u32(attr);
		break;
	case RTA_GATEWAY:
	case RTA_VIA:
		route->is_direct = false;
		break;
	case RTA_MULTIPATH:
		route->is_direct = false;
		route->has_uplinks = true;
		break;
	}
	return MNL_CB_OK;
}

static int read_route(const struct nlmsghdr *message, void *arg)
{
	if (message->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	return mnl_attr_parse(message, sizeof(struct rtmsg), read_route_attr, arg);
}

static int ask_route(struct mnl_socket *socket, const struct endpoint *local,
	const struct endpoint *remote, uint32_t flags, struct probe_route *route)
{
	char buffer[GENL_BUFFER_BYTES];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	size_t len = remote->family == AF_INET ? 4 : 16;
	struct rtmsg *query;

	request->nlmsg_type = RTM_GETROUTE;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	query = mnl_nlmsg_put_extra_header(request, sizeof(*query));
	query->rtm_family = remote->family;
	query->rtm_dst_len = query->rtm_src_len = len * 8;
	query->rtm_flags = flags;
	mnl_attr_put(request, RTA_DST, len, &remote->v6);
	mnl_attr_put(request, RTA_SRC, len, &local->v6);
	mnl_attr_put_u8(request, RTA_IP_PROTO, IPPROTO_TCP);
	if (local->port)
		mnl_attr_put_u16(request, RTA_SPORT, htons(local->port));
	if (remote->port)
		mnl_attr_put_u16(request, RTA_DPORT, htons(remote->port));
	return genl_ask(socket, request, read_route, route);
}

int probe_find_route(struct mnl_socket *socket, const struct endpoint *local,
	const struct endpoint *remote, struct probe_route *ret_route)
{
	struct probe_route chosen = {.is_direct = true}, matched = {.is_direct = true};
	int err = ask_route(socket, local, remote, 0, &chosen);

	/* The route itself, with all its next hops. */
	if (!err)
		err = ask_route(socket, local, remote, RTM_F_FIB_MATCH, &matched);
	if (err)
		return err;
	chosen.has_uplinks = matched.has_uplinks;
	*ret_route = chosen;
	return 0;
}

int probe_read_ports(struct ports *ret_ports)
{
	char range[32], *reserved;
	int err = netns_read_sysctl("ipv4/ip_local_port_range", range, sizeof(range));

	if (!err)
		err = netns_read_long_sysctl("ipv4/ip_local_reserved_ports", &reserved);
	if (err)
		return err;
	err = ports_read(ret_ports, range, reserved);
	free(reserved);
	return err;
}
