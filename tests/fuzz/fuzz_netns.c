/* SPDX-License-Identifier: MIT */
/* Ids of namespaces: asked for, and told of when they end. */
#include "../unit/kernel/answers.h"
#include "datagrams.h"
#include "fuzz.h"
#include "kernel/monitor.h"
#include "kernel/netns.h"

#include <linux/netlink.h>

int __wrap_mnl_socket_setsockopt(
	const struct mnl_socket *socket, int type, void *value, socklen_t len);

/* Listening to all namespaces takes a privilege. */
int __wrap_mnl_socket_setsockopt(
	const struct mnl_socket *socket, int type, void *value, socklen_t len)
{
	(void)socket;
	(void)type;
	(void)value;
	(void)len;
	return 0;
}

static void decode(const struct nlmsghdr *message)
{
	int nsid = -77;

	if (netns_decode_id(message, &nsid))
		FUZZ_CHECK(nsid == -77);
	else
		FUZZ_CHECK(nsid >= 0);
}

static void hear(void *owner, int nsid, struct event *event)
{
	(void)owner;
	(void)nsid;
	(void)event;
}

static void lose(void *owner)
{
	(void)owner;
}

static void end(void *owner, int nsid)
{
	(void)owner;
	FUZZ_CHECK(nsid >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct monitor monitor = {.heard = hear, .lost = lose, .begun = end, .ended = end};
	static const struct genl_family family = {.id = 33, .events_group = 1};
	static struct loop loop;
	int nsid = -77, err;

	if (!monitor.loop)
		FUZZ_CHECK(!loop_init(&loop) && !monitor_init(&monitor, &loop, &family));
	datagrams_each(data, size, decode);
	datagrams_queue(data, size);
	err = netns_assign_id("/proc/self/ns/net", &nsid);
	FUZZ_CHECK(err <= 0 && err > -4096 && !err == (nsid >= 0));
	datagrams_queue(data, size);
	monitor.namespaces.ready(&monitor.namespaces, 0);
	return 0;
}
