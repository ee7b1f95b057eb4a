/* SPDX-License-Identifier: MIT */
/* One daemon per control socket. */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRIES       200
#define INTERVAL_NS 10000000

/* Whoever may write to it could put another lock or socket in place of ours. */
static bool is_ours(const struct stat *st)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return false;
	return !(st->st_mode & (S_IWGRP | S_IWOTH)) ||
	       (S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX);
}

/* The folder, open; made if it is missing. */
static int open_folder(const char *path, char *error, size_t error_size)
{
	struct stat st;
	int fd, err;

	if (mkdir(path, 0755) < 0 && errno != EEXIST) {
		err = -errno;
		snprintf(error, error_size, "cannot make %s: %s", path, strerror(-err));
		return err;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		err = -errno;
		snprintf(error, error_size, "cannot lock %s: %s", path, strerror(-err));
	} else if (!is_ours(&st)) {
		err = -EPERM;
		snprintf(error, error_size,
			"the folder %s is somebody else's, or others may write to it: no place for "
			"a control socket; chown and chmod it, or set [control] socket",
			path);
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return err;
}

/* What others have put there is not followed, nor waited for. */
static int open_lock(int folder, const char *name)
{
	struct stat st;
	int err, fd = openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
			 0600);

	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) && is_ours(&st) ? 0 : -EPERM;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int wait_for(int fd)
{
	const struct timespec interval = {.tv_nsec = INTERVAL_NS};

	/* flock(2) has no deadline, and whoever holds it may be a daemon that stays. */
	for (int i = 0; i < TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		nanosleep(&interval, NULL);
	}
	return -EBUSY;
}

int lock_take(const char *path, int *ret_fd, char *error, size_t error_size)
{
	char name[PATH_MAX], *slash;
	int folder, fd, err;

	if ((size_t)snprintf(name, sizeof(name), "%s", path) >= sizeof(name) - sizeof(".lock")) {
		snprintf(error, error_size, "%s: too long", path);
		return -ENAMETOOLONG;
	}
	strcat(name, ".lock");
	slash = strrchr(name, '/');
	*slash = '\0';
	folder = open_folder(slash == name ? "/" : name, error, error_size);
	if (folder < 0)
		return folder;
	*slash = '/';
	fd = open_lock(folder, slash + 1);
	close(folder);
	if (fd < 0) {
		snprintf(error, error_size, "cannot lock %s: %s", name, strerror(-fd));
		return fd;
	}
	err = wait_for(fd);
	if (!err) {
		*ret_fd = fd;
		return 0;
	}
	close(fd);
	snprintf(error, error_size,
		"another subflowd is running with the control socket %s; stop it, or set [control] "
		"socket",
		path);
	return err;
}
