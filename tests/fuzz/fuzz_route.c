/* SPDX-License-Identifier: MIT */
/* What the kernel says of the route of a probe. */
#include "datagrams.h"
#include "fuzz.h"
#include "kernel/genl.h"
#include "kernel/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct endpoint local = {.family = AF_INET, .port = 40000},
			      remote = {.family = AF_INET, .port = 80};
	static struct mnl_socket *socket;
	struct probe_route route;
	int err;

	if (!socket)
		FUZZ_CHECK(!genl_open(NETLINK_ROUTE, &socket));
	datagrams_queue(data, size);
	err = probe_find_route(socket, &local, &remote, &route);
	FUZZ_CHECK(err <= 0 && err > -4096);
	return 0;
}
