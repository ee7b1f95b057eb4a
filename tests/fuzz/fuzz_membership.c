/* SPDX-License-Identifier: MIT */
/* The groups that a netlink socket listens to. */
#include "datagrams.h"
#include "fuzz.h"
#include "kernel/listener.h"

#include <stdint.h>

static void decode(const struct nlmsghdr *message)
{
	static const uint32_t groups[] = {1, 32, 33, 64, 65, 1000, UINT32_MAX};
	uint64_t inode;
	int err;

	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		inode = UINT64_MAX;
		err = listener_decode(message, groups[i], &inode);
		FUZZ_CHECK(err <= 0 && !err == (inode != UINT64_MAX));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	datagrams_each(data, size, decode);
	return 0;
}
