/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What all requests for more or fewer subflows share: who may ask, how often, and how many there
 * will be once everything that was asked for has come about.
 */
#ifndef SUBFLOW_REQUEST_H
#define SUBFLOW_REQUEST_H

#include "doorbell.h"
#include "sockopt.h"
#include "tally.h"
#include "wishes.h"

#define NS_PER_S  1000000000ull
#define NS_PER_MS 1000000
#define MS_PER_S  1000

/* The totals of a wish are told apart modulo 2^16. */
#define UNHEARD_MAX 32768

/* One call. */
struct request {
	struct mptcp_sock *msk;
	struct conn_key key;
	__u32 uid; /* of the socket's owner */
	__u32 state;
	bool is_server;
	struct intent *intent;
	struct wishes *wishes;   /* NULL: the socket was given none */
	struct receipt *receipt; /* NULL: nothing was carried out yet */
	int total;               /* how many subflows there will be */
};

static __always_inline void count_subflows(const struct request *request, struct tally *tally)
{
	tally->heard = request->receipt ? request->receipt->heard : 0;
	tally_count(tally, request->wishes, (__u64)request->msk);
}

/* Counts the calls in each second of the clock. */
static __always_inline bool is_too_often(struct request *request)
{
	__u32 heard = request->receipt ? request->receipt->heard : 0;
	struct intent *intent = request->intent;
	__u32 now = bpf_ktime_get_ns() / NS_PER_MS;

	if (now - intent->window_ms >= MS_PER_S) {
		intent->window_ms = now;
		intent->calls = 0;
	}
	if (++intent->calls > config.calls_per_second)
		return true;
	/* Nobody ever hears of what a listener is given. */
	return request->state != BPF_TCP_LISTEN && intent->generation - heard >= UNHEARD_MAX;
}

/* Of all sockets of their owner; root's are not counted. Two CPUs may be off by a few. */
static __always_inline bool is_user_too_often(__u32 uid)
{
	__u32 now = bpf_ktime_get_ns() / NS_PER_S, second;
	struct user_calls fresh = {.second = now}, *user;

	if (!uid)
		return false;
	user = bpf_map_lookup_elem(&users, &uid);
	if (!user) {
		if (!bpf_map_update_elem(&users, &uid, &fresh, BPF_NOEXIST))
			__sync_fetch_and_add(&counters.users, 1);
		user = bpf_map_lookup_elem(&users, &uid);
	}
	if (!user)
		return true;
	second = user->second;
	if (second != now && __sync_val_compare_and_swap(&user->second, second, now) == second)
		user->calls = 0;
	return __sync_fetch_and_add(&user->calls, 1) >= config.calls_per_second_of_user;
}

/* Unlike a socket that is not connected yet, which is in the same state. */
static __always_inline bool has_ended(const struct mptcp_sock *msk, __u32 state)
{
	return state == BPF_TCP_CLOSE &&
	       BPF_CORE_READ((const struct sock *)msk, sk_shutdown) == SHUTDOWN_MASK;
}

/* Fills in all but the numbers. 0, or why the call is refused, positive. */
static __always_inline int begin_request(struct bpf_sockopt *ctx, struct request *request)
{
	struct mptcp_sock *msk = msk_of(ctx);

	if (!is_mptcp(ctx))
		return EOPNOTSUPP;
	request->msk = msk;
	request->uid = uid_of(msk);
	request->state = ctx->sk->state;
	request->key.netns = bpf_get_netns_cookie(ctx);
	if (has_fallen_back(msk) || BPF_CORE_READ(msk, pm.pm_type) != PM_TYPE_USERSPACE)
		return EOPNOTSUPP;
	if (!config.applications)
		return EPERM;
	if (has_ended(msk, request->state))
		return ENOTCONN;
	request->is_server = BPF_CORE_READ(msk, pm.server_side);
	request->key.token = BPF_CORE_READ(msk, token);
	request->receipt = bpf_map_lookup_elem(&receipts, &request->key);
	if (config.is_full && !request->receipt)
		return ENOBUFS;
	request->intent = bpf_sk_storage_get(&intents, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!request->intent)
		return ENOBUFS;
	if (is_too_often(request) || is_user_too_often(request->uid))
		return EAGAIN;
	request->wishes = bpf_sk_storage_get(&all_wishes, ctx->sk, NULL, 0);
	if (request->state == BPF_TCP_CLOSE) {
		intent_begin(request->intent);
		request->receipt = NULL; /* of a connection that the socket has left */
	} else if (is_connected(ctx)) {
		request->intent->is_used = 1;
	}
	return 0;
}

