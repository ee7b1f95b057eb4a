/* SPDX-License-Identifier: MIT */
/* An address and a port: one end of a subflow. */
#ifndef SUBFLOW_ENDPOINT_H
#define SUBFLOW_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* Room for "[address]:port" and its end. */
#define ENDPOINT_TEXT_MAX (INET6_ADDRSTRLEN + 9)

struct endpoint {
	uint16_t family; /* AF_INET, AF_INET6 (v4-mapped as the kernel gives it), 0 = unknown */
	uint16_t port;   /* host byte order; 0 = not known or not chosen yet */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
};

bool endpoint_is_equal(const struct endpoint *a, const struct endpoint *b);

/* Whether the addresses agree, whatever the ports. */
bool endpoint_is_same_address(const struct endpoint *a, const struct endpoint *b);

/* Whether the address says nothing without a device (RFC 4291, 2.5.6). */
bool endpoint_is_link_local(const struct endpoint *endpoint);

/* An IPv4 endpoint for a v4-mapped one, any other as it is. */
struct endpoint endpoint_unmap(const struct endpoint *endpoint);

/* "10.0.0.1:80", "[fd00::1]:80"; a v4-mapped address is written as IPv4. Returns @text. */
const char *endpoint_text(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_MAX]);

#endif
