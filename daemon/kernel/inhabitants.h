/* SPDX-License-Identifier: MIT */
/*
 * Network namespaces by the processes that live in them: the way into one that has no name. To look
 * at the process of another user, or at one with more capabilities, takes CAP_SYS_PTRACE.
 */
#ifndef SUBFLOW_INHABITANTS_H
#define SUBFLOW_INHABITANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define INHABITANTS_PATH_MAX 32

/*
 * Calls @visit with the namespace of each process, several times with one that has several, until
 * it returns false. @ret_hidden: how many processes could not be looked at.
 */
int inhabitants_each(
	bool (*visit)(void *arg, const char *path, ino_t inode), void *arg, uint32_t *ret_hidden);

/* The way into the namespace with this inode number. -ENOENT: no process is in it. */
int inhabitants_find(ino_t inode, char path[INHABITANTS_PATH_MAX]);

#endif
