/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Repair: notices that a subflow's path is dead while the connection's other
 * subflows go on, at the subflow's first retransmission timeout, or its second.
 */
#ifndef SUBFLOW_TIMEOUT_H
#define SUBFLOW_TIMEOUT_H

#include "doorbell.h"
#include "subflows.h"

#include <bpf/bpf_endian.h>

/* include/net/tcp.h */
#define SOL_TCP           6
#define TCP_BPF_RTO_MIN   1004
#define TCP_CONGESTION    13
#define TCP_NOTSENT_LOWAT 25

/*
 * A receiver acknowledges every other packet at once; one alone may wait, and a few may be lost in
 * a full queue.
 */
#define PACKETS_ENOUGH 4

/* How the siblings of a silent subflow do. */
struct siblings {
	struct mptcp_sock *msk;
	struct list_head *node;
	struct sock *self;
	__u32 now, silence; /* since when nothing was acknowledged, jiffies */
	__u32 progressing, silent;
};

/* bpf_loop: 1 ends it. */
static int judge_sibling(__u32 index, void *arg)
{
	struct siblings *siblings = arg;
	struct sock *ssk = next_subflow(siblings->msk, &siblings->node);
	struct tcp_sock *tp = (struct tcp_sock *)ssk;
	__u32 silence, in_flight;

	if (!ssk)
		return 1;
	if (ssk == siblings->self ||
		BPF_CORE_READ(ssk, __sk_common.skc_state) != BPF_TCP_ESTABLISHED)
		return 0;
	silence = siblings->now - BPF_CORE_READ(tp, rcv_tstamp);
	in_flight = BPF_CORE_READ(tp, packets_out);
	/* One with nothing in flight has had acknowledged all that it sent. */
	if (silence + 2 <= siblings->silence && (silence * 2 <= siblings->silence || !in_flight) &&
		!BPF_CORE_READ((struct inet_connection_sock *)ssk, icsk_retransmits))
		siblings->progressing++;
	else if (in_flight)
		siblings->silent++;
	return 0;
}

/*
 * Whether the last packet of a short flight has been sent twice: the kernel's loss probe (RFC 8985
 * section 7), which sets the timer anew. What a receiver has already it acknowledges at once.
 */
static __always_inline bool is_probed(struct tcp_sock *tp)
{
	struct rb_node *node = BPF_CORE_READ((struct sock *)tp, tcp_rtx_queue.rb_node), *next;
	struct tcp_skb_cb *cb;

	for (int i = 0; i < PACKETS_ENOUGH && node; i++) {
		next = BPF_CORE_READ(node, rb_right);
		if (!next)
			break;
		node = next;
	}
	if (!node)
		return false;
	cb = (void *)node - bpf_core_field_offset(struct sk_buff, rbnode) +
	     bpf_core_field_offset(struct sk_buff, cb);
	return BPF_CORE_READ(cb, sacked) & TCPCB_EVER_RETRANS;
}

/*
 * Whether the timeout means a dead path, RECORD_TIMEOUT, and not a loss in a full queue, a late
 * acknowledgement or an outage of this host: nothing of the flight came through, and most siblings
 * go on. RECORD_OUTAGE: no more go on than are silent, which is said once. 0: neither.
 */
static __always_inline __u16 judge_timeout(
	struct mptcp_sock *msk, struct tcp_sock *tp, __u32 timeouts)
{
	struct siblings siblings = {.msk = msk, .self = (struct sock *)tp};

	if (timeouts == 0 &&
		(tp->sacked_out || (tp->packets_out < PACKETS_ENOUGH && !is_probed(tp))))
		return 0;
	siblings.node = subflows_of(msk);
	siblings.now = bpf_jiffies64();
	siblings.silence = siblings.now - tp->rcv_tstamp;
	bpf_loop(SUBFLOWS_HARD_MAX, judge_sibling, &siblings, 0);
	/* On a crowded path several wait for the same queue: the second timeout in a row decides.
	 */
	if (siblings.progressing > siblings.silent && (timeouts || !siblings.silent))
		return RECORD_TIMEOUT;
	return timeouts == 1 && siblings.silent ? RECORD_OUTAGE : 0;
}

/* The kernel's least: a subflow that may be given up must notice soon (default: 200 ms). */
static __always_inline void hasten(struct bpf_sock_ops *ctx)
{
	int rto_min_us = config.rto_min_us;

	if (rto_min_us)
		bpf_setsockopt(ctx, SOL_TCP, TCP_BPF_RTO_MIN, &rto_min_us, sizeof(rto_min_us));
}

/*
 * What a subflow holds and cannot send yet is lost to its siblings: the rest waits in the
 * connection, for whichever has room first. An application's own limit is the connection's, and
 * stays.
 */
static __always_inline void leave_to_siblings(struct bpf_sock_ops *ctx)
{
	int unsent = config.unsent;

	if (unsent)
		bpf_setsockopt(ctx, SOL_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
}

/* Where subflows of one connection meet, they are to take no more than one would. */
static __always_inline void couple(struct bpf_sock_ops *ctx)
{
	char name[COUPLED_NAME_MAX] = COUPLED_NAME;

	if (config.couples)
		bpf_setsockopt(ctx, SOL_TCP, TCP_CONGESTION, name, sizeof(name));
}

static __noinline int on_timeout(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct mptcp_sock *msk;
	struct tcp_sock *tp;
	struct record *r;
	__u16 kind;

	/* Repair may have been switched off since it came up. */
	if (!sk || !config.rto_min_us)
		return 1;
	tp = (struct tcp_sock *)bpf_skc_to_tcp_sock(sk);
	msk = (struct mptcp_sock *)bpf_skc_to_mptcp_sock(sk);
	if (!tp || !msk || msk->flags & config.fallback_mask)
		return 1;
	kind = judge_timeout(msk, tp, ctx->args[0]);
	if (!kind)
		return 1;
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r) { /* the next timeout tries again */
		__sync_fetch_and_add(&counters.deferred, 1);
		return 1;
	}
	fill_record(r, kind, bpf_get_netns_cookie(ctx), msk->token);
	r->family = ctx->family;
	r->local_port = ctx->local_port;
	r->remote_port = bpf_ntohl(ctx->remote_port);
	if (r->family == AF_INET) {
		r->local[0] = ctx->local_ip4;
		r->remote[0] = ctx->remote_ip4;
	} else {
		for (int i = 0; i < 4; i++) {
			r->local[i] = ctx->local_ip6[i];
			r->remote[i] = ctx->remote_ip6[i];
		}
	}
	bpf_ringbuf_submit(r, 0);
	return 1;
}

#endif
