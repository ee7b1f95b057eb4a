/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The first MPTCP socket of a network namespace that is not served: the daemon is told of it. */
#include "mptcp.h"

#include "maps.h"

#include <bpf/bpf_helpers.h>

#include "doorbell.h"

/* Those that the daemon was told of, by cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, STRANGERS_MAX);
	__type(key, __u64);
	__type(value, __u32);
} strangers SEC(".maps");

SEC("cgroup/sock_create")
int subflow_stranger(struct bpf_sock *ctx)
{
	__u32 one = 1;
	struct record *r;
	__u64 netns;

	if (ctx->protocol != IPPROTO_MPTCP)
		return 1;
	netns = bpf_get_netns_cookie(ctx);
	if (bpf_map_lookup_elem(&served, &netns) ||
		bpf_map_update_elem(&strangers, &netns, &one, BPF_NOEXIST))
		return 1;
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r) { /* the next socket tries again */
		bpf_map_delete_elem(&strangers, &netns);
		return 1;
	}
	__sync_fetch_and_add(&counters.strangers, 1);
	fill_record(r, RECORD_STRANGER, netns, 0);
	bpf_ringbuf_submit(r, 0);
	return 1;
}
