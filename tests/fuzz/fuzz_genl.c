/* SPDX-License-Identifier: MIT */
/* Answers of generic netlink: the family that is resolved, and dumps. */
#include "datagrams.h"
#include "fuzz.h"
#include "kernel/genl.h"
#include "kernel/pm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mnl_socket *socket;
	struct genl_family family = {};
	bool has;
	int err;

	if (!socket)
		FUZZ_CHECK(!genl_open(NETLINK_GENERIC, &socket));
	datagrams_queue(data, size);
	err = genl_resolve(socket, "mptcp_pm", "mptcp_pm_events", &family);
	FUZZ_CHECK(err <= 0 && err > -4096 && !err == !!family.id);
	datagrams_queue(data, size);
	err = pm_has_endpoints(socket, &family, &has);
	FUZZ_CHECK(err <= 0 && err > -4096);
	return 0;
}
