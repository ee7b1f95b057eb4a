/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* TCP_MULTIPATH_SUBFLOWS: the established subflows, as pairs of addresses. */
#ifndef SUBFLOW_LISTING_H
#define SUBFLOW_LISTING_H

#include "sockopt.h"
#include "subflows.h"
#include "wishes.h"

struct endpoint4 {
	__u16 family;
	__be16 port;
	__be32 addr;
	__u8 zero[20];
};

struct endpoint6 {
	__u16 family;
	__be16 port;
	__be32 flowinfo;
	__be32 addr[4];
	__u32 scope_id;
};

/* struct tcp_multipath_pair of include/subflow.h */
struct pair {
	union {
		struct endpoint4 v4;
		struct endpoint6 v6;
	} local, remote;
};

_Static_assert(sizeof(struct pair) == 56, "the size of a pair is part of the contract");

/* Two fields of the kernel's struct sock_common at a time, as it keeps them side by side. */
struct addr_pair {
	__be32 remote, local;
};

struct port_pair {
	__be16 remote;
	__u16 local;
};

static __always_inline void read_pair(struct pair *pair, const struct sock *ssk, __u32 family)
{
	struct addr_pair addrs;
	struct port_pair ports;

	BPF_CORE_READ_INTO(&addrs, ssk, __sk_common.skc_addrpair);
	BPF_CORE_READ_INTO(&ports, ssk, __sk_common.skc_portpair);
	__builtin_memset(pair, 0, sizeof(*pair));
	pair->local.v4.family = pair->remote.v4.family = family;
	pair->local.v4.port = __builtin_bswap16(ports.local);
	pair->remote.v4.port = ports.remote;
	if (family == AF_INET) {
		pair->local.v4.addr = addrs.local;
		pair->remote.v4.addr = addrs.remote;
	} else if (BPF_CORE_READ(ssk, __sk_common.skc_family) == AF_INET) {
		map_v4(pair->local.v6.addr, addrs.local);
		map_v4(pair->remote.v6.addr, addrs.remote);
	} else {
		BPF_CORE_READ_INTO(
			&pair->local.v6.addr, ssk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32);
		BPF_CORE_READ_INTO(
			&pair->remote.v6.addr, ssk, __sk_common.skc_v6_daddr.in6_u.u6_addr32);
	}
}

struct listing {
	struct bpf_sockopt *ctx;
	struct mptcp_sock *msk;
	struct list_head *node;
	__u32 family;
	__u32 len; /* bytes written to optval */
	int err;
};

/* bpf_loop: 1 ends it. */
static int list_subflow(__u32 index, void *arg)
{
	struct listing *list = arg;
	struct bpf_sockopt *ctx = list->ctx;
	struct pair pair, *to;
	struct sock *ssk;

	ssk = next_subflow(list->msk, &list->node);
	if (!ssk)
		return 1;
	if (BPF_CORE_READ(ssk, __sk_common.skc_state) != BPF_TCP_ESTABLISHED)
		return 0;
	to = ctx->optval + (list->len & 0xfff);
	if ((int)(list->len + sizeof(*to)) > ctx->optlen || (void *)(to + 1) > ctx->optval_end) {
		list->err = ERANGE;
		return 1;
	}
	read_pair(&pair, ssk, list->family);
	*to = pair;
	list->len += sizeof(*to);
	return 0;
}

static __always_inline int get_subflows(struct bpf_sockopt *ctx)
{
	struct listing list = {.ctx = ctx, .msk = msk_of(ctx), .family = ctx->sk->family};

	list.node = subflows_of(list.msk);
	bpf_loop(SUBFLOWS_WALK_MAX, list_subflow, &list, 0);
	if (list.err)
		return fail(ctx, list.err);
	if (!list.len) /* the hook cannot answer an empty array */
		return fail(ctx, ENOTCONN);
	return answer(ctx, list.len);
}

#endif
