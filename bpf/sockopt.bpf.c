/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The socket options of RFC 6897, answered inside the system call. The kernel
 * holds the MPTCP socket's lock around both programs, so its subflow list
 * stands still and nobody else writes its intent.
 */
#include "mptcp.h"

#include "maps.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/errno.h>

#include "doorbell.h"
#include "subflows.h"

#define TCP_MULTIPATH_ENABLE   10002
#define TCP_MULTIPATH_ADD      10003
#define TCP_MULTIPATH_REMOVE   10004
#define TCP_MULTIPATH_SUBFLOWS 10005
#define TCP_MULTIPATH_CONNID   10006

#define NS_PER_S 1000000000ull

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

static __always_inline bool is_connected(struct bpf_sockopt *ctx)
{
	__u32 state = ctx->sk->state;

	return state == BPF_TCP_ESTABLISHED || state == BPF_TCP_CLOSE_WAIT;
}

/* Bit set of the states in which a subflow counts. */
#define LIVE ((1 << BPF_TCP_ESTABLISHED) | (1 << BPF_TCP_SYN_SENT) | (1 << BPF_TCP_SYN_RECV))

static __always_inline int count_live(struct mptcp_sock *msk)
{
	struct list_head *node = subflows_of(msk);
	struct sock *ssk;
	int live = 0;

	for (int i = 0; i < SUBFLOWS_HARD_MAX; i++) {
		ssk = next_subflow(msk, &node);
		if (!ssk)
			break;
		if (1 << (BPF_CORE_READ(ssk, __sk_common.skc_state) & 31) & LIVE)
			live++;
	}
	return live;
}

static __always_inline int set_enable(struct bpf_sockopt *ctx)
{
	int *value = ctx->optval;

	if (ctx->optlen != sizeof(*value) || (void *)(value + 1) > ctx->optval_end)
		return fail(ctx, EINVAL);
	if (*value != 0 && *value != 1)
		return fail(ctx, EINVAL);
	if (*value != is_mptcp(ctx))
		return fail(ctx, EOPNOTSUPP);
	return handled(ctx);
}

/* Allows the configured number of calls in each second of the clock. */
static __always_inline bool is_too_often(struct intent *intent)
{
	__u64 now = bpf_ktime_get_ns();

	if (now - intent->window_ns >= NS_PER_S) {
		intent->window_ns = now;
		intent->calls = 0;
	}
	return ++intent->calls > config.calls_per_second;
}

/* ADD and REMOVE by number. */
static __always_inline int set_number(struct bpf_sockopt *ctx, bool add)
{
	struct mptcp_sock *msk;
	struct conn_key key = {};
	struct receipt *receipt;
	struct intent *intent;
	struct sock *first;
	/* How many there will be once everything asked for has come about. */
	int *value = ctx->optval, n, live, most, least;
	__u32 state;

	if (ctx->optlen != sizeof(*value) || (void *)(value + 1) > ctx->optval_end)
		return fail(ctx, EINVAL);
	n = *value;
	if (n < 1)
		return fail(ctx, EINVAL);
	if (!is_mptcp(ctx))
		return fail(ctx, EOPNOTSUPP);
	msk = msk_of(ctx);
	key.netns = bpf_get_netns_cookie(ctx);
	state = ctx->sk->state;
	if (has_fallen_back(msk) || state == BPF_TCP_LISTEN ||
		BPF_CORE_READ(msk, pm.pm_type) != PM_TYPE_USERSPACE ||
		!bpf_map_lookup_elem(&served, &key.netns))
		return fail(ctx, EOPNOTSUPP);
	if (add && BPF_CORE_READ(msk, pm.server_side))
		return fail(ctx, EOPNOTSUPP);
	if (state != BPF_TCP_CLOSE && state != BPF_TCP_SYN_SENT && !is_connected(ctx))
		return fail(ctx, ENOTCONN);

	intent = bpf_sk_storage_get(&intents, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!intent)
		return fail(ctx, ENOBUFS);
	if (is_too_often(intent))
		return fail(ctx, EAGAIN);

	/* Not connected yet: the first subflow is to come. */
	live = count_live(msk);
	most = least = (live ?: 1) + intent->adds - intent->removes;
	key.token = BPF_CORE_READ(msk, token);
	receipt = bpf_map_lookup_elem(&receipts, &key);
	if (receipt) {
		most += receipt->removes + receipt->destroying - receipt->adds;
		least += receipt->removes - receipt->adds - receipt->creating;
	}
	if (add && (n >= SUBFLOWS_HARD_MAX || most + n > (int)config.max_subflows))
		return fail(ctx, EDQUOT);
	if (!add && n >= least)
		return fail(ctx, EBUSY);

	if (add)
		intent->adds += n;
	else
		intent->removes += n;
	/* A full barrier: see on_established() in elephant.bpf.c. */
	__sync_fetch_and_add(&intent->generation, 1);
	first = BPF_CORE_READ(msk, first);
	if (first && BPF_CORE_READ(first, __sk_common.skc_state) != BPF_TCP_SYN_SENT &&
		state != BPF_TCP_CLOSE)
		ring_doorbell(key.netns, key.token, intent);
	return handled(ctx);
}

