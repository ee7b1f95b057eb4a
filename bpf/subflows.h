/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The walk over the subflows of a connection, with its lock held. */
#ifndef SUBFLOW_SUBFLOWS_H
#define SUBFLOW_SUBFLOWS_H

#include "mptcp.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/*
 * Those of an accepted connection are as many as its peer opens, who need not be ours: the walk
 * ends where they do. The bound is for the verifier; a peer has no more ports.
 */
#define SUBFLOWS_WALK_MAX 65536

/* Where the walk begins. */
static __always_inline struct list_head *subflows_of(struct mptcp_sock *msk)
{
	return (void *)msk + bpf_core_field_offset(struct mptcp_sock, conn_list);
}

/* The subflow after @node in the list of @msk, or NULL at its end. */
static __always_inline struct sock *next_subflow(struct mptcp_sock *msk, struct list_head **node)
{
	struct mptcp_subflow_context *subflow;

	*node = BPF_CORE_READ(*node, next);
	if (!*node || *node == subflows_of(msk))
		return NULL;
	subflow = (void *)*node - bpf_core_field_offset(struct mptcp_subflow_context, node);
	return BPF_CORE_READ(subflow, tcp_sock);
}

#endif
