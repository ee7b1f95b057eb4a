/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The addresses of a call, read from its value and written into the wishes as a draft. */
#ifndef SUBFLOW_DRAFT_H
#define SUBFLOW_DRAFT_H

#include "wishes.h"

struct draft {
	__u64 netns;
	__u32 generation; /* the one to come if it holds */
	__u32 heard;      /* the one that the daemon has heard of */
	__u32 port_min;
	__u32 at; /* bytes of optval that were read */
	bool add;
	int n;
	int err; /* positive */
};

/* A function of its own for the verifier: see tally_count(). */
int draft_read(struct bpf_sockopt *ctx, struct wishes *wishes, struct draft *draft);

#endif
