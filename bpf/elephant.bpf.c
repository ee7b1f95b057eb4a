/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Detection: one callback per round trip and subflow, and one per packet that is
 * sent again, since no round trip is measured while a loss is mended, tells when
 * an MPTCP connection has sent more than the next threshold of the elephant rule; one
 * per packet that is received (as GRO has put it together) tells it of what was
 * received, since the receiver of data has no callback per round trip. Close to a
 * threshold there is one per packet that is sent, too. And one per retransmission
 * timeout tells when a subflow's path is dead.
 */
#include "mptcp.h"

#include "maps.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "doorbell.h"
#include "timeout.h"
#include "watch.h"
#include "wishes.h"

/*
 * Marks a subflow that is one of several: the flag is at hand in the context without a helper
 * call, and its callback (one per state change) costs nothing to speak of.
 */
#define SPREAD BPF_SOCK_OPS_STATE_CB_FLAG

/*
 * A connection with several subflows spreads its bytes, so such a subflow asks for the
 * connection's counter early; the first one may wait until half of a threshold's worth has been
 * acknowledged of it alone (what is in flight comes on top), and mice return without a helper call.
 */
#define SPREAD_GATE (64 * 1024)

/* Of a mouse's callbacks one in 2^6 is looked at. */
#define DRAW_BITS 6

/*
 * A threshold is near when the subflow's window could be sent so many times until then: in slow
 * start it doubles each round trip, and siblings send as well. Then each packet calls back, if its
 * header has room for an option of 4 bytes: the kernel asks how much is to go there.
 */
#define NEAR_WINDOWS 4
#define NEAR         BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG

static __always_inline __u64 bytes_sent(const struct mptcp_sock *msk, struct elephant *e)
{
	if (bpf_core_field_exists(msk->bytes_sent))
		return msk->bytes_sent;
	return msk->snd_nxt - e->first;
}

static __always_inline __u64 bytes_received(const struct mptcp_sock *msk, struct elephant *e)
{
	if (bpf_core_field_exists(msk->bytes_received))
		return msk->bytes_received;
	return msk->ack_seq - e->first_received;
}

/* The initial data sequence number, for kernels that do not count bytes sent. */
static __always_inline __u64 first_sequence(const struct mptcp_sock *msk)
{
	struct mptcp_subflow_context *subflow;
	struct list_head *node;

	if (bpf_core_field_exists(msk->bytes_sent))
		return 0;
	node = BPF_CORE_READ(msk, conn_list.next);
	subflow = (void *)node - bpf_core_field_offset(struct mptcp_subflow_context, node);
	return BPF_CORE_READ(subflow, idsn) + 1;
}

static __always_inline bool has_siblings(struct mptcp_sock *msk)
{
	return BPF_CORE_READ(msk, conn_list.next, next) != subflows_of(msk);
}

/* The thresholds that hold for a connection; false: the daemon has not found its rule yet. */
static __always_inline bool find_rule(
	struct bpf_sock_ops *ctx, const struct mptcp_sock *msk, struct conn_rule *rule)
{
	struct conn_key key = {};
	struct conn_rule *own;

	if (!config.has_rules) {
		rule->start = config.start;
		rule->step = config.step;
		rule->stop = config.stop;
		rule->backlog = config.backlog;
		return true;
	}
	key.netns = bpf_get_netns_cookie(ctx);
	key.token = msk->token;
	own = bpf_map_lookup_elem(&rules, &key);
	if (!own)
		return false;
	*rule = *own;
	return true;
}

/*
 * The threshold that is to be passed next. Where a rule said never it may say something else by
 * now, or be gone.
 */
static __always_inline __u64 next_of(
	struct bpf_sock_ops *ctx, const struct mptcp_sock *msk, struct elephant *e)
{
	struct conn_rule rule = {};
	__u64 next = e->next;

	if (next != START_NEVER || !find_rule(ctx, msk, &rule) || rule.start == START_NEVER)
		return next;
	__sync_val_compare_and_swap(&e->next, START_NEVER, rule.start);
	return rule.start;
}

/* An elephant that cannot be treated: told once. */
static __always_inline int on_plain_progress(struct bpf_sock_ops *ctx)
{
	__u64 netns = bpf_get_netns_cookie(ctx);
	struct record *r;

	if (!config.plain_tcp || !bpf_map_lookup_elem(&served, &netns) ||
		ctx->bytes_acked < config.start)
		return 1;
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r) { /* the next callback tries again */
		__sync_fetch_and_add(&counters.deferred, 1);
		return 1;
	}
	fill_record(r, RECORD_FLOW, netns, 0);
	bpf_ringbuf_submit(r, 0);
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags & ~BPF_SOCK_OPS_RTT_CB_FLAG);
	return 1;
}

