/* SPDX-License-Identifier: MIT */
/* What rtnetlink says of local routes. */
#include "datagrams.h"
#include "fuzz.h"
#include "kernel/locals.h"
#include "kernel/maps.h"

#include <linux/netlink.h>

static uint32_t count;

int maps_put_local(struct hooks *hooks, const struct local_key *key, uint32_t is_local)
{
	(void)hooks;
	(void)is_local;
	FUZZ_CHECK(key->bits >= 64 && key->bits <= 64 + 128);
	count++;
	return 0;
}

void maps_drop_local(struct hooks *hooks, const struct local_key *key)
{
	(void)hooks;
	(void)key;
	count--;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct locals locals = {};

	datagrams_queue(data, size);
	FUZZ_CHECK(locals_read(&locals, 7) <= 0);
	locals_forget(&locals, 7);
	FUZZ_CHECK(count == 0);
	locals_done(&locals);
	return 0;
}
