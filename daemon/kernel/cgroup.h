/* SPDX-License-Identifier: MIT */
/* Where cgroup2 is mounted. */
#ifndef SUBFLOW_CGROUP_H
#define SUBFLOW_CGROUP_H

#include <stddef.h>

/*
 * The mount point of cgroup2 by @mounts, a file of the form of /proc/self/mounts.
 * -ENOENT: there is none; -ENAMETOOLONG.
 */
int cgroup_find_root(const char *mounts, char *ret_path, size_t size);

#endif