/*
 * Whether a mouse is looked at all the same: whoever has asked for its connection's other subflows,
 * nothing tells the first one of them. One callback in 64, drawn by the bytes: that is soon enough
 * for its retransmission timeout, and mice do not feel it.
 */
static __always_inline bool is_drawn(__u64 bytes)
{
	return (__u32)bytes * 0x9e3779b1u >> (32 - DRAW_BITS) == 0;
}

/* @is_round_trip: else a packet was received. */
static __always_inline bool is_below_gate(struct bpf_sock_ops *ctx, bool is_round_trip)
{
	__u64 bytes = is_round_trip ? ctx->bytes_acked : ctx->bytes_received;

	if (ctx->bpf_sock_ops_cb_flags & SPREAD)
		return bytes < SPREAD_GATE;
	if (!is_round_trip)
		return bytes < config.gate;
	return bytes < config.sent_gate && !is_drawn(bytes);
}

/* The first subflow of several learns of the others. */
static __always_inline __u32 note_siblings(
	struct bpf_sock_ops *ctx, struct mptcp_sock *msk, __u32 flags)
{
	__u64 netns;

	if (!has_siblings(msk))
		return flags;
	netns = bpf_get_netns_cookie(ctx);
	/* Somebody else's program may have asked for the callback. */
	if (!bpf_map_lookup_elem(&served, &netns))
		return flags;
	flags |= SPREAD;
	bpf_sock_ops_cb_flags_set(ctx, flags);
	hasten(ctx);
	leave_to_siblings(ctx);
	couple(ctx);
	return flags;
}

/*
 * What the application has queued and the kernel has not sent: not given to a subflow yet, or
 * given to this one. Other CPUs may be at it.
 */
static __always_inline __u32 count_waiting(struct bpf_sock *sk, const struct mptcp_sock *msk)
{
	const struct tcp_sock *tp = (struct tcp_sock *)bpf_skc_to_tcp_sock(sk);
	__s64 of_connection, of_subflow;

	if (!tp)
		return 0;
	of_connection = msk->write_seq - msk->snd_nxt;
	of_subflow = (__s32)(tp->write_seq - tp->snd_nxt);
	if (of_connection < 0 || of_subflow < 0 || of_connection + of_subflow > 0xffffffff)
		return 0;
	return of_connection + of_subflow;
}

static __always_inline void set_near(struct bpf_sock_ops *ctx, bool is_near)
{
	__u32 flags = ctx->bpf_sock_ops_cb_flags;

	if (is_near != !!(flags & NEAR))
		bpf_sock_ops_cb_flags_set(ctx, flags ^ NEAR);
}

static __always_inline bool is_near(struct bpf_sock_ops *ctx, __u64 bytes, __u64 next)
{
	return next < bytes + NEAR_WINDOWS * (__u64)ctx->snd_cwnd * ctx->mss_cache;
}

/* One record for a threshold; @waiting: it counts as passed for these. */
static __always_inline void pass(struct bpf_sock_ops *ctx, struct mptcp_sock *msk,
	struct elephant *e, __u64 next, const struct conn_rule *rule, __u64 bytes, __u32 waiting)
{
	struct record *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

	if (!r) { /* the next callback tries again */
		__sync_fetch_and_add(&counters.deferred, 1);
		return;
	}
	/* Two subflows may pass the threshold at once, on two CPUs. */
	if (__sync_val_compare_and_swap(&e->next, next, next + rule->step) != next) {
		bpf_ringbuf_discard(r, 0);
		return;
	}
	fill_record(r, waiting ? RECORD_BACKLOG : RECORD_THRESHOLD, bpf_get_netns_cookie(ctx),
		msk->token);
	r->bytes = bytes;
	r->backlog = waiting;
	r->threshold = next;
	bpf_ringbuf_submit(r, 0);
	leave_to_siblings(ctx);
}

