/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What all options share: how a call is answered, and whose socket it is about. */
#ifndef SUBFLOW_SOCKOPT_H
#define SUBFLOW_SOCKOPT_H

#include "maps.h"
#include "mptcp.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/errno.h>

static __always_inline int fail(struct bpf_sockopt *ctx, int err)
{
	(void)ctx;
	__sync_fetch_and_add(&counters.refused, 1);
	bpf_set_retval(-err);
	return 0;
}

/* set: handled, the call returns 0 without asking the kernel's own code. */
static __always_inline int handled(struct bpf_sockopt *ctx)
{
	ctx->optlen = -1;
	return 1;
}

/*
 * get: @len bytes of optval are the answer. clang merges neighbouring stores
 * to optlen and retval into one of eight bytes, which the verifier refuses.
 */
static __always_inline int answer(struct bpf_sockopt *ctx, int len)
{
	ctx->optlen = len;
	asm volatile("" ::: "memory");
	ctx->retval = 0;
	return 1;
}

/* Elsewhere the options do not exist, whoever else the hooks are there for. */
static __always_inline bool is_served(struct bpf_sockopt *ctx)
{
	__u64 netns = bpf_get_netns_cookie(ctx);

	return bpf_map_lookup_elem(&served, &netns);
}

/*
 * ctx->sk cannot be read beyond struct bpf_sock, nor cast. Read as the number
 * that it is, from the kernel's own context, it can.
 */
static __always_inline struct mptcp_sock *msk_of(struct bpf_sockopt *ctx)
{
	return (struct mptcp_sock *)BPF_CORE_READ((struct bpf_sockopt_kern *)ctx, sk);
}

static __always_inline bool is_mptcp(struct bpf_sockopt *ctx)
{
	return ctx->sk->protocol == IPPROTO_MPTCP;
}

static __always_inline bool has_fallen_back(struct mptcp_sock *msk)
{
	return BPF_CORE_READ(msk, flags) & config.fallback_mask;
}

/* Also while one direction is shut down: its subflows live on. */
#define CONNECTED                                                                                  \
	((1 << BPF_TCP_ESTABLISHED) | (1 << BPF_TCP_CLOSE_WAIT) | (1 << BPF_TCP_FIN_WAIT1) |       \
		(1 << BPF_TCP_FIN_WAIT2))

static __always_inline bool is_connected(struct bpf_sockopt *ctx)
{
	return 1 << (ctx->sk->state & 31) & CONNECTED;
}

#endif
