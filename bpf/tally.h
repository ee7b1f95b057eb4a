/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The subflows of a socket, counted under its lock. */
#ifndef SUBFLOW_TALLY_H
#define SUBFLOW_TALLY_H

#include "wishes.h"

struct tally {
	__u32 heard;       /* the generation that the daemon has heard of */
	bool is_remove;    /* by address */
	int live, leaving; /* leaving: taken away by address, and counted in live */
	int drafted;       /* meant by the call that is being checked, and not leaving */
};

/*
 * Of @msk, a struct mptcp_sock; @wishes may be NULL. A function of its own for the verifier, which
 * would look at each number of subflows by itself, and at all that follows from it.
 */
int tally_count(struct tally *tally, struct wishes *wishes, __u64 msk);

#endif
