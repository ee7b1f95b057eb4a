/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The restriction of RFC 6897 section 5.3.3 for the first subflow: it leaves from an address that
 * the application has listed, or not at all.
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

static __always_inline int bind_to(
	struct bpf_sock_addr *ctx, const struct wish *wish, bool is_v6_socket)
{
	struct address4 v4 = {.family = AF_INET, .port = bpf_htons(wish->port)};
	struct address6 v6 = {.family = AF_INET6, .port = bpf_htons(wish->port)};
	int err;

	if (is_v6_socket) {
		__builtin_memcpy(v6.addr, wish->addr, sizeof(v6.addr));
		err = bpf_bind(ctx, (struct sockaddr *)&v6, sizeof(v6));
	} else {
		v4.addr = wish->addr[3];
		err = bpf_bind(ctx, (struct sockaddr *)&v4, sizeof(v4));
	}
	return err ? refuse(-err) : 1;
}

static __always_inline int restrict_first(struct bpf_sock_addr *ctx, bool is_v6_socket, bool to_v4)
{
	struct bpf_sock *sk = ctx->sk;
	struct mptcp_sock *msk;
	struct wishes *wishes;
	struct end bound = {};
	struct wish *wish;
	struct sock *first;
	bool is_bound;

	if (!sk)
		return 1;
	msk = (struct mptcp_sock *)bpf_skc_to_mptcp_sock(sk);
	if (!msk)
		return 1;
	wishes = bpf_sk_storage_get(&all_wishes, msk, NULL, 0);
	if (!wishes || !wishes->is_restricted)
		return 1;
	first = BPF_CORE_READ(msk, first);
	if ((void *)first != (void *)sk)
		return 1;
	read_local(first, &bound);
	is_bound = has_chosen_address(first);
	/* A port alone cannot be given an address any more. */
	if (!is_bound && bound.port)
		return refuse(EADDRNOTAVAIL);
	if (is_bound)
		return wishes_find(wishes, &bound) < 0 ? refuse(EADDRNOTAVAIL) : 1;
	for (int i = 0; i < WISHES_MAX; i++) {
		wish = &wishes->list[i];
		if (wish->flags && wish->adds && is_v4(wish->addr) == to_v4)
			return bind_to(ctx, wish, is_v6_socket);
	}
	return refuse(EADDRNOTAVAIL);
}

SEC("cgroup/connect4")
int subflow_connect4(struct bpf_sock_addr *ctx)
{
	return restrict_first(ctx, false, true);
}

SEC("cgroup/connect6")
int subflow_connect6(struct bpf_sock_addr *ctx)
{
	bool to_v4 =
		!ctx->user_ip6[0] && !ctx->user_ip6[1] && ctx->user_ip6[2] == bpf_htonl(0xffff);

	return restrict_first(ctx, true, to_v4);
}
