/* SPDX-License-Identifier: MIT */
/* Events of the path manager: each message by itself, then as the monitor reads them. */
#include "../unit/kernel/answers.h"
#include "datagrams.h"
#include "fuzz.h"
#include "kernel/monitor.h"
#include "kernel/pm.h"

#include <linux/netlink.h>

static void decode(const struct nlmsghdr *message)
{
	struct event event = {.serial = 77};

	if (pm_decode(message, &event)) {
		FUZZ_CHECK(event.serial == 77);
		return;
	}
	FUZZ_CHECK(event.kind <= EVENT_WITHDRAWN && !event.key.netns && !event.key.zero);
	if (event.kind == EVENT_NONE || event.kind == EVENT_CLOSED || event.kind == EVENT_WITHDRAWN)
		return;
	FUZZ_CHECK(event.remote.family == AF_INET || event.remote.family == AF_INET6);
	FUZZ_CHECK(event.local.family == event.remote.family || event.kind == EVENT_ANNOUNCED);
}

static void hear(void *owner, int nsid, struct event *event)
{
	(void)owner;
	FUZZ_CHECK(nsid >= MONITOR_HOME && event->kind != EVENT_NONE);
}

static bool may_skip(void *owner, int nsid, uint32_t token)
{
	(void)owner;
	FUZZ_CHECK(nsid >= MONITOR_HOME);
	return token % 2;
}

static void lose(void *owner)
{
	(void)owner;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct monitor monitor = {.heard = hear, .may_skip = may_skip, .lost = lose};

	datagrams_each(data, size, decode);
	if (!monitor.events_socket)
		FUZZ_CHECK(!genl_open(NETLINK_GENERIC, &monitor.events_socket));
	datagrams_queue(data, size);
	if (size > 2 + sizeof(struct nlmsghdr)) /* the type of the first message, mostly */
		monitor.family.id = data[6] | data[7] << 8;
	monitor_drain(&monitor);
	FUZZ_CHECK(answers.given == answers.n);
	return 0;
}
