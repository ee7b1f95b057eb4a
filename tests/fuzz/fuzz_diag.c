/* SPDX-License-Identifier: MIT */
/* What sock_diag says of connections. */
#include "datagrams.h"
#include "fuzz.h"
#include "kernel/sockinfo.h"

#include <linux/netlink.h>

static void check(void *arg, const struct diag_conn *conn)
{
	(void)arg;
	FUZZ_CHECK(conn->token);
	FUZZ_CHECK(conn->has_bytes ||
		   (!conn->bytes_sent && !conn->bytes_acked && !conn->bytes_received));
	FUZZ_CHECK((conn->local.family == AF_INET || conn->local.family == AF_INET6) &&
		   conn->local.family == conn->remote.family);
}

static void decode(const struct nlmsghdr *message)
{
	struct diag_subflow subflow;
	struct diag_flow flow;
	struct rate_sample sample = {};
	struct diag_conn conn;

	/* It is the one or the other, or nothing of both. */
	FUZZ_CHECK(sockinfo_subflow(message, &subflow) || sockinfo_flow(message, &flow));
	if (sockinfo_pace(message, &sample))
		FUZZ_CHECK(!sample.srtt_us && !sample.busy_us);
	if (!sockinfo_conn(message, &conn))
		check(NULL, &conn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	datagrams_each(data, size, decode);
	datagrams_queue(data, size);
	FUZZ_CHECK(diag_dump(check, NULL) <= 0);
	return 0;
}
