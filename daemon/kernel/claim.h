/* SPDX-License-Identifier: MIT */
/*
 * One daemon a network namespace, whatever their control sockets and cgroups: a lock on the byte of
 * a file that the namespace's cookie names. It goes with the daemon and its
 * guardian, however they end.
 */
#ifndef SUBFLOW_CLAIM_H
#define SUBFLOW_CLAIM_H

#include <stdint.h>

/* Where all daemons of a host look. */
#define CLAIM_FILE "/run/subflow/namespaces"

/* Opens @path, which is made if it is missing, its folder too. The descriptor, or -errno. */
int claim_open(const char *path);

/* -EBUSY: another daemon serves the namespace. */
int claim_take(int fd, uint64_t cookie);
void claim_drop(int fd, uint64_t cookie);

#endif
