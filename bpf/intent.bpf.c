/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The walk: writes the intent of every socket that has one to the reader, for
 * a daemon that missed doorbells.
 */
#include "mptcp.h"

#include "maps.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "doorbell.h"
#include "files.h"

static __always_inline void write_intent(
	struct seq_file *seq, struct sock *sk, const struct intent *intent)
{
	struct mptcp_sock *msk = (struct mptcp_sock *)sk;
	struct wide_record wide;
	struct wishes *wishes;

	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_MPTCP || !intent->generation)
		return;
	fill_intent(&wide.record, BPF_CORE_READ(sk, __sk_common.skc_net.net, net_cookie),
		BPF_CORE_READ(msk, token), uid_of(msk), intent);
	wide.record.msk_flags = BPF_CORE_READ(msk, flags);
	wishes = bpf_sk_storage_get(&all_wishes, sk, NULL, 0);
	if (wishes)
		wide.wishes = *wishes;
	else
		__builtin_memset(&wide.wishes, 0, sizeof(wide.wishes));
	bpf_seq_write(seq, &wide, sizeof(wide));
}

SEC("iter/bpf_sk_storage_map")
int subflow_walk(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct intent *intent = ctx->value;
	struct sock *sk = ctx->sk;

	if (sk && intent)
		write_intent(seq, sk, intent);
	return 0;
}

/* Where the kernel lets no program walk a map. */
SEC("iter/task_file")
int subflow_walk_files(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = socket_of(ctx->file);
	struct intent *intent = sk ? bpf_sk_storage_get(&intents, sk, NULL, 0) : NULL;

	if (intent)
		write_intent(ctx->meta->seq, sk, intent);
	return 0;
}
