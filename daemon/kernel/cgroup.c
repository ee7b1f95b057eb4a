/* SPDX-License-Identifier: MIT */
/* Where cgroup2 is mounted (not the same place on hybrid hosts), and what is below what in it. */
#include "cgroup.h"

#include <errno.h>
#include <fts.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

/* The id is the folder's inode: kernel/cgroup, cgroup_id(). */
bool cgroup_is_below(const char *folder, uint64_t id)
{
	char *const paths[] = {(char *)folder, NULL};
	bool is_found = false;
	FTSENT *entry;
	FTS *tree;

	tree = id ? fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL) : NULL;
	if (!tree)
		return false;
	while (!is_found && (entry = fts_read(tree)))
		is_found = entry->fts_info == FTS_D && entry->fts_statp->st_ino == id;
	fts_close(tree);
	return is_found;
}
