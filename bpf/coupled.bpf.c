/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Coupled congestion control, RFC 6356: where the subflows of a connection meet on a link, they
 * take of it what one TCP connection would take. Slow start, loss and what has no siblings are
 * Reno's.
 */
#include "mptcp.h"

#include <linux/bpf.h>

#include "record.h"
#include "subflows.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Of what is multiplied below, so that 64 bits do. */
#define CWND_MAX 0xffff
#define RTT_MAX  0xfffff /* us */
#define FRACTION 4       /* bits of a window that is a part of a packet */

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[COUPLED_NAME_MAX];
} __attribute__((preserve_access_index));

extern __u32 tcp_reno_ssthresh(struct sock *sk) __ksym;
extern __u32 tcp_reno_undo_cwnd(struct sock *sk) __ksym;
extern void tcp_reno_cong_avoid(struct sock *sk, __u32 ack, __u32 acked) __ksym;
extern void tcp_cong_avoid_ai(struct tcp_sock *tp, __u32 w, __u32 acked) __ksym;

char _license[] SEC("license") = "Dual MIT/GPL";

/* The subflows of one connection. Its lock is not held: the list may change, but is bounded. */
struct flock {
	struct mptcp_sock *msk;
	struct list_head *node;
	__u64 cwnd, rtt_us; /* of the one whose cwnd / rtt^2 is the most */
	__u64 sum;          /* of cwnd / rtt of all, times that rtt */
	bool is_best_known;
};

/* bpf_loop: 1 ends it. */
static int visit(__u32 index, void *arg)
{
	struct flock *flock = arg;
	struct list_head *node = flock->node;
	struct sock *ssk = next_subflow(flock->msk, &node);
	struct tcp_sock *tp = (struct tcp_sock *)ssk;
	__u64 cwnd, rtt_us;

	flock->node = node;
	if (!ssk)
		return 1;
	if (BPF_CORE_READ(ssk, __sk_common.skc_state) != BPF_TCP_ESTABLISHED)
		return 0;
	cwnd = BPF_CORE_READ(tp, snd_cwnd) & CWND_MAX;
	rtt_us = BPF_CORE_READ(tp, srtt_us) >> 3 & RTT_MAX;
	if (!cwnd || !rtt_us)
		return 0;
	if (flock->is_best_known) {
		flock->sum += (cwnd * flock->rtt_us << FRACTION) / rtt_us;
	} else if (cwnd * flock->rtt_us * flock->rtt_us >= flock->cwnd * rtt_us * rtt_us) {
		flock->cwnd = cwnd;
		flock->rtt_us = rtt_us;
	}
	return 0;
}

/*
 * By each of how many packets acknowledged the window grows by one, as alpha and the sum of all
 * windows say: (sum of cwnd / rtt)^2 / max(cwnd / rtt^2), and not faster than TCP's.
 */
static __u32 slowness(struct mptcp_sock *msk, __u32 own_cwnd)
{
	struct flock flock = {.msk = msk};
	__u64 coupled;

	flock.node = subflows_of(msk);
	bpf_loop(SUBFLOWS_HARD_MAX, visit, &flock, 0);
	if (!flock.cwnd)
		return own_cwnd;
	flock.is_best_known = true;
	flock.node = subflows_of(msk);
	bpf_loop(SUBFLOWS_HARD_MAX, visit, &flock, 0);
	coupled = (flock.sum * flock.sum / flock.cwnd) >> (2 * FRACTION);
	return coupled > own_cwnd ? coupled : own_cwnd;
}

SEC("struct_ops/coupled_avoid")
void BPF_PROG(coupled_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	struct mptcp_subflow_context *subflow =
		BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_ulp_data);

	if (!subflow || tp->snd_cwnd < tp->snd_ssthresh ||
		!BPF_CORE_READ_BITFIELD_PROBED(tp, is_mptcp)) {
		tcp_reno_cong_avoid(sk, ack, acked);
		return;
	}
	if (!BPF_CORE_READ_BITFIELD_PROBED(tp, is_cwnd_limited))
		return;
	tcp_cong_avoid_ai(tp, slowness((void *)BPF_CORE_READ(subflow, conn), tp->snd_cwnd), acked);
}

SEC("struct_ops/coupled_ssthresh")
__u32 BPF_PROG(coupled_ssthresh, struct sock *sk)
{
	return tcp_reno_ssthresh(sk);
}

SEC("struct_ops/coupled_undo")
__u32 BPF_PROG(coupled_undo, struct sock *sk)
{
	return tcp_reno_undo_cwnd(sk);
}

SEC(".struct_ops")
struct tcp_congestion_ops coupled = {
	.ssthresh = (void *)coupled_ssthresh,
	.cong_avoid = (void *)coupled_avoid,
	.undo_cwnd = (void *)coupled_undo,
	.name = COUPLED_NAME,
};
