/* SPDX-License-Identifier: MIT */
/* Lines of /proc/net/netlink, as daemon and command read them. */
#include "fuzz.h"
#include "kernel/monitor.h"
#include "listener.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = strndup((const char *)data, size);
	unsigned long shown = 0;
	uint64_t inode = 0;

	FUZZ_CHECK(line);
	for (uint32_t group = 1; group <= 32; group++) {
		bool is = monitor_is_listener(line, group, &inode);

		FUZZ_CHECK(is == listener_parse(line, group, &shown));
		FUZZ_CHECK(!is || inode == shown);
	}
	free(line);
	return 0;
}
