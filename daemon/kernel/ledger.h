/* SPDX-License-Identifier: MIT */
/*
 * The guardian's notes on disk, a file each beside the control socket: who comes next reads them
 * if daemon and guardian were killed both.
 */
#ifndef SUBFLOW_LEDGER_H
#define SUBFLOW_LEDGER_H

#include "kernel/guardian.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#define LEDGER_BYTES_MAX  512 /* of one note */
#define LEDGER_BOOT_MAX   40
#define LEDGER_PREFIX_MAX (NAME_MAX + 1 - 2 * sizeof(uint64_t)) /* a cookie follows */

struct ledger {
	int folder_fd;                  /* -errno: nothing can be put down */
	char prefix[LEDGER_PREFIX_MAX]; /* of the files' names */
	char boot[LEDGER_BOOT_MAX];     /* cookies are of one boot of the kernel */
};

/* Its files are "@path.before.*". @path is absolute; who holds its lock may call what follows. */
void ledger_open(struct ledger *ledger, const char *path);
void ledger_close(struct ledger *ledger);

/* In place of what the namespace had. When this returns 0 it stands there whole; or -errno. */
int ledger_write(const struct ledger *ledger, const struct guardian_note *note);
void ledger_strike(const struct ledger *ledger, uint64_t cookie);

/*
 * Calls @each with what stands there. It is struck if that returns 0, and if it is of another boot.
 * What subflowd cannot have written, and what @each calls -EBADMSG, is struck as well, and said.
 */
void ledger_each(const struct ledger *ledger,
	int (*each)(void *arg, const struct guardian_note *note), void *arg);

/* One file; @text ends with a zero after @len bytes. -EBADMSG; -ESTALE: of another boot. */
int ledger_decode(const char *text, size_t len, const char *boot, struct guardian_note *ret_note);

#endif
