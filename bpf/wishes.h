/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The local addresses that a socket was given, with its lock held. */
#ifndef SUBFLOW_WISHES_H
#define SUBFLOW_WISHES_H

#include "maps.h"
#include "mptcp.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* struct sockaddr_in, sockaddr_in6 */
struct address4 {
	__u16 family;
	__be16 port;
	__be32 addr;
	__u8 zero[8];
};

struct address6 {
	__u16 family;
	__be16 port;
	__be32 flowinfo;
	__be32 addr[4];
	__u32 scope_id;
};

/* An address as the wishes have it: IPv4 is v4-mapped. */
struct end {
	__be32 addr[4];
	__u32 port; /* host byte order */
};

static __always_inline void map_v4(__be32 to[4], __be32 addr)
{
	to[0] = 0;
	to[1] = 0;
	to[2] = bpf_htonl(0xffff);
	to[3] = addr;
}

static __always_inline bool is_v4(const __be32 addr[4])
{
	return !addr[0] && !addr[1] && addr[2] == bpf_htonl(0xffff);
}

static __always_inline bool is_same_address(const __be32 a[4], const __be32 b[4])
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

static __always_inline void read_local(const struct sock *sk, struct end *end)
{
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET)
		map_v4(end->addr, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
	else
		BPF_CORE_READ_INTO(&end->addr, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32);
	end->port = BPF_CORE_READ(sk, __sk_common.skc_num);
}

static __always_inline bool has_chosen_address(const struct sock *sk)
{
	return BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks) & SOCK_BINDADDR_LOCK;
}

/* bind(2) to an address and SO_BINDTODEVICE act on the first subflow's socket. 0: to none. */
static __always_inline __u32 bound_device(const struct mptcp_sock *msk)
{
	return BPF_CORE_READ(msk, first, __sk_common.skc_bound_dev_if);
}

static __always_inline bool is_bound(const struct mptcp_sock *msk)
{
	return has_chosen_address(BPF_CORE_READ(msk, first)) || bound_device(msk);
}

/* What tells one address from others in so much room. */
static __always_inline __u32 wishes_fold(const __be32 addr[4])
{
	return addr[0] ^ addr[1] ^ addr[2] ^ addr[3];
}

/* A connect(2) that failed leaves the socket bound to the address that it had from the list. */
static __always_inline bool wishes_have_bound(const struct wishes *wishes, const struct end *bound)
{
	return wishes && wishes->bound && wishes->bound == wishes_fold(bound->addr);
}

/*
 * Functions of their own for the verifier too: it looks at each once, whatever calls it. So their
 * arguments might be NULL, as far as it knows.
 */

/* The slot that means what is at @end and is listed, or -1. */
int wishes_find(const struct wishes *wishes, const struct end *end);

/* Subflows asked for that were neither opened nor given up. */
int wishes_count_pending(const struct wishes *wishes, const struct receipt *receipt);

/*
 * What a live subflow at @end is to these: MEANT_LEAVES, MEANT_DRAFTED. If it is about a
 * REMOVE the draft is found.
 */
#define MEANT_LEAVES  1 /* it was taken away */
#define MEANT_DRAFTED 2 /* the call that is being checked is about it */
int wishes_meet(struct wishes *wishes, const struct end *end, __u32 heard, bool is_remove);

/*
 * A call is written in as a draft, address by address. @generation is the one to come if it
 * holds; @heard, the one that the daemon has heard of. 0, ENOBUFS, EDQUOT. Where no slot is free
 * the draft takes that of an address which was taken away: only the daemon remembers it then.
 */
int wishes_draft(
	struct wishes *wishes, const struct end *end, __u32 generation, __u32 heard, bool add);
int wishes_keep_add(struct wishes *wishes, __u32 generation, __u32 heard);

/* @is_fresh: there is no connection yet, so nothing has to be closed. */
int wishes_keep_remove(struct wishes *wishes, __u32 generation, bool is_fresh);

/* Of a REMOVE: finds what is listed. Whether something else is. */
int wishes_find_drafts(struct wishes *wishes);

/* Of a REMOVE: whether each address was found. */
int wishes_are_found(const struct wishes *wishes);

/*
 * What was taken away and has been closed needs no slot any more if it was one port, or if its
 * address was added again. Else the slot says, to a daemon to come too, that nothing leaves from
 * it.
 */
int wishes_forget(struct wishes *wishes, __u32 heard);

#endif
