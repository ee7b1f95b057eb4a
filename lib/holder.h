/* SPDX-License-Identifier: MIT */
/* By which descriptors and epoll sets this process holds a socket, and their move to another one.
 */
#ifndef SUBFLOW_HOLDER_H
#define SUBFLOW_HOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { HOLDER_DESCRIPTORS_MAX = 16, HOLDER_WATCHES_MAX = 16 };

/* One registration in an epoll set: what epoll_ctl(2) was given. */
struct watch {
	int epoll_fd;
	int fd;
	uint32_t events;
	uint64_t data;
	bool is_added; /* to the new socket, by holder_move() */
};

struct holder {
	ino_t ino;
	int descriptors[HOLDER_DESCRIPTORS_MAX];
	int n_descriptors;
	struct watch watches[HOLDER_WATCHES_MAX];
	int n_watches;
};

/*
 * All descriptors of this process that refer to the socket with inode @ino, @fd
 * among them, and all registrations of it in epoll sets. -EBUSY if a
 * registration cannot be made again as it is, or if there are too many; another
 * negative errno if /proc does not tell.
 */
int holder_find(int fd, ino_t ino, struct holder *ret);

/*
 * Makes every descriptor refer to @fresh, and registers it where the old socket
 * is registered. @spare is a descriptor of the old socket, beside those found:
 * as long as it is open, holder_move_back() can undo it, exactly. On an error
 * that is done already. -EBUSY if a descriptor or registration has changed
 * since holder_find().
 */
int holder_move(struct holder *holder, int fresh, int spare);

/* The old registrations were never touched: the kernel drops them with the old socket. */
void holder_move_back(struct holder *holder, int spare);

/*
 * Whether a line of /proc/PID/fdinfo/N of an epoll set is a registration of the file with
 * inode @ino: the line's descriptor, events and data are then in @ret.
 */
bool holder_parse_watch(const char *line, ino_t ino, struct watch *ret);

#endif
