/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A connection begins. The restriction of RFC 6897 section 5.3.3 for its first subflow: it leaves
 * from an address that the application has listed, or not at all.
 */
#include "mptcp.h"

#include "maps.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/errno.h>

#include "wishes.h"

static __always_inline int refuse(int err)
{
	bpf_set_retval(-err);
	return 0;
}

/* @addr NULL: to none. */
static __always_inline int bind_to(
	struct bpf_sock_addr *ctx, const __be32 *addr, __u16 port, bool is_v6_socket)
{
	struct address4 v4 = {.family = AF_INET, .port = bpf_htons(port)};
	struct address6 v6 = {.family = AF_INET6, .port = bpf_htons(port)};

	if (is_v6_socket) {
		if (addr)
			__builtin_memcpy(v6.addr, addr, sizeof(v6.addr));
		return bpf_bind(ctx, (struct sockaddr *)&v6, sizeof(v6));
	}
	if (addr)
		v4.addr = addr[3];
	return bpf_bind(ctx, (struct sockaddr *)&v4, sizeof(v4));
}

static __always_inline int restrict_first(
	struct bpf_sock_addr *ctx, struct wishes *wishes, struct sock *first, bool to_v4)
{
	bool is_v6_socket = ctx->family == AF_INET6, is_bound = has_chosen_address(first);
	struct end bound = {};
	struct wish *wish;
	int err;

	read_local(first, &bound);
	if (is_bound && wishes_have_bound(wishes, &bound)) {
		if (wishes->is_restricted && wishes_find(wishes, &bound) >= 0 &&
			is_v4(bound.addr) == to_v4)
			return 1;
		wishes->bound = 0;
		if (!wishes->is_restricted)
			return bind_to(ctx, NULL, 0, is_v6_socket) ? refuse(EADDRNOTAVAIL) : 1;
		is_bound = false;
		bound.port = 0;
	}
	if (!wishes->is_restricted)
		return 1;
	/* A port alone cannot be given an address any more. */
	if (!is_bound && bound.port)
		return refuse(EADDRNOTAVAIL);
	if (is_bound)
		return wishes_find(wishes, &bound) < 0 ? refuse(EADDRNOTAVAIL) : 1;
	for (int i = 0; i < WISHES_MAX; i++) {
		wish = &wishes->list[i];
		if (!wish->flags || !wish->adds || is_v4(wish->addr) != to_v4)
			continue;
		err = bind_to(ctx, wish->addr, wish->port, is_v6_socket);
		if (err)
			return refuse(-err);
		wishes->bound = wishes_fold(wish->addr);
		return 1;
	}
	return refuse(EADDRNOTAVAIL);
}

static __always_inline int begin_connection(struct bpf_sock_addr *ctx, bool to_v4)
{
	struct bpf_sock *sk = ctx->sk;
	struct mptcp_sock *msk;
	struct wishes *wishes;
	struct intent *intent;
	struct sock *first;

	if (!sk)
		return 1;
	msk = (struct mptcp_sock *)bpf_skc_to_mptcp_sock(sk);
	if (!msk)
		return 1;
	first = BPF_CORE_READ(msk, first);
	if ((void *)first != (void *)sk)
		return 1;
	intent = bpf_sk_storage_get(&intents, msk, NULL, 0);
	if (intent)
		intent_begin(intent);
	wishes = bpf_sk_storage_get(&all_wishes, msk, NULL, 0);
	return wishes ? restrict_first(ctx, wishes, first, to_v4) : 1;
}

SEC("cgroup/connect4")
int subflow_connect4(struct bpf_sock_addr *ctx)
{
	return begin_connection(ctx, true);
}

SEC("cgroup/connect6")
int subflow_connect6(struct bpf_sock_addr *ctx)
{
	bool to_v4 =
		!ctx->user_ip6[0] && !ctx->user_ip6[1] && ctx->user_ip6[2] == bpf_htonl(0xffff);

	return begin_connection(ctx, to_v4);
}
