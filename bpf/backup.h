/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* TCP_MULTIPATH_BACKUP: which subflows are meant, told to the daemon one by one. */
#ifndef SUBFLOW_BACKUP_H
#define SUBFLOW_BACKUP_H

#include "marking.h"
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

static __always_inline void mark(struct marking *marking, const struct request *request, bool tells)
{
	marking->n = 0;
	marking->tells = tells;
	marking_walk(marking, (__u64)request->msk);
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
	marking.key = request.key;
	marking.uid = request.uid;
	mark(&marking, &request, false);
	if (!marking.n)
		return fail(ctx, EADDRNOTAVAIL);
	if (!has_room(marking.n))
		return fail(ctx, ENOBUFS);
	mark(&marking, &request, true);
	return marking.failed ? fail(ctx, ENOBUFS) : handled(ctx);
}

#endif
