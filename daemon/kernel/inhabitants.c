/* SPDX-License-Identifier: MIT */
/* Network namespaces by the processes that live in them. */
#include "inhabitants.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int inhabitants_each(
	bool (*visit)(void *arg, const char *path, ino_t inode), void *arg, uint32_t *ret_hidden)
{
	char path[INHABITANTS_PATH_MAX];
	struct dirent *entry;
	bool goes_on = true;
	uint32_t hidden = 0;
	struct stat st;
	DIR *proc;

	proc = opendir("/proc");
	if (!proc)
		return -errno;
	while (goes_on && (entry = readdir(proc))) {
		if (!isdigit(*entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%.10s/ns/net", entry->d_name);
		if (stat(path, &st) == 0)
			goes_on = visit(arg, path, st.st_ino);
		else if (errno == EACCES || errno == EPERM)
			hidden++;
	}
	closedir(proc);
	*ret_hidden = hidden;
	return 0;
}

struct wanted {
	ino_t inode;
	char *path;
	bool is_found;
};

static bool compare(void *arg, const char *path, ino_t inode)
{
	struct wanted *wanted = arg;

	if (inode != wanted->inode)
		return true;
	snprintf(wanted->path, INHABITANTS_PATH_MAX, "%s", path);
	wanted->is_found = true;
	return false;
}

int inhabitants_find(ino_t inode, char path[INHABITANTS_PATH_MAX])
{
	struct wanted wanted = {.inode = inode, .path = path};
	uint32_t hidden;
	int err = inhabitants_each(compare, &wanted, &hidden);

	if (err)
		return err;
	return wanted.is_found ? 0 : -ENOENT;
}
