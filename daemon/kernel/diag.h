/* SPDX-License-Identifier: MIT */
/* What the kernel knows of every MPTCP connection of a namespace, over sock_diag. */
#ifndef SUBFLOW_DIAG_H
#define SUBFLOW_DIAG_H

#include "core/endpoint.h"

#include <stdbool.h>
#include <stdint.h>

struct nlmsghdr;

struct diag_conn {
	uint32_t token;
	struct endpoint local, remote; /* of the initial subflow */
	bool has_bytes;                /* kernels from 6.5 count them */
	uint64_t bytes_sent, bytes_received;
};

/*
 * Decodes one message of a dump. -EBADMSG: not of its form, or of a kernel that tells
 * less than we need; -ENODATA: no connection, or one that fell back.
 */
int diag_decode(const struct nlmsghdr *message, struct diag_conn *ret_conn);

/*
 * Calls @each for every established MPTCP connection of the namespace that the
 * thread is in. -ENOENT, -EOPNOTSUPP: this kernel has no MPTCP diagnosis (the module
 * mptcp_diag).
 */
int diag_dump(void (*each)(void *arg, const struct diag_conn *conn), void *arg);

#endif
