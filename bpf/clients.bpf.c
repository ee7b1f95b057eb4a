/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The walk over the clients of one namespace: what the daemon has not heard of them, or what the
 * daemon before it has.
 */
#include "mptcp.h"

#include "maps.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "watch.h"
#include "wishes.h"

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

/*
 * Without callbacks is what came up while nobody asked for them, and what was past the rule's last
 * threshold, which ends these.
 */
static __always_inline bool is_unwatched(const struct tcp_sock *tp)
{
	__u8 wanted = config.downloads ? PROGRESS : SENDING;

	return config.detects && (tp->bpf_sock_ops_cb_flags & wanted) != wanted;
}

SEC("iter/tcp")
int subflow_clients(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;
	struct client_record client = {};
	struct mptcp_sock *msk;
	struct tcp_sock *tp;

	if (!sk || (sk->skc_state != TCP_ESTABLISHED && sk->skc_state != TCP_CLOSE_WAIT))
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	msk = tp ? msk_of(tp) : NULL;
	if (!msk || BPF_CORE_READ(msk, pm.server_side) ||
		BPF_CORE_READ(msk, flags) & config.fallback_mask)
		return 0;
	if (is_unwatched(tp))
		client.traits |= CLIENT_UNWATCHED;
	if (BPF_CORE_READ(msk, pm.pm_type) != PM_TYPE_USERSPACE)
		client.traits |= CLIENT_FOREIGN;
	else if (is_bound(msk))
		client.traits |= CLIENT_BOUND;
	client.device = bound_device(msk);
	if (BPF_CORE_READ(msk, pm.remote_deny_join_id0))
		client.traits |= CLIENT_DENIED;
	if (!client.traits)
		return 0;
	client.token = BPF_CORE_READ(msk, token);
	bpf_seq_write(ctx->meta->seq, &client, sizeof(client));
	return 0;
}
