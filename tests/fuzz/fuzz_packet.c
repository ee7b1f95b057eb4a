/* SPDX-License-Identifier: MIT */
/* Captured packets, one after the other, and the table that they fill: each begins with its length,
 * one byte, whose last bit says which link it is of. */
#include "core/packet.h"
#include "core/wire.h"
#include "fuzz.h"

#include <string.h>

static void take(
	struct wire *wire, enum packet_link link, const uint8_t *data, size_t size, uint64_t now_ns)
{
	struct packet packet = {.bytes = 77};
	uint8_t *copy = malloc(size ? size : 1); /* one that ends where the packet ends */
	int err;

	FUZZ_CHECK(copy);
	memcpy(copy, data, size);
	err = packet_decode(link, copy, size, size + 40000, &packet);
	free(copy);
	if (err) {
		FUZZ_CHECK(packet.bytes == 77 && !packet.source.family);
		return;
	}
	FUZZ_CHECK(packet.source.family == packet.destination.family);
	FUZZ_CHECK(packet.bytes <= size + 40000);
	wire_hear(wire, &packet, now_ns);
	if (now_ns % 3 == 0)
		wire_expire(wire, now_ns * 100000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire wire;
	uint64_t now_ns = 0;

	FUZZ_CHECK(!wire_init(&wire, 4, 42, 1000));
	while (size) {
		enum packet_link link = *data % 2 ? PACKET_IP : PACKET_ETHERNET;
		size_t len = *data < size ? *data : size - 1;

		take(&wire, link, data + 1, len, ++now_ns);
		data += 1 + len;
		size -= 1 + len;
		FUZZ_CHECK(wire.count <= 4);
	}
	wire_expire(&wire, UINT64_MAX);
	FUZZ_CHECK(!wire.count);
	wire_done(&wire);
	return 0;
}
