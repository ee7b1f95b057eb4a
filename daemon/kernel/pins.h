/* SPDX-License-Identifier: MIT */
/*
 * What outlives the daemon: maps with names in the BPF file system, in a folder of the daemon's own
 * that its control socket names. What applications have asked for is found there by the next one.
 */
#ifndef SUBFLOW_PINS_H
#define SUBFLOW_PINS_H

#include <limits.h>
#include <stdbool.h>

struct pins {
	char folder[PATH_MAX]; /* "" = nothing outlives the daemon */
};

/*
 * Makes the folder; @has_others: something else than files of the layout @layout was there, and is
 * gone now. -ENOENT: no BPF file system is mounted. -EPERM: the folder is somebody else's, or open
 * to others. -ENAMETOOLONG.
 */
int pins_open(struct pins *pins, const char *mounts, const char *socket, const char *layout,
	bool *ret_has_others);

/* The path of a map in it. */
void pins_path(const struct pins *pins, const char *map, const char *layout, char path[PATH_MAX]);

/* Removes all, the folder included. */
void pins_drop(struct pins *pins);

#endif
