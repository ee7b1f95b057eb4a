/* SPDX-License-Identifier: MIT */
/* The process that puts sysctls back after the daemon's end. */
#include "guardian.h"

#include "base/log.h"
#include "kernel/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void restore(const struct guardian_note *note)
{
	char value[GUARDIAN_VALUE_MAX];
	int err = netns_enter(note->path, note->cookie);

	if (err) /* the namespace is gone, and its sysctl with it */
		return;
	err = netns_read_sysctl(note->sysctl, value, sizeof(value));
	if (!err && !strcmp(value, note->ours))
		err = netns_write_sysctl(note->sysctl, note->before);
	if (err)
		log_error("cannot restore /proc/sys/net/%s to %s in %s: %s", note->sysctl,
			note->before, *note->path ? note->path : "the daemon's namespace",
			strerror(-err));
	netns_leave();
}

static void live(int fd)
{
	struct guardian_note *notes = NULL, *grown, note;
	size_t n = 0;
	char ok;

	/* The daemon's end is the end of file; a note is kept before it is acknowledged. */
	while (recv(fd, &note, sizeof(note), 0) == (ssize_t)sizeof(note)) {
		grown = reallocarray(notes, n + 1, sizeof(*notes));
		ok = grown != NULL;
		if (grown) {
			notes = grown;
			notes[n++] = note;
		}
		if (send(fd, &ok, 1, MSG_NOSIGNAL) < 0)
			break;
	}
	while (n)
		restore(&notes[--n]);
	free(notes);
}

/* Closes what the child inherited, so that only the daemon's death counts. */
static void keep_only(int fd, int keep_fd)
{
	int other = keep_fd < 0 ? fd : keep_fd;
	int low = fd < other ? fd : other, high = fd < other ? other : fd;

	if (low > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0u, 0);
}

int guardian_start(struct guardian *guardian, int keep_fd)
{
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	guardian->pid = fork();
	if (guardian->pid < 0) {
		err = -errno;
		close(pair[0]);
		close(pair[1]);
		return err;
	}
	if (guardian->pid == 0) {
		signal(SIGINT, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		setsid();
		prctl(PR_SET_NAME, "subflow-guard");
		keep_only(pair[1], keep_fd);
		if (netns_init() == 0)
			live(pair[1]);
		_exit(0);
	}
	close(pair[1]);
	guardian->fd = pair[0];
	return 0;
}

int guardian_tell(struct guardian *guardian, const struct guardian_note *note)
{
	char ok = 0;

	if (send(guardian->fd, note, sizeof(*note), MSG_NOSIGNAL) < 0)
		return -errno;
	if (recv(guardian->fd, &ok, 1, 0) != 1)
		return -EPIPE;
	return ok ? 0 : -ENOMEM;
}

void guardian_stop(struct guardian *guardian)
{
	if (guardian->fd < 0)
		return;
	close(guardian->fd);
	guardian->fd = -1;
	while (waitpid(guardian->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
