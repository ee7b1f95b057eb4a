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

/* A namespace that somebody is in. */
struct inhabited {
	ino_t inode;
	char path[INHABITANTS_PATH_MAX]; /* by way of the process with the least number */
	bool is_known;                   /* for whoever has read it */
};

struct inhabitants {
	struct inhabited *list; /* by inode number, each once */
	size_t n;
	uint32_t hidden; /* processes that could not be looked at */
};

/* All but the one with the inode number @home. What was read is freed with inhabitants_done(). */
int inhabitants_read(ino_t home, struct inhabitants *ret_inhabitants);
void inhabitants_done(struct inhabitants *inhabitants);

/* NULL: nobody is in it. */
struct inhabited *inhabitants_of(const struct inhabitants *inhabitants, ino_t inode);

/* The way into the namespace with this inode number. -ENOENT: no process is in it. */
int inhabitants_find(ino_t inode, char path[INHABITANTS_PATH_MAX]);

#endif
