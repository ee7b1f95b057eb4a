/* SPDX-License-Identifier: MIT */
/* One daemon per control socket, and not before the last one's guardian is done. */
#ifndef SUBFLOW_LOCK_H
#define SUBFLOW_LOCK_H

#include <stddef.h>

/*
 * Locks "@path.lock", waiting a moment for a guardian that still restores what
 * a killed daemon left. @path is absolute. -EBUSY with @error when another daemon lives;
 * -EPERM when others may write to its folder, or have put something else in the lock's
 * place. The lock goes with the last descriptor of it, a forked process's included.
 */
int lock_take(const char *path, int *ret_fd, char *error, size_t error_size);

#endif
