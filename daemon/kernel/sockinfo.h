/* SPDX-License-Identifier: MIT */
/* What the kernel says of one socket: a message of sock_diag. */
#ifndef SUBFLOW_SOCKINFO_H
#define SUBFLOW_SOCKINFO_H

#include "kernel/diag.h"

#include <netinet/tcp.h>

struct nlmsghdr;

#define SOCKINFO_ESTABLISHED (1 << TCP_ESTABLISHED | 1 << TCP_CLOSE_WAIT)
/* One that sends no more receives on. */
#define SOCKINFO_OPEN (SOCKINFO_ESTABLISHED | 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2)

/* Decodes one message of a dump of TCP sockets. -ENODATA: a subflow; -EBADMSG. */
int sockinfo_flow(const struct nlmsghdr *message, struct diag_flow *ret_flow);

/* The same. -ENODATA: no subflow; -EBADMSG. */
int sockinfo_subflow(const struct nlmsghdr *message, struct diag_subflow *ret_subflow);

/*
 * Decodes one message of a dump. -EBADMSG: not of its form, or of a kernel that tells
 * less than we need; -ENODATA: no connection, one that fell back, or one that its application has
 * closed and the kernel ends.
 */
int sockinfo_conn(const struct nlmsghdr *message, struct diag_conn *ret_conn);

/*
 * Decodes the answer about one TCP socket: what a sample says of the subflow alone. -EBADMSG: none
 * such, or of a kernel that tells less.
 */
int sockinfo_pace(const struct nlmsghdr *message, struct rate_sample *ret_sample);

#endif
