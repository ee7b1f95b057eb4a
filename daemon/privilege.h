/* SPDX-License-Identifier: MIT */
/* What the daemon may do: as little as its work takes. */
#ifndef SUBFLOW_PRIVILEGE_H
#define SUBFLOW_PRIVILEGE_H

/*
 * Gives up, for good, every capability that the work does not need, for this process and all that
 * it starts: also the right to win one back by execve(2) (no_new_privs). What the process lacks
 * stays lacking; the call that needs it says so. 0 or -errno.
 */
int privilege_drop(void);

#endif
