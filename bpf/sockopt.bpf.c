/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The socket options of RFC 6897, answered inside the system call. The kernel
 * holds the MPTCP socket's lock around both programs, so its subflow list
 * stands still and nobody else writes its intent.
 */
#include "mptcp.h"

#include "backup.h"
#include "forecast.h"
#include "list.h"
#include "listing.h"
#include "request.h"
#include "sockopt.h"

#define TCP_MULTIPATH_ENABLE     10002
#define TCP_MULTIPATH_ADD        10003
#define TCP_MULTIPATH_REMOVE     10004
#define TCP_MULTIPATH_SUBFLOWS   10005
#define TCP_MULTIPATH_CONNID     10006
#define TCP_MULTIPATH_NDIFFPORTS 10007
#define TCP_MULTIPATH_BACKUP     10008
#define TCP_MULTIPATH_EXPECTED   10009
#define TCP_MULTIPATH_INTENT     10010

static __always_inline int set_enable(struct bpf_sockopt *ctx)
{
	int *value = ctx->optval;

	if (ctx->optlen != sizeof(*value) || (void *)(value + 1) > ctx->optval_end)
		return fail(ctx, EINVAL);
	if (*value != 0 && *value != 1)
		return fail(ctx, EINVAL);
	if (*value != (is_mptcp(ctx) && !has_fallen_back(msk_of(ctx))))
		return fail(ctx, EOPNOTSUPP);
	return handled(ctx);
}

SEC("cgroup/setsockopt")
int subflow_set(struct bpf_sockopt *ctx)
{
	if (ctx->level != IPPROTO_TCP || ctx->optname < TCP_MULTIPATH_ENABLE ||
		ctx->optname > TCP_MULTIPATH_INTENT || !ctx->sk)
		return 1;
	if (ctx->sk->protocol != IPPROTO_TCP && ctx->sk->protocol != IPPROTO_MPTCP)
		return 1;
	/* Answered by the program of a cgroup below. */
	if (ctx->optlen < 0 || bpf_get_retval())
		return 1;
	if (!is_served(ctx))
		return fail(ctx, EOPNOTSUPP);
	switch (ctx->optname) {
	case TCP_MULTIPATH_ENABLE:
		return set_enable(ctx);
	case TCP_MULTIPATH_ADD:
		return ctx->optlen == sizeof(int) ? set_number(ctx, true) : set_list(ctx, true);
	case TCP_MULTIPATH_REMOVE:
		return ctx->optlen == sizeof(int) ? set_number(ctx, false) : set_list(ctx, false);
	case TCP_MULTIPATH_NDIFFPORTS:
		return set_total(ctx);
	case TCP_MULTIPATH_BACKUP:
		return set_backup(ctx);
	case TCP_MULTIPATH_EXPECTED:
		return set_expected(ctx);
	case TCP_MULTIPATH_INTENT:
		return set_purpose(ctx);
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

/* What was set last. */
static __always_inline int get_intent(struct bpf_sockopt *ctx)
{
	struct intent *intent = bpf_sk_storage_get(&intents, ctx->sk, NULL, 0);

	if (ctx->optname == TCP_MULTIPATH_EXPECTED)
		return get_expected(ctx, intent);
	if (ctx->optname == TCP_MULTIPATH_INTENT)
		return get_int(ctx, intent ? intent->purpose : PURPOSE_DEFAULT);
	return get_int(ctx, intent ? intent->total : 0);
}

SEC("cgroup/getsockopt")
int subflow_get(struct bpf_sockopt *ctx)
{
	struct mptcp_sock *msk;
	bool runs;

	if (ctx->level != IPPROTO_TCP || ctx->optname < TCP_MULTIPATH_ENABLE ||
		ctx->optname > TCP_MULTIPATH_INTENT || !ctx->sk)
		return 1;
	if (ctx->sk->protocol != IPPROTO_TCP && ctx->sk->protocol != IPPROTO_MPTCP)
		return 1;
	if (!ctx->retval) /* answered by the program of a cgroup below */
		return 1;
	if (!is_served(ctx))
		return 1;
	if (ctx->optname == TCP_MULTIPATH_ADD || ctx->optname == TCP_MULTIPATH_REMOVE ||
		ctx->optname == TCP_MULTIPATH_BACKUP)
		return fail(ctx, EOPNOTSUPP);

	msk = msk_of(ctx);
	runs = is_mptcp(ctx) && !has_fallen_back(msk);
	if (ctx->optname == TCP_MULTIPATH_ENABLE)
		return get_int(ctx, runs && is_connected(ctx));
	if (!runs)
		return fail(ctx, EOPNOTSUPP);
	if (ctx->optname == TCP_MULTIPATH_NDIFFPORTS || ctx->optname == TCP_MULTIPATH_EXPECTED ||
		ctx->optname == TCP_MULTIPATH_INTENT)
		return get_intent(ctx);
	if (!is_connected(ctx))
		return fail(ctx, ENOTCONN);
	if (ctx->optname == TCP_MULTIPATH_CONNID)
		return get_int(ctx, BPF_CORE_READ(msk, token));
	return get_subflows(ctx);
}