/* Past the gate. A function of its own: mice pay for the test that sends them away, no more. */
static __noinline int on_progress(struct bpf_sock_ops *ctx, bool is_round_trip)
{
	__u32 flags = ctx->bpf_sock_ops_cb_flags;
	struct elephant fresh, *e;
	struct conn_rule rule = {};
	struct mptcp_sock *msk;
	struct bpf_sock *sk;
	__u64 bytes, next, netns;
	__u32 waiting = 0;
	bool is_backlogged;

	sk = ctx->sk;
	if (!sk)
		return 1;
	msk = (struct mptcp_sock *)bpf_skc_to_mptcp_sock(sk);
	if (!msk)
		return is_round_trip ? on_plain_progress(ctx) : 1;
	if (msk->flags & config.fallback_mask)
		return 1;
	if (is_round_trip && !(flags & SPREAD))
		flags = note_siblings(ctx, msk, flags);
	if (is_round_trip && config.least_backlog)
		waiting = count_waiting(sk, msk);
	is_backlogged = waiting && waiting >= config.least_backlog;
	/* A mouse, which comes this far where it is drawn, or where it matters what waits. */
	if (is_round_trip && !is_backlogged &&
		ctx->bytes_acked < (flags & SPREAD ? SPREAD_GATE : config.gate / 2))
		return 1;
	e = bpf_sk_storage_get(&elephants, msk, NULL, 0);
	if (!e) {
		netns = bpf_get_netns_cookie(ctx);
		/* Somebody else's program may have asked for the callback. */
		if (!bpf_map_lookup_elem(&served, &netns))
			return 1;
		if (!find_rule(ctx, msk, &rule))
			return 1;
		fresh.next = rule.start;
		fresh.first = first_sequence(msk);
		/* Where the kernel does not count: nearly, if there are several subflows by now. */
		fresh.first_received = msk->ack_seq - ctx->bytes_received;
		e = bpf_sk_storage_get(&elephants, msk, &fresh, BPF_SK_STORAGE_GET_F_CREATE);
		if (!e)
			return 1;
	}
	next = next_of(ctx, msk, e);
	bytes = is_round_trip ? bytes_sent(msk, e) : bytes_received(msk, e);
	if (is_round_trip)
		set_near(ctx, is_near(ctx, bytes, next));
	if ((bytes < next && !is_backlogged) || !find_rule(ctx, msk, &rule))
		return 1;
	/* No more thresholds. Where stop is raised after this, the walk of the unwatched shows it.
	 */
	if (next >= rule.stop) {
		bpf_sock_ops_cb_flags_set(ctx, flags & ~(PROGRESS | NEAR));
		return 1;
	}
	/* Only the first one counts as passed for what waits. */
	if (bytes < next && (!rule.backlog || waiting < rule.backlog || next != rule.start))
		return 1;
	pass(ctx, msk, e, next, &rule, bytes, bytes < next ? waiting : 0);
	return 1;
}

/* A threshold is near, and a packet is about to be sent: its bytes are counted already. */
static __noinline int on_packet(struct bpf_sock_ops *ctx)
{
	struct conn_rule rule = {};
	struct mptcp_sock *msk;
	struct bpf_sock *sk = ctx->sk;
	struct elephant *e;
	__u64 bytes, next;

	if (!sk)
		return 1;
	msk = (struct mptcp_sock *)bpf_skc_to_mptcp_sock(sk);
	/* Somebody else's program may have asked for the callback. */
	e = msk ? bpf_sk_storage_get(&elephants, msk, NULL, 0) : NULL;
	if (!e || msk->flags & config.fallback_mask)
		return 1;
	next = e->next;
	bytes = bytes_sent(msk, e);
	if (!is_near(ctx, bytes, next))
		set_near(ctx, false);
	else if (bytes >= next && find_rule(ctx, msk, &rule) && next < rule.stop)
		pass(ctx, msk, e, next, &rule, bytes, 0);
	return 1;
}

static __always_inline void tell(__u16 kind, __u64 netns, __u32 token, __u32 device)
{
	struct record *r = reserve(sizeof(*r), &counters.untold);

	if (!r)
		return;
	fill_record(r, kind, netns, token);
	r->device = device;
	bpf_ringbuf_submit(r, 0);
}

/* What its listener was given is told of anew for each connection. */
static __always_inline int on_accepted(__u64 netns, struct mptcp_sock *msk)
{
	struct wishes *wishes = bpf_sk_storage_get(&all_wishes, msk, NULL, 0);
	struct intent fresh = {.generation = 1}, *intent;

	if (!wishes)
		return 1;
	intent = bpf_sk_storage_get(&intents, msk, &fresh, BPF_SK_STORAGE_GET_F_CREATE);
	if (intent)
		ring_doorbell(netns, msk->token, uid_of(msk), intent, wishes);
	return 1;
}

