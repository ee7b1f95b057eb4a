/* SPDX-License-Identifier: MIT */
/* ICMP "time exceeded" as routers answer a probe with it. */
#include "icmp.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define ICMP_BYTES 8
#define TCP_BYTES  8 /* of the quoted header, as RFC 792 promises: ports and sequence number */

static uint16_t read16(const uint8_t *bytes)
{
	return bytes[0] << 8 | bytes[1];
}

static uint32_t read32(const uint8_t *bytes)
{
	return (uint32_t)read16(bytes) << 16 | read16(bytes + 2);
}

/* RFC 1071; 0 over bytes that hold their own right checksum. */
static uint16_t sum(const uint8_t *bytes, size_t len)
{
	uint32_t total = 0;

	for (; len > 1; bytes += 2, len -= 2)
		total += read16(bytes);
	if (len)
		total += *bytes << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return ~total;
}

static struct in6_addr map_v4(const uint8_t *bytes)
{
	struct in6_addr address = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	memcpy(&address.s6_addr[12], bytes, 4);
	return address;
}

/* The length of an IPv4 header that is whole; 0 = it is not. */
static size_t measure4(const uint8_t *bytes, size_t len)
{
	size_t header_len = len >= sizeof(struct ip) ? (bytes[0] & 15) * 4u : 0;

	if (header_len < sizeof(struct ip) || header_len > len || bytes[0] >> 4 != 4)
		return 0;
	return header_len;
}

static void read_tcp(const uint8_t *bytes, struct icmp_answer *answer)
{
	answer->local.port = read16(bytes);
	answer->remote.port = read16(bytes + 2);
	answer->sequence = read32(bytes + 4);
}

int icmp_decode4(const uint8_t *bytes, size_t len, struct icmp_answer *ret_answer)
{
	struct icmp_answer answer = {};
	size_t outer_len = measure4(bytes, len), inner_len;
	const uint8_t *icmp = bytes + outer_len, *inner = icmp + ICMP_BYTES;

	if (!outer_len || bytes[9] != IPPROTO_ICMP || len - outer_len < ICMP_BYTES)
		return -EBADMSG;
	len -= outer_len;
	if (icmp[0] != ICMP_TIME_EXCEEDED || icmp[1] != ICMP_EXC_TTL || sum(icmp, len))
		return -EBADMSG;
	len -= ICMP_BYTES;
	inner_len = measure4(inner, len);
	/* A fragment other than the first has no ports. */
	if (!inner_len || inner[9] != IPPROTO_TCP || read16(inner + 6) & IP_OFFMASK ||
		len - inner_len < TCP_BYTES)
		return -EBADMSG;
	answer.router = map_v4(bytes + 12);
	answer.id = read16(inner + 4);
	answer.local.family = answer.remote.family = AF_INET;
	memcpy(&answer.local.v4, inner + 12, 4);
	memcpy(&answer.remote.v4, inner + 16, 4);
	read_tcp(inner + inner_len, &answer);
	*ret_answer = answer;
	return 0;
}

int icmp_decode6(const uint8_t *bytes, size_t len, const struct in6_addr *router,
	struct icmp_answer *ret_answer)
{
	const uint8_t *inner = bytes + ICMP_BYTES;
	struct icmp_answer answer = {.router = *router};

	if (len < ICMP_BYTES + sizeof(struct ip6_hdr) + TCP_BYTES ||
		bytes[0] != ICMP6_TIME_EXCEEDED || bytes[1] != ICMP6_TIME_EXCEED_TRANSIT ||
		inner[0] >> 4 != 6 || inner[6] != IPPROTO_TCP)
		return -EBADMSG;
	answer.local.family = answer.remote.family = AF_INET6;
	memcpy(&answer.local.v6, inner + 8, 16);
	memcpy(&answer.remote.v6, inner + 24, 16);
	read_tcp(inner + sizeof(struct ip6_hdr), &answer);
	*ret_answer = answer;
	return 0;
}
