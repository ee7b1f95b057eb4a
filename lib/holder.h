/* SPDX-License-Identifier: MIT */
/* Who else of this process holds on to a socket. */
#ifndef SUBFLOW_HOLDER_H
#define SUBFLOW_HOLDER_H

#include <sys/types.h>

/*
 * 0 if descriptor @fd, whose socket has inode @ino, is the only one by which
 * this process knows that socket; -EBUSY if another descriptor or an epoll set
 * refers to it; another negative errno if /proc does not tell.
 */
int holder_check(int fd, ino_t ino);

#endif
