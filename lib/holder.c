/* SPDX-License-Identifier: MIT */
/* Finds the descriptors and epoll sets of this process that refer to a socket, through /proc. */
#include "holder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Not /proc/self: a thread may have unshared its descriptors (CLONE_FILES). */
#define FD_DIRECTORY "/proc/thread-self/fd"

static const char epoll_link[] = "anon_inode:[eventpoll]";

/*
 * fs/eventpoll.c:ep_show_fdinfo writes one line for each watched file,
 * "tfd: %8d events: %8x data: %16llx  pos:%lli ino:%lx sdev:%x". The descriptor number
 * in it is that of the moment of EPOLL_CTL_ADD: only the inode identifies.
 */
static int is_watched(int fd_dir, int epoll_fd, ino_t ino)
{
	char path[64], line[256];
	bool is_found = false;
	FILE *fdinfo;
	int fd;

	snprintf(path, sizeof(path), "../fdinfo/%d", epoll_fd);
	fd = openat(fd_dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	fdinfo = fdopen(fd, "re");
	if (!fdinfo) {
		close(fd);
		return -ENOMEM;
	}

	while (!is_found && fgets(line, sizeof(line), fdinfo)) {
		const char *field = strncmp(line, "tfd:", 4) == 0 ? strstr(line, " ino:") : NULL;

		is_found = field && strtoul(field + 5, NULL, 16) == ino;
	}
	fclose(fdinfo);
	return is_found;
}

static int is_holding(int fd_dir, const char *name, int fd, ino_t ino, const char *socket_link)
{
	int holder_fd = atoi(name);
	char link[64];
	ssize_t len;

	if (name[0] == '.' || holder_fd == fd)
		return 0;
	len = readlinkat(fd_dir, name, link, sizeof(link) - 1);
	if (len < 0)
		/* Closed meanwhile by another thread. */
		return errno == ENOENT ? 0 : -errno;
	link[len] = '\0';

	if (strcmp(link, socket_link) == 0)
		return 1;
	return strcmp(link, epoll_link) == 0 ? is_watched(fd_dir, holder_fd, ino) : 0;
}

int holder_check(int fd, ino_t ino)
{
	char socket_link[64];
	struct dirent *entry;
	int r = 0;
	DIR *dir;

	dir = opendir(FD_DIRECTORY);
	if (!dir)
		return -errno;
	snprintf(socket_link, sizeof(socket_link), "socket:[%lu]", (unsigned long)ino);

	do {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			r = -errno;
		else
			r = is_holding(dirfd(dir), entry->d_name, fd, ino, socket_link);
	} while (entry && r == 0);

	closedir(dir);
	return r > 0 ? -EBUSY : r;
}
