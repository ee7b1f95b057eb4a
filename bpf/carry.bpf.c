/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What an earlier daemon has kept of each socket is carried over into the maps of this one. An
 * object of its own: it is loaded only where there is such.
 */
#include "mptcp.h"

#include "maps.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* The maps of this daemon. */
struct intents_map intents SEC(".maps");
struct wishes_map all_wishes SEC(".maps");
struct receipts_map receipts SEC(".maps");

/* Bytes that the earlier values have in common with ours; 0: they are not understood. */
const volatile __u32 carried_intent, carried_wishes;

__u32 carry_failures;

/* Address ids that may have been used, where it is not known which were: half of them. */
#define IDS_USED 128

/* What is not in common stays 0: nothing was said of it. */
static __always_inline void carry(void *to, const void *from, __u32 size, __u32 bytes)
{
#pragma unroll
	for (__u32 i = 0; i < size / sizeof(__u32); i++) {
		if (i * sizeof(__u32) < bytes)
			((__u32 *)to)[i] = ((const __u32 *)from)[i];
	}
}

static __always_inline struct intent *intent_of(struct sock *sk)
{
	struct intent *intent = bpf_sk_storage_get(&intents, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!intent)
		__sync_fetch_and_add(&carry_failures, 1);
	return intent;
}

SEC("iter/bpf_sk_storage_map")
int carry_intent(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	void *earlier = ctx->value;
	struct intent *intent;

	if (!sk || !earlier || !carried_intent)
		return 0;
	intent = intent_of(sk);
	if (intent)
		carry(intent, earlier, sizeof(*intent), carried_intent);
	return 0;
}

/* Nothing leaves from anywhere, and the first subflow is none of those that are listed from now on:
 * the walk shows the request, and its receipt that it was heard. */
static __always_inline void close_lists(struct sock *sk, struct wishes *wishes)
{
	struct mptcp_sock *msk = (struct mptcp_sock *)sk;
	struct receipt receipt = {.heard = 1, .ids = IDS_USED};
	struct conn_key key = {.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, net_cookie)};
	struct intent *intent = intent_of(sk);

	wishes->is_restricted = 1;
	if (intent && !intent->generation)
		intent->generation = 1;
	key.token = BPF_CORE_READ(msk, token);
	if (key.token)
		bpf_map_update_elem(&receipts, &key, &receipt, BPF_NOEXIST);
}

/* Where they are not understood nothing leaves from anywhere until the application lists anew. */
SEC("iter/bpf_sk_storage_map")
int carry_wishes(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	void *earlier = ctx->value;
	struct wishes *wishes;

	if (!sk || !earlier)
		return 0;
	wishes = bpf_sk_storage_get(&all_wishes, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!wishes) {
		__sync_fetch_and_add(&carry_failures, 1);
		return 0;
	}
	if (carried_wishes)
		carry(wishes, earlier, sizeof(*wishes), carried_wishes);
	else
		close_lists(sk, wishes);
	return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
