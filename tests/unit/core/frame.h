/* SPDX-License-Identifier: MIT */
/* Frames of TCP over Ethernet, byte by byte, for the tests of what a capture reads. */
#ifndef TEST_FRAME_H
#define TEST_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_FIN = 1, FRAME_SYN = 2, FRAME_RST = 4, FRAME_ACK = 16 };

struct frame {
	uint8_t bytes[400];
	size_t captured; /* bytes up to the end of the TCP header */
	size_t length;   /* with data that is not there */
};

struct frame_plan {
	bool is_ipv6, is_turned; /* turned: from 10.0.0.2:80 to 10.0.0.1:40000 */
	uint8_t flags;
	uint16_t port; /* the client's; 0 = 40000 */
	uint32_t sequence, data_bytes;
	unsigned int vlans, extensions; /* of 8 bytes each, IPv6 */
	const void *options;
	size_t options_bytes; /* a multiple of 4, up to 40 */
};

struct frame frame_make(const struct frame_plan *plan);

#endif
