/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The subflows of a socket, counted under its lock. */
#include "mptcp.h"

#include "tally.h"

#include "subflows.h"

/* Bit set of the states in which a subflow counts. */
#define LIVE ((1 << BPF_TCP_ESTABLISHED) | (1 << BPF_TCP_SYN_SENT) | (1 << BPF_TCP_SYN_RECV))

struct walk {
	struct mptcp_sock *msk;
	struct list_head *node;
	struct wishes *wishes;
	struct tally *tally;
};

/* bpf_loop: 1 ends it. */
static int count_subflow(__u32 index, void *arg)
{
	struct walk *walk = arg;
	struct tally *tally = walk->tally;
	struct sock *ssk = next_subflow(walk->msk, &walk->node);
	struct end local = {};
	int meant;

	if (!ssk)
		return 1;
	if (!(1 << (BPF_CORE_READ(ssk, __sk_common.skc_state) & 31) & LIVE))
		return 0;
	tally->live++;
	if (!walk->wishes)
		return 0;
	read_local(ssk, &local);
	meant = wishes_meet(walk->wishes, &local, tally->heard, tally->is_remove);
	if (meant & MEANT_LEAVES)
		tally->leaving++;
	else if (meant & MEANT_DRAFTED)
		tally->drafted++;
	return 0;
}

int tally_count(struct tally *tally, struct wishes *wishes, __u64 msk)
{
	struct walk walk = {.msk = (struct mptcp_sock *)msk, .wishes = wishes, .tally = tally};

	if (!tally)
		return 0;
	walk.node = subflows_of(walk.msk);
	bpf_loop(SUBFLOWS_WALK_MAX, count_subflow, &walk, 0);
	return 0;
}
