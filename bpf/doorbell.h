/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Ringing the daemon: puts a copy of an intent into the ring. */
#ifndef SUBFLOW_DOORBELL_H
#define SUBFLOW_DOORBELL_H

#include "maps.h"
#include "mptcp.h"

#include <bpf/bpf_core_read.h>

/* Whose socket it is. */
static __always_inline __u32 uid_of(const struct mptcp_sock *msk)
{
	return BPF_CORE_READ((const struct sock *)msk, sk_uid.val);
}

static __always_inline void fill_record(struct record *r, __u16 kind, __u64 netns, __u32 token)
{
	__builtin_memset(r, 0, sizeof(*r));
	r->version = RECORD_VERSION;
	r->kind = kind;
	r->token = token;
	r->netns = netns;
	r->time_ns = bpf_ktime_get_ns();
}

static __always_inline void fill_intent(
	struct record *r, __u64 netns, __u32 token, __u32 uid, const struct intent *intent)
{
	fill_record(r, RECORD_INTENT, netns, token);
	r->uid = uid;
	r->generation = intent->generation;
	r->adds = intent->adds;
	r->removes = intent->removes;
	r->bytes = intent->expected;
	r->purpose = intent->purpose;
	r->totals = intent->totals;
}

/*
 * If the ring is full the loss is counted first and the ring tried once more:
 * either it has been drained meanwhile, or the daemon still has records to
 * read and sees the counter after them. So a loss never goes unnoticed.
 */
static __always_inline void *reserve(__u64 size, __u64 *losses)
{
	void *r = bpf_ringbuf_reserve(&ring, size, 0);

	if (r)
		return r;
	__sync_fetch_and_add(losses, 1);
	return bpf_ringbuf_reserve(&ring, size, 0);
}

static __always_inline void ring_doorbell(__u64 netns, __u32 token, __u32 uid,
	const struct intent *intent, const struct wishes *wishes)
{
	struct wide_record *wide;
	struct record *r;

	if (wishes) {
		wide = reserve(sizeof(*wide), &counters.lost);
		if (!wide)
			return;
		fill_intent(&wide->record, netns, token, uid, intent);
		wide->wishes = *wishes;
		bpf_ringbuf_submit(wide, 0);
		return;
	}
	r = reserve(sizeof(*r), &counters.lost);
	if (!r)
		return;
	fill_intent(r, netns, token, uid, intent);
	bpf_ringbuf_submit(r, 0);
}

#endif
