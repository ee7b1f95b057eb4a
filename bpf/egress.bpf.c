/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * By which device a socket sends. The host's hash does not tell: connect(2) looks up the route of
 * a socket that has no port yet, IPv6 without its address too, and Linux 6.16 draws lots.
 */
#include "mptcp.h"

#include "record.h"

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* As a packet that comes from the other end. */
static __u32 write_tuple(const struct egress_query *query, struct bpf_sock_tuple *tuple)
{
	if (query->family == AF_INET) {
		__builtin_memcpy(&tuple->ipv4.saddr, query->remote, 4);
		__builtin_memcpy(&tuple->ipv4.daddr, query->local, 4);
		tuple->ipv4.sport = query->remote_port;
		tuple->ipv4.dport = query->local_port;
		return sizeof(tuple->ipv4);
	}
	__builtin_memcpy(tuple->ipv6.saddr, query->remote, 16);
	__builtin_memcpy(tuple->ipv6.daddr, query->local, 16);
	tuple->ipv6.sport = query->remote_port;
	tuple->ipv6.dport = query->local_port;
	return sizeof(tuple->ipv6);
}

/* Run by the daemon, whose query is the packet. Returns the device's number, 0 = not known. */
SEC("tc")
int subflow_egress(struct __sk_buff *ctx)
{
	struct bpf_sock_tuple tuple = {};
	struct egress_query query;
	struct tcp_sock *tcp;
	struct bpf_sock *sk;
	__u32 len;
	int ifindex = 0;

	if (bpf_skb_load_bytes(ctx, 0, &query, sizeof(query)))
		return 0;
	len = write_tuple(&query, &tuple);
	if (len == sizeof(tuple.ipv4))
		sk = bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (tcp)
		ifindex = BPF_CORE_READ((struct sock *)tcp, sk_dst_cache, dev, ifindex);
	bpf_sk_release(sk);
	return ifindex;
}
