/* SPDX-License-Identifier: MIT */
/* What rtnetlink says of devices and addresses. */
#include "datagrams.h"
#include "fuzz.h"
#include "kernel/addresses.h"

#include <linux/netlink.h>

static void check(const struct endpoint *list, uint32_t count)
{
	FUZZ_CHECK(count <= ADDRESSES_MAX);
	for (uint32_t i = 0; i < count; i++)
		FUZZ_CHECK(
			(list[i].family == AF_INET || list[i].family == AF_INET6) && !list[i].port);
}

static void decode(const struct nlmsghdr *message)
{
	struct address address;
	struct device device;

	addresses_decode_device(message, &device);
	if (!addresses_decode_address(message, &address))
		check(&address.endpoint, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct addresses addresses = {};

	datagrams_each(data, size, decode);
	datagrams_queue(data, size);
	FUZZ_CHECK(addresses_read(&addresses) <= 0);
	check(addresses.usable, addresses.n_usable);
	check(addresses.gone, addresses.n_gone);
	return 0;
}
