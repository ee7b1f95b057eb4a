/* SPDX-License-Identifier: MIT */
/*
 * Answers of routers to probes: of the first byte one bit says which family, and one that the
 * checksum is to be right, or hardly any packet of IPv4 would be read beyond it.
 */
#include "fuzz.h"
#include "kernel/icmp.h"

#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define IS_V6    1
#define IS_RIGHT 2

/* Of a header that begins at @at, in bytes. */
static size_t header_len(const uint8_t *bytes, size_t at)
{
	return 4u * (bytes[at] & 15);
}

static uint32_t read_be(const uint8_t *bytes, size_t n)
{
	uint32_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* Makes the checksum of the ICMP message right, if there is one. */
static void mend(uint8_t *bytes, size_t len)
{
	size_t at = len ? header_len(bytes, 0) : 0;
	uint32_t total = 0;

	if (at + sizeof(struct icmphdr) > len)
		return;
	memset(bytes + at + 2, 0, 2);
	for (size_t i = at; i < len; i++)
		total += (i - at) % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	total = (total & 0xffff) + (total >> 16);
	total = ~(total + (total >> 16)) & 0xffff;
	bytes[at + 2] = total >> 8;
	bytes[at + 3] = total;
}

/* What was read stands where the two headers and the quoted ones have it. */
static void check_ports(const uint8_t *tcp, const struct icmp_answer *answer)
{
	FUZZ_CHECK(answer->local.port == read_be(tcp, 2));
	FUZZ_CHECK(answer->remote.port == read_be(tcp + 2, 2));
	FUZZ_CHECK(answer->sequence == read_be(tcp + 4, 4));
}

static void check4(const uint8_t *bytes, size_t len, const struct icmp_answer *answer)
{
	size_t icmp = header_len(bytes, 0), quoted = icmp + sizeof(struct icmphdr), tcp;

	FUZZ_CHECK(icmp >= sizeof(struct ip) && quoted + sizeof(struct ip) <= len);
	tcp = quoted + header_len(bytes, quoted);
	FUZZ_CHECK(tcp >= quoted + sizeof(struct ip) && tcp + 8 <= len);
	FUZZ_CHECK(bytes[icmp] == ICMP_TIME_EXCEEDED && bytes[quoted + 9] == IPPROTO_TCP);
	FUZZ_CHECK(IN6_IS_ADDR_V4MAPPED(&answer->router) &&
		   !memcmp(&answer->router.s6_addr[12], bytes + 12, 4));
	FUZZ_CHECK(answer->local.family == AF_INET && answer->remote.family == AF_INET);
	FUZZ_CHECK(!memcmp(&answer->local.v4, bytes + quoted + 12, 4));
	FUZZ_CHECK(!memcmp(&answer->remote.v4, bytes + quoted + 16, 4));
	FUZZ_CHECK(answer->id == read_be(bytes + quoted + 4, 2));
	check_ports(bytes + tcp, answer);
}

static void check6(const uint8_t *bytes, size_t len, const struct in6_addr *router,
	const struct icmp_answer *answer)
{
	size_t quoted = sizeof(struct icmp6_hdr), tcp = quoted + sizeof(struct ip6_hdr);

	FUZZ_CHECK(tcp + 8 <= len && bytes[0] == ICMP6_TIME_EXCEEDED);
	FUZZ_CHECK(bytes[quoted + 6] == IPPROTO_TCP && !answer->id);
	FUZZ_CHECK(IN6_ARE_ADDR_EQUAL(&answer->router, router));
	FUZZ_CHECK(answer->local.family == AF_INET6 && answer->remote.family == AF_INET6);
	FUZZ_CHECK(!memcmp(&answer->local.v6, bytes + quoted + 8, 16));
	FUZZ_CHECK(!memcmp(&answer->remote.v6, bytes + quoted + 24, 16));
	check_ports(bytes + tcp, answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct in6_addr router = {.s6_addr = {0xfd}};
	struct icmp_answer answer = {.sequence = 77};
	uint8_t *copy;
	int err;

	if (!size)
		return 0;
	/* A copy that ends where the packet ends. */
	copy = malloc(size > 1 ? size - 1 : 1);
	FUZZ_CHECK(copy);
	memcpy(copy, data + 1, size - 1);
	if ((*data & (IS_V6 | IS_RIGHT)) == IS_RIGHT)
		mend(copy, size - 1);
	err = *data & IS_V6 ? icmp_decode6(copy, size - 1, &router, &answer)
			    : icmp_decode4(copy, size - 1, &answer);
	if (err)
		FUZZ_CHECK(answer.sequence == 77 && !answer.local.family);
	else if (*data & IS_V6)
		check6(copy, size - 1, &router, &answer);
	else
		check4(copy, size - 1, &answer);
	free(copy);
	return 0;
}
