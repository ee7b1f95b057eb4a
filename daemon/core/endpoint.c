/* SPDX-License-Identifier: MIT */
/* An address and a port: comparison and text. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

bool endpoint_is_same_address(const struct endpoint *a, const struct endpoint *b)
{
	if (a->family != b->family)
		return false;
	if (a->family == AF_INET)
		return a->v4.s_addr == b->v4.s_addr;
	return !memcmp(&a->v6, &b->v6, sizeof(a->v6));
}

bool endpoint_is_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && endpoint_is_same_address(a, b);
}

bool endpoint_is_link_local(const struct endpoint *endpoint)
{
	return endpoint->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&endpoint->v6);
}

struct endpoint endpoint_unmap(const struct endpoint *endpoint)
{
	struct endpoint plain = {.family = AF_INET, .port = endpoint->port};

	if (endpoint->family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&endpoint->v6))
		return *endpoint;
	memcpy(&plain.v4, &endpoint->v6.s6_addr[12], sizeof(plain.v4));
	return plain;
}

const char *endpoint_text(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_MAX])
{
	char address[INET6_ADDRSTRLEN] = "?";
	const void *bytes = &endpoint->v6;
	int family = endpoint->family;

	if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&endpoint->v6)) {
		bytes = &endpoint->v6.s6_addr[12];
		family = AF_INET;
	} else if (family == AF_INET) {
		bytes = &endpoint->v4;
	}
	if (family)
		inet_ntop(family, bytes, address, sizeof(address));
	snprintf(text, ENDPOINT_TEXT_MAX, family == AF_INET6 ? "[%s]:%u" : "%s:%u", address,
		endpoint->port);
	return text;
}
