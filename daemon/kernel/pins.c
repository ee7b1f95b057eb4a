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
	size_t start = strlen(folder) + 1, len = start;

	for (; *socket && len + 4 < PATH_MAX; socket++) {
		if (isalnum((unsigned char)*socket) || *socket == '-')
			folder[len++] = *socket;
		else
			len += sprintf(folder + len, "_%02x", (unsigned char)*socket);
	}
	if (*socket || len - start > NAME_MAX)
		return -ENAMETOOLONG;
	folder[start - 1] = '/';
	folder[len] = '\0';
	return 0;
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

/* Removes the maps but those of this layout; NULL: all. True if there were such. */
static bool clear(const struct pins *pins, const char *layout)
{
	char path[PATH_MAX + NAME_MAX + 2], *end;
	DIR *dir = opendir(pins->folder);
	struct dirent *entry;
	bool has = false;

	while (dir && (entry = readdir(dir))) {
		end = strchr(entry->d_name, '-');
		if (*entry->d_name == '.' || (layout && end && !strcmp(end + 1, layout)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", pins->folder, entry->d_name);
		has |= unlink(path) == 0;
	}
	if (dir)
		closedir(dir);
	return has;
}

int pins_open(struct pins *pins, const char *mounts, const char *socket, const char *layout,
	bool *ret_has_others)
{
	char folder[PATH_MAX];
	int err = find_file_system(mounts, folder);

	*pins = (struct pins){};
	if (!err)
		err = make_folder(folder);
	if (!err)
		err = append_name(folder, socket);
	if (!err)
		err = make_folder(folder);
	if (err)
		return err;
	memcpy(pins->folder, folder, sizeof(folder));
	*ret_has_others = clear(pins, layout);
	return 0;
}

void pins_path(const struct pins *pins, const char *map, const char *layout, char path[PATH_MAX])
{
	if ((size_t)snprintf(path, PATH_MAX, "%s/%s-%s", pins->folder, map, layout) >= PATH_MAX)
		*path = '\0';
}

void pins_drop(struct pins *pins)
{
	char *end;

	if (!*pins->folder)
		return;
	clear(pins, NULL);
	rmdir(pins->folder);
	/* The folder of all daemons, if this was the last. */
	end = strrchr(pins->folder, '/');
	*end = '\0';
	rmdir(pins->folder);
	*pins->folder = '\0';
}
