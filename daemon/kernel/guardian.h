/* SPDX-License-Identifier: MIT */
/*
 * A small process that outlives the daemon, whatever ends it, and puts back the
 * sysctls that the daemon has set, where they still hold the daemon's value.
 */
#ifndef SUBFLOW_GUARDIAN_H
#define SUBFLOW_GUARDIAN_H

#include <stdint.h>
#include <sys/types.h>

struct ledger;

#define GUARDIAN_PATH_MAX  288
#define GUARDIAN_VALUE_MAX 32

/* What was set, and what was there before; one a namespace, the last that was told counts. */
struct guardian_note {
	char path[GUARDIAN_PATH_MAX]; /* of the namespace; "" is the daemon's own */
	uint64_t cookie;
	ino_t inode;                     /* for when it is not at that path any more */
	char sysctl[GUARDIAN_VALUE_MAX]; /* under /proc/sys/net, "mptcp/pm_type"; "": nothing */
	char ours[GUARDIAN_VALUE_MAX], before[GUARDIAN_VALUE_MAX];
};

struct guardian {
	int fd; /* readable when the guardian has died */
	pid_t pid;
};

/*
 * Forks. @claims_fd (of kernel/claim.h) and @lock_fd, each -1 if there is none, stay open in the
 * guardian until its work is done: no other daemon has a namespace before all is put back there.
 * What it is told stands in @ledger as well, until that is done; NULL: nowhere.
 */
int guardian_start(
	struct guardian *guardian, int claims_fd, int lock_fd, const struct ledger *ledger);

/* To be told before the sysctl is set. When this returns 0 the note is safe. */
int guardian_tell(struct guardian *guardian, const struct guardian_note *note);

/* Lets it do its work, and waits for the end of it. */
void guardian_stop(struct guardian *guardian);

/*
 * Does what one that was killed has not done: puts back what stands in @ledger, and strikes it. A
 * namespace that another daemon serves is left to whoever comes after that. @claims_fd as above.
 */
void guardian_make_up(const struct ledger *ledger, int claims_fd);

#endif
