/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The subflows that a BACKUP is about, told to the daemon one by one. */
#include "mptcp.h"

#include "marking.h"

#include "doorbell.h"
#include "subflows.h"

struct walk {
	struct mptcp_sock *msk;
	struct list_head *node;
	struct marking *marking;
};

/* False: there is no room. */
static __always_inline bool tell_backup(const struct marking *marking, const struct sock *ssk)
{
	struct record *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

	if (!r)
		return false;
	fill_record(r, RECORD_BACKUP, marking->key.netns, marking->key.token);
	r->uid = marking->uid;
	r->is_backup = marking->backup;
	r->family = BPF_CORE_READ(ssk, __sk_common.skc_family);
	r->local_port = BPF_CORE_READ(ssk, __sk_common.skc_num);
	r->remote_port = bpf_ntohs(BPF_CORE_READ(ssk, __sk_common.skc_dport));
	if (r->family == AF_INET) {
		r->local[0] = BPF_CORE_READ(ssk, __sk_common.skc_rcv_saddr);
		r->remote[0] = BPF_CORE_READ(ssk, __sk_common.skc_daddr);
	} else {
		BPF_CORE_READ_INTO(&r->local, ssk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32);
		BPF_CORE_READ_INTO(&r->remote, ssk, __sk_common.skc_v6_daddr.in6_u.u6_addr32);
	}
	bpf_ringbuf_submit(r, 0);
	return true;
}

/* bpf_loop: 1 ends it. */
static int mark_subflow(__u32 index, void *arg)
{
	struct walk *walk = arg;
	struct marking *marking = walk->marking;
	struct sock *ssk = next_subflow(walk->msk, &walk->node);
	struct end local = {};

	if (!ssk)
		return 1;
	if (BPF_CORE_READ(ssk, __sk_common.skc_state) != BPF_TCP_ESTABLISHED)
		return 0;
	read_local(ssk, &local);
	if (!is_same_address(local.addr, marking->local.addr) ||
		(marking->local.port && marking->local.port != local.port))
		return 0;
	marking->n++;
	if (marking->tells && !tell_backup(marking, ssk)) {
		marking->failed = true;
		return 1;
	}
	return 0;
}

int marking_walk(struct marking *marking, __u64 msk)
{
	struct walk walk = {.msk = (struct mptcp_sock *)msk, .marking = marking};

	if (!marking)
		return 0;
	walk.node = subflows_of(walk.msk);
	bpf_loop(SUBFLOWS_WALK_MAX, mark_subflow, &walk, 0);
	return 0;
}