/*
 * How far a peer is, its own packets tell: a walk to it hears only the routers that answer. The
 * context shows TCP's header alone, so the one before it is read as the kernel does.
 */
static __always_inline void note_ttl(struct bpf_sock_ops *ctx, __u64 netns)
{
	struct sk_buff *skb = BPF_CORE_READ((struct bpf_sock_ops_kern *)ctx, skb);
	struct peer_key key = {.netns = netns};
	__u32 header[6] = {}, ttl, *known;
	__u8 *bytes = (__u8 *)header;

	bpf_probe_read_kernel(header, sizeof(header),
		BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header));
	if (bytes[0] >> 4 == 4) {
		ttl = bytes[8];
		key.addr[2] = bpf_htonl(0xffff);
		key.addr[3] = header[3];
	} else if (bytes[0] >> 4 == 6) {
		ttl = bytes[7];
		__builtin_memcpy(key.addr, &header[2], sizeof(key.addr));
	} else {
		return;
	}
	known = bpf_map_lookup_elem(&peers, &key);
	if (known)
		*known = ttl;
	else if (!bpf_map_update_elem(&peers, &key, &ttl, BPF_NOEXIST))
		__sync_fetch_and_add(&counters.peers, 1);
}

static __noinline int on_established(struct bpf_sock_ops *ctx, bool active)
{
	__u32 flags = config.detects ? SENDING : 0;
	struct mptcp_sock *msk;
	struct bpf_sock *sk = ctx->sk;
	struct intent *intent;
	bool joined;
	__u64 netns;

	if (!sk)
		return 1;
	msk = (struct mptcp_sock *)bpf_skc_to_mptcp_sock(sk);
	if (!msk && !config.plain_tcp)
		return 1;
	netns = bpf_get_netns_cookie(ctx);
	if (!bpf_map_lookup_elem(&served, &netns))
		return 1;
	if (!msk) {
		/*
		 * Added to what other programs have asked for. What is received has no such
		 * callback: the kernel makes none where it has predicted the header.
		 */
		bpf_sock_ops_cb_flags_set(
			ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_RTT_CB_FLAG);
		return 1;
	}
	if (msk->flags & config.fallback_mask)
		return 1;
	joined = (void *)BPF_CORE_READ(msk, first) != (void *)sk;
	if (msk->pm.pm_type != PM_TYPE_USERSPACE) {
		if (!joined)
			tell(RECORD_FOREIGN, netns, msk->token, 0);
		return 1;
	}
	/* Only a client can open subflows, so only its side is watched. */
	if (!active)
		return joined ? 1 : on_accepted(netns, msk);
	note_ttl(ctx, netns);
	if (config.detects && config.downloads)
		flags |= BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG;
	if (config.rto_min_us)
		flags |= BPF_SOCK_OPS_RTO_CB_FLAG;
	if (joined)
		flags |= SPREAD;
	/* Added, here too, to what other programs have asked for. */
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | flags);
	if (joined) {
		hasten(ctx);
		leave_to_siblings(ctx);
		couple(ctx);
	}

	/*
	 * What was asked before the handshake ended. The setsockopt hook writes
	 * the intent before it reads the subflow's state, which is ESTABLISHED
	 * by now: one of the two sees the other.
	 */
	if (joined)
		return 1;
	if (is_bound(msk))
		tell(RECORD_BOUND, netns, msk->token, bound_device(msk));
	intent = bpf_sk_storage_get(&intents, msk, NULL, 0);
	if (!intent || !intent->generation)
		return 1;
	intent->is_used = 1;
	ring_doorbell(netns, msk->token, uid_of(msk), intent,
		bpf_sk_storage_get(&all_wishes, msk, NULL, 0));
	return 1;
}

SEC("sockops")
int subflow_sockops(struct bpf_sock_ops *ctx)
{
	/* The most frequent one, by far. */
	if (ctx->op == BPF_SOCK_OPS_RTT_CB)
		return is_below_gate(ctx, true) ? 1 : on_progress(ctx, true);
	switch (ctx->op) {
	case BPF_SOCK_OPS_RETRANS_CB:
		return is_below_gate(ctx, true) ? 1 : on_progress(ctx, true);
	case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
		return on_packet(ctx);
	case BPF_SOCK_OPS_PARSE_HDR_OPT_CB:
		return is_below_gate(ctx, false) ? 1 : on_progress(ctx, false);
	case BPF_SOCK_OPS_RTO_CB:
		return on_timeout(ctx);
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		return on_established(ctx, true);
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		return on_established(ctx, false);
	}
	return 1;
}
