/* SPDX-License-Identifier: MIT */
/*
 * Hands and ears of path discovery: packets that look like a flow and die on the
 * way, and what routers say of them. Both sockets are inside a namespace: they are
 * open only while a survey is under way there.
 */
#ifndef SUBFLOW_PROBE_H
#define SUBFLOW_PROBE_H

#include "core/ports.h"
#include "kernel/genl.h"
#include "kernel/icmp.h"

#include <stdbool.h>
#include <stdint.h>

#define PROBE_READS_MAX 64 /* of one wake-up: the loop has other sources too */

struct probe {
	int send_fd, receive_fd;
	int family;
	uint16_t id;          /* IPv4 identification of all packets: keeps strangers' ICMP away */
	unsigned int ifindex; /* the device that send_fd is bound to; 0 = none */
};

struct probe_packet {
	struct endpoint local, remote;
	uint8_t ttl;
	uint32_t sequence, acknowledgement;
	uint32_t label;       /* IPv6 flow label */
	unsigned int ifindex; /* the device to leave by; 0 = whichever */
};

/* Where a flow leaves the host. */
struct probe_route {
	bool is_direct;   /* there is no router on the way */
	bool has_uplinks; /* the route has several next hops */
	unsigned int ifindex;
};

/* In the namespace that the thread is in. @family is AF_INET or AF_INET6. */
int probe_open(struct probe *probe, int family, uint16_t id);
void probe_close(struct probe *probe);

/* -EPERM: a firewall of this host refuses such packets. */
int probe_send(struct probe *probe, const struct probe_packet *packet);

/* 1 = *@ret_answer is one; 0 = there is none now; -EBADMSG: something else came. */
int probe_receive(const struct probe *probe, struct icmp_answer *ret_answer);

/*
 * The route of a flow, by the host's own hash. @socket is a NETLINK_ROUTE socket in
 * its namespace.
 */
int probe_find_route(struct mnl_socket *socket, const struct endpoint *local,
	const struct endpoint *remote, struct probe_route *ret_route);

/* The ports that the kernel chooses from in the namespace that the thread is in. */
int probe_read_ports(struct ports *ret_ports);

#endif
