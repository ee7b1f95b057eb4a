/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The subflows that a BACKUP is about, told to the daemon one by one. */
#ifndef SUBFLOW_MARKING_H
#define SUBFLOW_MARKING_H

#include "wishes.h"

struct marking {
	struct conn_key key;
	__u32 uid;
	struct end local; /* port 0: each */
	__u32 backup;
	bool tells, failed; /* failed: there was no room to tell of one */
	int n;              /* subflows that are meant */
};

/* Of @msk, a struct mptcp_sock. A function of its own for the verifier: see tally_count(). */
int marking_walk(struct marking *marking, __u64 msk);

#endif
