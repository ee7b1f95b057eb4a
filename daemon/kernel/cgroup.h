/* SPDX-License-Identifier: MIT */
/* Where cgroup2 is mounted, and what is below what in it. */
#ifndef SUBFLOW_CGROUP_H
#define SUBFLOW_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The mount point of cgroup2 by @mounts, a file of the form of /proc/self/mounts.
 * -ENOENT: there is none; -ENAMETOOLONG.
 */
int cgroup_find_root(const char *mounts, char *ret_path, size_t size);

/* Whether the cgroup @id, as sock_diag gives it, is @folder or below it. */
bool cgroup_is_below(const char *folder, uint64_t id);

#endif
