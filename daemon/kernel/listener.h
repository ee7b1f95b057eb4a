/* SPDX-License-Identifier: MIT */
/* Who listens to a netlink multicast group that /proc/net/netlink does not show. */
#ifndef SUBFLOW_LISTENER_H
#define SUBFLOW_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

struct nlmsghdr;

/*
 * Whether a socket of @protocol (NETLINK_GENERIC, ...) other than the one with @own_inode listens
 * to @group in the namespace that the thread is in. -ENOENT: this kernel does not tell
 * (CONFIG_NETLINK_DIAG, module netlink_diag).
 */
int listener_find(int protocol, uint32_t group, uint64_t own_inode, bool *ret_has);

/* Decodes one message of the answer. -ENODATA: not a listener of @group; -EBADMSG. */
int listener_decode(const struct nlmsghdr *message, uint32_t group, uint64_t *ret_inode);

#endif
