/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* TCP_MULTIPATH_BACKUP: which subflows are meant, told to the daemon one by one. */
#ifndef SUBFLOW_BACKUP_H
#define SUBFLOW_BACKUP_H

#include "request.h"

/* struct tcp_multipath_backup of include/subflow.h */
struct backup_value {
	union {
		struct address4 v4;
		struct address6 v6;
	} local;
	__u32 backup;
};

_Static_assert(sizeof(struct backup_value) == 32, "its size is part of the contract");

struct marking {
	struct mptcp_sock *msk;
	struct list_head *node;
	const struct conn_key *key;
	__u32 uid;
	struct end local;
	__u32 backup;
	bool tells, failed; /* failed: there was no room to tell of one */
	int n;              /* subflows that are meant */
};

/* False: there is no room. */
static __always_inline bool tell_backup(const struct marking *marking, const struct sock *ssk)
{
	struct record *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

	if (!r)
		return false;
	fill_record(r, RECORD_BACKUP, marking->key->netns, marking->key->token);
	r->uid = marking->uid;
	r->is_backup = marking->backup;
	r->family = BPF_CORE_READ(ssk, __sk_common.skc_family);
	r->local_port = BPF_CORE_READ(ssk, __sk_common.skc_num);
	r->remote_port = bpf_ntohs(BPF_CORE_READ(ssk, __sk_common.skc_dport));
	if (r->family == AF_INET) {
		r->local[0] = BPF_CORE_READ(ssk, __sk_common.skc_rcv_saddr);
		r->remote[0] = BPF_CORE_READ(ssk, __sk_common.skc_daddr);
	} else {
		BPF_CORE_READ_INTO(&r->local, ssk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32);
		BPF_CORE_READ_INTO(&r->remote, ssk, __sk_common.skc_v6_daddr.in6_u.u6_addr32);
	}
	bpf_ringbuf_submit(r, 0);
	return true;
}

/* bpf_loop: 1 ends it. */
static int mark_subflow(__u32 index, void *arg)
{
	struct marking *marking = arg;
	struct sock *ssk = next_subflow(marking->msk, &marking->node);
	struct end local = {};

	if (!ssk)
		return 1;
	if (BPF_CORE_READ(ssk, __sk_common.skc_state) != BPF_TCP_ESTABLISHED)
		return 0;
	read_local(ssk, &local);
	if (!is_same_address(local.addr, marking->local.addr) ||
		(marking->local.port && marking->local.port != local.port))
		return 0;
	marking->n++;
	if (marking->tells && !tell_backup(marking, ssk)) {
		marking->failed = true;
		return 1;
	}
	return 0;
}

static __always_inline void mark(struct marking *marking, bool tells)
{
	marking->node = subflows_of(marking->msk);
	marking->tells = tells;
	bpf_loop(SUBFLOWS_HARD_MAX, mark_subflow, marking, 0);
}

/* So that a call fails before it has begun; other CPUs may still take the room. */
static __always_inline bool has_room(int n)
{
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) +
		       n * (sizeof(struct record) + BPF_RINGBUF_HDR_SZ) <=
	       bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE);
}

static __always_inline int set_backup(struct bpf_sockopt *ctx)
{
	struct backup_value *value = ctx->optval;
	struct request request = {};
	struct marking marking = {};
	int err;

	if (ctx->optlen != sizeof(*value) || (void *)(value + 1) > ctx->optval_end)
		return fail(ctx, EINVAL);
	marking.backup = value->backup;
	marking.local.port = bpf_ntohs(value->local.v4.port);
	if (value->local.v4.family == AF_INET) {
		map_v4(marking.local.addr, value->local.v4.addr);
	} else if (value->local.v4.family == AF_INET6) {
		marking.local.addr[0] = value->local.v6.addr[0];
		marking.local.addr[1] = value->local.v6.addr[1];
		marking.local.addr[2] = value->local.v6.addr[2];
		marking.local.addr[3] = value->local.v6.addr[3];
	} else {
		return fail(ctx, EINVAL);
	}
	if (marking.backup > 1)
		return fail(ctx, EINVAL);
	err = begin_request(ctx, &request);
	if (err)
		return fail(ctx, err);
	if (!is_connected(ctx))
		return fail(ctx, ENOTCONN);
	marking.msk = request.msk;
	marking.key = &request.key;
	marking.uid = request.uid;
	mark(&marking, false);
	if (!marking.n)
		return fail(ctx, EADDRNOTAVAIL);
	if (!has_room(marking.n))
		return fail(ctx, ENOBUFS);
	mark(&marking, true);
	return marking.failed ? fail(ctx, ENOBUFS) : handled(ctx);
}

#endif
