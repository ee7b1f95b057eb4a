/* SPDX-License-Identifier: MIT */
/* Where cgroup2 is mounted: not the same place on hybrid hosts. */
#include "cgroup.h"

#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>

int cgroup_find_root(const char *mounts, char *ret_path, size_t size)
{
	struct mntent *entry, storage;
	int err = -ENOENT;
	char text[4096];
	FILE *file;

	file = setmntent(mounts, "re");
	if (!file)
		return -errno;
	while (err == -ENOENT && (entry = getmntent_r(file, &storage, text, sizeof(text)))) {
		if (strcmp(entry->mnt_type, "cgroup2"))
			continue;
		err = strlen(entry->mnt_dir) < size ? 0 : -ENAMETOOLONG;
		if (!err)
			strcpy(ret_path, entry->mnt_dir);
	}
	endmntent(file);
	return err;
}
