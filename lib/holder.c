/* SPDX-License-Identifier: MIT */
/* Finds through /proc who holds a socket in this process, and hands another one to them. */
#include "holder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

/* Not /proc/self: a thread may have unshared its descriptors (CLONE_FILES). */
#define FD_DIRECTORY     "/proc/thread-self/fd"
#define FDINFO_DIRECTORY "/proc/thread-self/fdinfo"

static const char epoll_link[] = "anon_inode:[eventpoll]";

/* Every registration has these, but for one with EPOLLONESHOT that has fired. */
static const uint32_t always = EPOLLERR | EPOLLHUP;

/*
 * fs/eventpoll.c:ep_show_fdinfo writes one line for each watched file. The
 * descriptor number in it is that of the moment of EPOLL_CTL_ADD: only the inode
 * identifies.
 */
bool holder_parse_watch(const char *line, ino_t ino, struct watch *ret)
{
	unsigned long at;
	int fd;

	if (sscanf(line, "tfd: %d events: %" SCNx32 " data: %" SCNx64 " pos:%*d ino:%lx", &fd,
		    &ret->events, &ret->data, &at) != 4)
		return false;
	ret->fd = fd;
	return at == ino;
}

static int add_watch(struct holder *holder, const struct watch *watch)
{
	if (holder->n_watches == HOLDER_WATCHES_MAX)
		return -EBUSY;
	holder->watches[holder->n_watches++] = *watch;
	return 0;
}

/* Adds what set @epoll_fd has of the socket. */
static int find_watches(int epoll_fd, struct holder *holder)
{
	struct watch watch = {.epoll_fd = epoll_fd};
	char path[64], line[256];
	FILE *fdinfo;
	int r = 0;

	snprintf(path, sizeof(path), FDINFO_DIRECTORY "/%d", epoll_fd);
	fdinfo = fopen(path, "re");
	if (!fdinfo)
		/* Closed meanwhile by another thread. */
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && fgets(line, sizeof(line), fdinfo))
		if (holder_parse_watch(line, holder->ino, &watch))
			r = add_watch(holder, &watch);
	fclose(fdinfo);
	return r;
}

static int add_descriptor(struct holder *holder, int fd)
{
	if (holder->n_descriptors == HOLDER_DESCRIPTORS_MAX)
		return -EBUSY;
	holder->descriptors[holder->n_descriptors++] = fd;
	return 0;
}

/* A socket has one open file: descriptors with its inode are duplicates (dup, SCM_RIGHTS). */
static int examine(int dir_fd, const char *name, const char *socket_link, struct holder *holder)
{
	char link[64];
	ssize_t len;

	if (name[0] == '.')
		return 0;
	len = readlinkat(dir_fd, name, link, sizeof(link) - 1);
	if (len < 0)
		return errno == ENOENT ? 0 : -errno;
	link[len] = '\0';

	if (strcmp(link, socket_link) == 0)
		return add_descriptor(holder, atoi(name));
	return strcmp(link, epoll_link) == 0 ? find_watches(atoi(name), holder) : 0;
}

static int examine_all(struct holder *holder)
{
	char socket_link[64];
	struct dirent *entry;
	int r = 0;
	DIR *dir;

	dir = opendir(FD_DIRECTORY);
	if (!dir)
		return -errno;
	snprintf(socket_link, sizeof(socket_link), "socket:[%lu]", (unsigned long)holder->ino);

	do {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			r = -errno;
		else
			r = examine(dirfd(dir), entry->d_name, socket_link, holder);
	} while (entry && r == 0);

	closedir(dir);
	return r;
}

static bool is_among(const struct holder *holder, int fd)
{
	for (int i = 0; i < holder->n_descriptors; i++)
		if (holder->descriptors[i] == fd)
			return true;
	return false;
}

int holder_find(int fd, ino_t ino, struct holder *ret)
{
	struct holder holder = {.ino = ino};
	int r;

	r = examine_all(&holder);
	if (r < 0)
		return r;
	if (!is_among(&holder, fd))
		return -EBUSY;

	for (int i = 0; i < holder.n_watches; i++) {
		const struct watch *watch = &holder.watches[i];

		/*
		 * A registration lives as long as the socket: its descriptor may be
		 * closed, or another file's by now. One that is spent cannot be made
		 * spent again: EPOLL_CTL_ADD arms it for EPOLLERR and EPOLLHUP.
		 */
		if (!is_among(&holder, watch->fd) || (watch->events & always) != always)
			return -EBUSY;
	}
	*ret = holder;
	return 0;
}

static int move_descriptor(int fd, int to, ino_t ino)
{
	int flags = fcntl(fd, F_GETFD);
	struct stat st;

	if (flags < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* Another thread was quicker with this number: what was carried is not of this file. */
	if (st.st_ino != ino)
		return -EBUSY;
	return dup3(to, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0) < 0 ? -errno : 0;
}

static void put_back(int fd, int spare)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags >= 0)
		dup3(spare, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
}

static int watch_fresh(struct watch *watch)
{
	struct epoll_event event = {.events = watch->events, .data.u64 = watch->data};

	if (epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) == 0) {
		watch->is_added = true;
		return 0;
	}
	/* Another descriptor of the same set, which has it by now. */
	return errno == EEXIST ? 0 : -errno;
}

static void unwatch_all(struct holder *holder)
{
	for (int i = 0; i < holder->n_watches; i++) {
		struct watch *watch = &holder->watches[i];

		if (watch->is_added)
			epoll_ctl(watch->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
		watch->is_added = false;
	}
}

static bool is_equal(const struct watch *a, const struct watch *b)
{
	return a->epoll_fd == b->epoll_fd && a->fd == b->fd && a->events == b->events &&
	       a->data == b->data;
}

/* EPOLLWAKEUP is dropped in silence where the caller may not have it. */
static int check_watches(const struct holder *holder, int fresh)
{
	struct holder now = {0};
	struct stat st;

	if (fstat(fresh, &st) < 0)
		return -errno;
	now.ino = st.st_ino;
	for (int i = 0; i < holder->n_watches; i++) {
		const struct watch *watch = &holder->watches[i];
		bool is_found = false;
		int r;

		now.n_watches = 0;
		r = find_watches(watch->epoll_fd, &now);
		if (r < 0)
			return r;
		for (int n = 0; n < now.n_watches; n++)
			is_found = is_found || is_equal(&now.watches[n], watch);
		if (!is_found)
			return -EBUSY;
	}
	return 0;
}

int holder_move(struct holder *holder, int fresh, int spare)
{
	int moved = 0, r = 0;

	while (r == 0 && moved < holder->n_descriptors) {
		r = move_descriptor(holder->descriptors[moved], fresh, holder->ino);
		if (r == 0)
			moved++;
	}
	for (int i = 0; r == 0 && i < holder->n_watches; i++)
		r = watch_fresh(&holder->watches[i]);
	if (r == 0)
		r = check_watches(holder, fresh);
	if (r == 0)
		return 0;

	unwatch_all(holder);
	while (moved > 0)
		put_back(holder->descriptors[--moved], spare);
	return r;
}

void holder_move_back(struct holder *holder, int spare)
{
	unwatch_all(holder);
	for (int i = 0; i < holder->n_descriptors; i++)
		put_back(holder->descriptors[i], spare);
}
