/* SPDX-License-Identifier: MIT */
/* The kernel's answers to the command's questions. */
#include "datagrams.h"
#include "fuzz.h"
#include "netlink.h"

#include <libmnl/libmnl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct netlink asked = {.family = 33};
	struct netlink pm = {0};
	unsigned count = 0;
	uint32_t limit = 0;
	int r;

	datagrams_queue(data, size);
	r = netlink_init(&pm);
	FUZZ_CHECK(r <= 0 && r > -4096 && !r == !!pm.socket);
	FUZZ_CHECK(r < 0 || pm.family);
	netlink_done(&pm);

	if (!asked.socket)
		asked.socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	FUZZ_CHECK(asked.socket);
	datagrams_queue(data, size);
	r = netlink_get_subflow_limit(&asked, &limit);
	FUZZ_CHECK(r <= 0 && r > -4096);
	datagrams_queue(data, size);
	r = netlink_count_endpoints(&asked, &count);
	FUZZ_CHECK(r <= 0 && r > -4096);
	datagrams_queue(data, size);
	r = netlink_ask_mptcp_diag();
	FUZZ_CHECK(r <= 0 && r > -4096);
	return 0;
}
