/* SPDX-License-Identifier: MIT */
/* One daemon a network namespace. */
#include "claim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int claim_open(const char *path)
{
	char folder[PATH_MAX], *slash;
	int fd;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		if (mkdir(folder, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

static int lock(int fd, uint64_t cookie, short type)
{
	/* Of the open file, not of the process: fcntl(2). */
	struct flock flock = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = cookie & INT64_MAX, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &flock) < 0 ? -errno : 0;
}

int claim_take(int fd, uint64_t cookie)
{
	int err = lock(fd, cookie, F_WRLCK);

	return err == -EAGAIN || err == -EACCES ? -EBUSY : err;
}

void claim_drop(int fd, uint64_t cookie)
{
	lock(fd, cookie, F_UNLCK);
}
