/* SPDX-License-Identifier: MIT */
/* ICMP "time exceeded" as routers answer a probe with it: RFC 792, RFC 4443. */
#ifndef SUBFLOW_ICMP_H
#define SUBFLOW_ICMP_H

#include "core/endpoint.h"

#include <stddef.h>
#include <stdint.h>

struct icmp_answer {
	struct in6_addr router; /* v4-mapped; who answers */
	/* Of the TCP packet that is quoted. */
	struct endpoint local, remote;
	uint16_t id; /* IPv4 identification; 0 for IPv6 */
	uint32_t sequence;
};

/*
 * Decodes what an IPv4 ICMP socket gave, which begins with the IP header.
 * -EBADMSG: not whole, damaged, or not the answer to a TCP packet.
 */
int icmp_decode4(const uint8_t *bytes, size_t len, struct icmp_answer *ret_answer);

/* The same of an ICMPv6 socket, which gives no IP header: @router is the sender. */
int icmp_decode6(const uint8_t *bytes, size_t len, const struct in6_addr *router,
	struct icmp_answer *ret_answer);

#endif
