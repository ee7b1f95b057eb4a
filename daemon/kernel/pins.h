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
 * Makes the folder. -ENOENT: no BPF file system is mounted. -EPERM: the folder is somebody else's,
 * or open to others. -ENAMETOOLONG.
 */
int pins_open(struct pins *pins, const char *mounts, const char *socket);

/* A layout of which there are maps, other than @layout. */
bool pins_find_other(const struct pins *pins, const char *layout, char ret_other[NAME_MAX + 1]);

/* Removes all but the maps of this layout; NULL: these too. */
void pins_clear(const struct pins *pins, const char *layout);

/* The path of a map in it. */
void pins_path(const struct pins *pins, const char *map, const char *layout, char path[PATH_MAX]);

/* Removes all, the folder included. */
void pins_drop(struct pins *pins);

#endif
