/* SPDX-License-Identifier: MIT */
/* The socket at its path, where clients knock. */
#include "door.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int make_folder(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	strcpy(folder, path);
	slash = strrchr(folder, '/');
	if (slash == folder)
		return 0;
	*slash = '\0';
	return mkdir(folder, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* For everybody, from the start: by its name another file might be meant a moment later. */
static int bind_open(int fd, const struct sockaddr_un *address)
{
	mode_t mask = umask(0111);
	int err = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;

	umask(mask);
	return err;
}

/* What nobody listens on is left from a daemon that is dead. */
static int clear(int fd, const struct sockaddr_un *address)
{
	struct stat st;

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return -EADDRINUSE;
	if (errno == ECONNREFUSED && lstat(address->sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(address->sun_path);
	return 0;
}

int door_open(const char *path, int waiting_max)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	err = make_folder(path);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = clear(fd, &address);
	if (!err)
		err = bind_open(fd, &address);
	if (!err && listen(fd, waiting_max) < 0)
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}
