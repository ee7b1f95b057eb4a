/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The walk of the unwatched: clients of one namespace whose bytes the callbacks do not count. They
 * came up while nobody asked for callbacks, or were past the rule's last threshold, which ends
 * these.
 */
#include "mptcp.h"

#include "maps.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "watch.h"

/* Those that data can be sent over. include/net/tcp_states.h */
#define TCP_ESTABLISHED 1
#define TCP_CLOSE_WAIT  8

/* The helper for it takes no socket of an iterator. */
static __always_inline struct mptcp_sock *msk_of(struct tcp_sock *tp)
{
	struct mptcp_subflow_context *subflow;

	if (!BPF_CORE_READ_BITFIELD_PROBED(tp, is_mptcp))
		return NULL;
	subflow = BPF_CORE_READ((struct inet_connection_sock *)tp, icsk_ulp_data);
	return (void *)BPF_CORE_READ(subflow, conn);
}

SEC("iter/tcp")
int subflow_unwatched(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;
	__u8 wanted = config.downloads ? PROGRESS : SENDING;
	struct mptcp_sock *msk;
	struct tcp_sock *tp;
	__u32 token;

	if (!sk || (sk->skc_state != TCP_ESTABLISHED && sk->skc_state != TCP_CLOSE_WAIT))
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || (tp->bpf_sock_ops_cb_flags & wanted) == wanted)
		return 0;
	msk = msk_of(tp);
	if (!msk || BPF_CORE_READ(msk, pm.server_side))
		return 0;
	token = BPF_CORE_READ(msk, token);
	bpf_seq_write(ctx->meta->seq, &token, sizeof(token));
	return 0;
}
