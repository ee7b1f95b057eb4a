/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Sockets by way of the processes that have them open. */
#ifndef SUBFLOW_FILES_H
#define SUBFLOW_FILES_H

#include "mptcp.h"

#include <bpf/bpf_helpers.h>

/* NULL: the file is none, or belongs to none. */
static __always_inline struct sock *socket_of(struct file *file)
{
	struct socket *socket = file ? bpf_sock_from_file(file) : NULL;

	return socket ? socket->sk : NULL;
}

#endif
