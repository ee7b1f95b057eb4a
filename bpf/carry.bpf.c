/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What an earlier daemon has kept of each socket is carried over into the maps of this one. An
 * object of its own: it is loaded only where there is such.
 */
#include "mptcp.h"

#include "maps.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "files.h"

/* The maps of this daemon. */
struct intents_map intents SEC(".maps");
struct wishes_map all_wishes SEC(".maps");
struct receipts_map receipts SEC(".maps");

/* Those of the earlier one, whose values may be shorter. */
struct intents_map earlier_intents SEC(".maps");
struct wishes_map earlier_wishes SEC(".maps");

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

static __always_inline void carry_intent_of(struct sock *sk, const void *earlier)
{
	struct intent *intent = carried_intent ? intent_of(sk) : NULL;

	if (intent)
		carry(intent, earlier, sizeof(*intent), carried_intent);
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
static __always_inline void carry_wishes_of(struct sock *sk, const void *earlier)
{
	struct wishes *wishes =
		bpf_sk_storage_get(&all_wishes, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!wishes)
		__sync_fetch_and_add(&carry_failures, 1);
	else if (carried_wishes)
		carry(wishes, earlier, sizeof(*wishes), carried_wishes);
	else
		close_lists(sk, wishes);
}

SEC("iter/bpf_sk_storage_map")
int carry_intent(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	void *earlier = ctx->value;
	struct sock *sk = ctx->sk;

	if (sk && earlier)
		carry_intent_of(sk, earlier);
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int carry_wishes(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	void *earlier = ctx->value;
	struct sock *sk = ctx->sk;

	if (sk && earlier)
		carry_wishes_of(sk, earlier);
	return 0;
}

/* Where the kernel lets no program walk a map. */
SEC("iter/task_file")
int carry_intent_files(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = socket_of(ctx->file);
	void *earlier = sk ? bpf_sk_storage_get(&earlier_intents, sk, NULL, 0) : NULL;

	if (earlier)
		carry_intent_of(sk, earlier);
	return 0;
}

SEC("iter/task_file")
int carry_wishes_files(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = socket_of(ctx->file);
	void *earlier = sk ? bpf_sk_storage_get(&earlier_wishes, sk, NULL, 0) : NULL;

	if (earlier)
		carry_wishes_of(sk, earlier);
	return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
