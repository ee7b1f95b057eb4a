/* SPDX-License-Identifier: MIT */
/* One daemon per control socket. */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRIES       200
#define INTERVAL_NS 10000000

int lock_take(const char *path, int *ret_fd, char *error, size_t error_size)
{
	const struct timespec interval = {.tv_nsec = INTERVAL_NS};
	char name[PATH_MAX], *slash;
	int fd, err;

	if ((size_t)snprintf(name, sizeof(name), "%s", path) >= sizeof(name) - sizeof(".lock")) {
		snprintf(error, error_size, "%s: too long", path);
		return -ENAMETOOLONG;
	}
	slash = strrchr(name, '/');
	if (slash && slash != name) {
		*slash = '\0';
		if (mkdir(name, 0755) < 0 && errno != EEXIST) {
			err = -errno;
			snprintf(error, error_size, "cannot make %s: %s", name, strerror(-err));
			return err;
		}
		*slash = '/';
	}
	strcat(name, ".lock");
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		err = -errno;
		snprintf(error, error_size, "cannot lock %s: %s", name, strerror(-err));
		return err;
	}
	/* flock(2) has no deadline, and whoever holds it may be a daemon that stays. */
	for (int i = 0; i < TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			*ret_fd = fd;
			return 0;
		}
		nanosleep(&interval, NULL);
	}
	close(fd);
	snprintf(error, error_size,
		"another subflowd is running with the control socket %s; stop it, or set [control] "
		"socket",
		path);
	return -EBUSY;
}
