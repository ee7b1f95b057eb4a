/* SPDX-License-Identifier: MIT */
/* What the daemon and its guardian may do: as little as their work takes. */
#ifndef SUBFLOW_PRIVILEGE_H
#define SUBFLOW_PRIVILEGE_H

#include <stdbool.h>

/*
 * Gives up, for good, every capability that the work does not need, for this process and all that
 * it starts: also the right to win one back by execve(2) (no_new_privs). What the process lacks
 * stays lacking; the call that needs it says so. @looks_at_processes: CAP_SYS_PTRACE is needed.
 * 0 or -errno.
 */
int privilege_drop(bool looks_at_processes);

/* The guardian, after that: what it takes to put back sysctls. 0 or -errno. */
int privilege_drop_to_guard(void);

/* Afterwards: whether it may serve namespaces at all, be it without BPF programs. */
bool privilege_serves(void);

#endif