/* Fills in the total. */
static __always_inline void count_request(struct request *request)
{
	const struct intent *intent = request->intent;
	const struct receipt *receipt = request->receipt;
	struct tally tally = {};

	count_subflows(request, &tally);
	/* Not connected yet: the first subflow is to come. */
	request->total = tally.live ? tally.live - tally.leaving : 1;
	request->total += intent->adds - intent->removes;
	/* What a server lists is announced, not opened. */
	if (request->wishes && !request->is_server)
		request->total += wishes_count_pending(request->wishes, receipt);
	if (!receipt)
		return;
	request->total += receipt->removes - receipt->adds;
	/* Done, and the receipt is on its way. */
	if (receipt->creating && tally.live > (int)receipt->live)
		request->total--;
	if (receipt->destroying && tally.live < (int)receipt->live)
		request->total++;
}

static __always_inline bool is_client_state(__u32 state)
{
	return state == BPF_TCP_CLOSE || state == BPF_TCP_SYN_SENT || state == BPF_TCP_ESTABLISHED;
}

/* The intent has changed. */
static __always_inline int accept_request(struct bpf_sockopt *ctx, struct request *request)
{
	struct mptcp_sock *msk = request->msk;
	struct sock *first;

	/* A full barrier: see on_established() in elephant.bpf.c. */
	__sync_fetch_and_add(&request->intent->generation, 1);
	first = BPF_CORE_READ(msk, first);
	if (first && BPF_CORE_READ(first, __sk_common.skc_state) != BPF_TCP_SYN_SENT &&
		request->state != BPF_TCP_CLOSE && request->state != BPF_TCP_LISTEN)
		ring_doorbell(request->key.netns, request->key.token, request->uid, request->intent,
			request->wishes);
	return handled(ctx);
}

/* Whether a number of subflows may be asked for. */
static __always_inline int begin_number(struct bpf_sockopt *ctx, struct request *request, int *n)
{
	int *value = ctx->optval, err;

	if (ctx->optlen != sizeof(*value) || (void *)(value + 1) > ctx->optval_end)
		return EINVAL;
	*n = *value;
	if (*n < 1)
		return EINVAL;
	err = begin_request(ctx, request);
	if (!err && request->state == BPF_TCP_LISTEN)
		err = EOPNOTSUPP;
	return err;
}

static __always_inline int set_number(struct bpf_sockopt *ctx, bool add)
{
	struct request request = {};
	int n, err = begin_number(ctx, &request, &n);

	if (err)
		return fail(ctx, err);
	if (add && request.is_server)
		return fail(ctx, EOPNOTSUPP);
	if (!is_client_state(request.state) && (add || !is_connected(ctx)))
		return fail(ctx, ENOTCONN);
	count_request(&request);
	if (add && (n >= SUBFLOWS_HARD_MAX || request.total + n > (int)config.max_subflows))
		return fail(ctx, EDQUOT);
	if (!add && n >= request.total)
		return fail(ctx, EBUSY);
	if (add)
		request.intent->adds += n;
	else
		request.intent->removes += n;
	return accept_request(ctx, &request);
}

static __always_inline int set_total(struct bpf_sockopt *ctx)
{
	struct request request = {};
	int n, err = begin_number(ctx, &request, &n);

	if (err)
		return fail(ctx, err);
	if (request.is_server)
		return fail(ctx, EOPNOTSUPP);
	if (!is_client_state(request.state))
		return fail(ctx, ENOTCONN);
	if (n > SUBFLOWS_HARD_MAX || n > (int)config.max_subflows)
		return fail(ctx, EDQUOT);
	count_request(&request);
	request.intent->total = n;
	request.intent->totals++;
	if (n > request.total)
		request.intent->adds += n - request.total;
	else
		request.intent->removes += request.total - n;
	return accept_request(ctx, &request);
}

#endif
