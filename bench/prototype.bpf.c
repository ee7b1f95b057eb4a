/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Ways to count what a flow has carried that a detector could have taken instead of ours. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u64);
} flows SEC(".maps");

/* Each packet, whoever sends it: its flow by the hash that the kernel has of it. */
SEC("tc")
int count_packet(struct __sk_buff *skb)
{
	__u64 key = bpf_get_hash_recalc(skb), len = skb->len;
	__u64 *bytes = bpf_map_lookup_elem(&flows, &key);

	if (bytes)
		__sync_fetch_and_add(bytes, len);
	else
		bpf_map_update_elem(&flows, &key, &len, BPF_ANY);
	return TC_ACT_UNSPEC;
}

/* Each round trip of each socket, mouse or elephant. */
SEC("sockops")
int count_round(struct bpf_sock_ops *ops)
{
	__u64 key, *bytes, acked;

	if (ops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB ||
		ops->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB) {
		bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_RTT_CB_FLAG);
	} else if (ops->op == BPF_SOCK_OPS_RTT_CB) {
		key = bpf_get_socket_cookie(ops);
		acked = ops->bytes_acked;
		bytes = bpf_map_lookup_elem(&flows, &key);
		if (bytes)
			*bytes = acked;
		else
			bpf_map_update_elem(&flows, &key, &acked, BPF_ANY);
	}
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
