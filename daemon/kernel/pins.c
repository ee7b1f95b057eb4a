/* SPDX-License-Identifier: MIT */
/* What outlives the daemon: maps with names in the BPF file system. */
#include "pins.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "subflow"

static int find_file_system(const char *mounts, char folder[PATH_MAX])
{
	FILE *file = setmntent(mounts, "re");
	struct mntent *mount;
	int err = -ENOENT;

	if (!file)
		return -errno;
	while (err && (mount = getmntent(file))) {
		if (strcmp(mount->mnt_type, "bpf"))
			continue;
		snprintf(folder, PATH_MAX, "%s/" NAME, mount->mnt_dir);
		err = 0;
	}
	endmntent(file);
	return err;
}

/* The file system allows no dots in names; "_" begins the hex number of a byte. */
static int append_name(char folder[PATH_MAX], const char *socket)
{
	size_t start = strrchr(folder, '/') + 1 - folder, len = strlen(folder);

	for (; *socket && len + 4 < PATH_MAX; socket++) {
		if (isalnum((unsigned char)*socket) || *socket == '-')
			folder[len++] = *socket;
		else
			len += sprintf(folder + len, "_%02x", (unsigned char)*socket);
	}
	folder[len] = '\0';
	return *socket || len - start > NAME_MAX ? -ENAMETOOLONG : 0;
}

/* The file system may be open to everybody: a folder that somebody else has made, or a link, is
 * none of ours, and what it leads to is not touched. */
static int make_folder(const char *path)
{
	struct stat is;

	if (mkdir(path, 0700) == 0)
		return 0;
	if (errno != EEXIST || lstat(path, &is) < 0)
		return -errno;
	return S_ISDIR(is.st_mode) && is.st_uid == geteuid() && !(is.st_mode & 077) ? 0 : -EPERM;
}

/* NULL = no name of a map. */
static const char *layout_of(const char *name)
{
	const char *end = *name == '.' ? NULL : strchr(name, '-');

	return end ? end + 1 : NULL;
}

void pins_clear(const struct pins *pins, const char *layout)
{
	char path[PATH_MAX + NAME_MAX + 2];
	DIR *dir = opendir(pins->folder);
	const struct dirent *entry;
	const char *has;

	while (dir && (entry = readdir(dir))) {
		has = layout_of(entry->d_name);
		if (*entry->d_name == '.' || (layout && has && !strcmp(has, layout)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", pins->folder, entry->d_name);
		unlink(path);
	}
	if (dir)
		closedir(dir);
}

bool pins_find_other(const struct pins *pins, const char *layout, char ret_other[NAME_MAX + 1])
{
	DIR *dir = opendir(pins->folder);
	const struct dirent *entry;
	const char *has;
	bool is_found = false;

	while (dir && !is_found && (entry = readdir(dir))) {
		has = layout_of(entry->d_name);
		is_found = has && strcmp(has, layout);
		if (is_found)
			strcpy(ret_other, has);
	}
	if (dir)
		closedir(dir);
	return is_found;
}

int pins_open(struct pins *pins, const char *mounts, const char *socket)
{
	char folder[PATH_MAX];
	int err = find_file_system(mounts, folder);

	*pins = (struct pins){};
	if (!err)
		err = append_name(folder, socket);
	if (!err)
		err = make_folder(folder);
	if (err)
		return err;
	memcpy(pins->folder, folder, sizeof(folder));
	return 0;
}

void pins_path(const struct pins *pins, const char *map, const char *layout, char path[PATH_MAX])
{
	if ((size_t)snprintf(path, PATH_MAX, "%s/%s-%s", pins->folder, map, layout) >= PATH_MAX)
		*path = '\0';
}

void pins_drop(struct pins *pins)
{
	if (!*pins->folder)
		return;
	pins_clear(pins, NULL);
	rmdir(pins->folder);
	*pins->folder = '\0';
}