SEC("cgroup/setsockopt")
int subflow_set(struct bpf_sockopt *ctx)
{
	if (ctx->level != IPPROTO_TCP || ctx->optname < TCP_MULTIPATH_ENABLE ||
		ctx->optname > TCP_MULTIPATH_CONNID || !ctx->sk)
		return 1;
	if (ctx->sk->protocol != IPPROTO_TCP && ctx->sk->protocol != IPPROTO_MPTCP)
		return 1;
	/* Answered by the program of a cgroup below. */
	if (ctx->optlen < 0 || bpf_get_retval())
		return 1;
	switch (ctx->optname) {
	case TCP_MULTIPATH_ENABLE:
		return set_enable(ctx);
	case TCP_MULTIPATH_ADD:
		return set_number(ctx, true);
	case TCP_MULTIPATH_REMOVE:
		return set_number(ctx, false);
	}
	return 1;
}

static __always_inline int get_int(struct bpf_sockopt *ctx, int number)
{
	int *value = ctx->optval;

	if (ctx->optlen < (int)sizeof(*value) || (void *)(value + 1) > ctx->optval_end)
		return fail(ctx, EINVAL);
	*value = number;
	return answer(ctx, sizeof(*value));
}

static __always_inline void map_v4(__be32 to[4], __be32 addr)
{
	to[0] = 0;
	to[1] = 0;
	to[2] = __builtin_bswap32(0xffff);
	to[3] = addr;
}

static __always_inline void read_pair(struct pair *pair, const struct sock *ssk, __u32 family)
{
	__u16 own = BPF_CORE_READ(ssk, __sk_common.skc_family);
	__be32 local = BPF_CORE_READ(ssk, __sk_common.skc_rcv_saddr);
	__be32 remote = BPF_CORE_READ(ssk, __sk_common.skc_daddr);

	__builtin_memset(pair, 0, sizeof(*pair));
	pair->local.v4.family = pair->remote.v4.family = family;
	pair->local.v4.port = __builtin_bswap16(BPF_CORE_READ(ssk, __sk_common.skc_num));
	pair->remote.v4.port = BPF_CORE_READ(ssk, __sk_common.skc_dport);
	if (family == AF_INET) {
		pair->local.v4.addr = local;
		pair->remote.v4.addr = remote;
	} else if (own == AF_INET) {
		map_v4(pair->local.v6.addr, local);
		map_v4(pair->remote.v6.addr, remote);
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
	bpf_loop(SUBFLOWS_HARD_MAX, list_subflow, &list, 0);
	if (list.err)
		return fail(ctx, list.err);
	if (!list.len) /* the hook cannot answer an empty array */
		return fail(ctx, ENOTCONN);
	return answer(ctx, list.len);
}

SEC("cgroup/getsockopt")
int subflow_get(struct bpf_sockopt *ctx)
{
	struct mptcp_sock *msk;
	bool runs;

	if (ctx->level != IPPROTO_TCP || ctx->optname < TCP_MULTIPATH_ENABLE ||
		ctx->optname > TCP_MULTIPATH_CONNID || !ctx->sk)
		return 1;
	if (ctx->sk->protocol != IPPROTO_TCP && ctx->sk->protocol != IPPROTO_MPTCP)
		return 1;
	if (!ctx->retval) /* answered by the program of a cgroup below */
		return 1;
	if (ctx->optname == TCP_MULTIPATH_ADD || ctx->optname == TCP_MULTIPATH_REMOVE)
		return fail(ctx, EOPNOTSUPP);

	msk = msk_of(ctx);
	runs = is_mptcp(ctx) && !has_fallen_back(msk);
	if (ctx->optname == TCP_MULTIPATH_ENABLE)
		return get_int(ctx, runs && is_connected(ctx));
	if (!runs)
		return fail(ctx, EOPNOTSUPP);
	if (!is_connected(ctx))
		return fail(ctx, ENOTCONN);
	if (ctx->optname == TCP_MULTIPATH_CONNID)
		return get_int(ctx, BPF_CORE_READ(msk, token));
	return get_subflows(ctx);
}
