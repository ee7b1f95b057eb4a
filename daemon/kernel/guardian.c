/* SPDX-License-Identifier: MIT */
/* The process that puts sysctls back after the daemon's end. */
#include "guardian.h"

#include "base/log.h"
#include "kernel/claim.h"
#include "kernel/inhabitants.h"
#include "kernel/ledger.h"
#include "kernel/netns.h"
#include "kernel/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOTES_STEP 64

#define HERE "/proc/thread-self/ns/net"

/* 0: it is put back, or there is nothing to be put back any more. */
static int restore(const struct guardian_note *note)
{
	char value[GUARDIAN_VALUE_MAX], path[INHABITANTS_PATH_MAX];
	/* The daemon's own namespace may be another than this one, where an earlier daemon's was.
	 */
	int err = netns_enter(*note->path ? note->path : HERE, note->cookie);

	if (err && !inhabitants_find(note->inode, path))
		err = netns_enter(path, note->cookie);
	if (err) /* the namespace is gone, and its sysctl with it */
		return 0;
	err = netns_read_sysctl(note->sysctl, value, sizeof(value));
	if (!err && !strcmp(value, note->ours))
		err = netns_write_sysctl(note->sysctl, note->before);
	if (err)
		log_error("cannot restore /proc/sys/net/%s to %s in %s: %s", note->sysctl,
			note->before, *note->path ? note->path : "the daemon's namespace",
			strerror(-err));
	netns_leave();
	return err;
}

struct memory {
	struct guardian_note *notes; /* one a namespace */
	size_t n, room;
	const struct ledger *ledger; /* NULL: none */
	bool has_said_no_ledger;
};

static struct guardian_note *find(const struct memory *memory, uint64_t cookie)
{
	for (size_t i = 0; i < memory->n; i++) {
		if (memory->notes[i].cookie == cookie)
			return &memory->notes[i];
	}
	return NULL;
}

/* Whether @note is safe now. */
static bool keep(struct memory *memory, const struct guardian_note *note)
{
	struct guardian_note *known = find(memory, note->cookie), *grown;

	if (!*note->sysctl) {
		if (known)
			*known = memory->notes[--memory->n];
		return true;
	}
	if (!known && memory->n == memory->room) {
		grown = reallocarray(memory->notes, memory->room + NOTES_STEP, sizeof(*grown));
		if (!grown)
			return false;
		memory->notes = grown;
		memory->room += NOTES_STEP;
	}
	if (!known)
		known = &memory->notes[memory->n++];
	*known = *note;
	return true;
}

/* Without it this process still knows: the daemon goes on. */
static void put_down(struct memory *memory, const struct guardian_note *note)
{
	int err;

	if (!memory->ledger)
		return;
	if (!*note->sysctl) {
		ledger_strike(memory->ledger, note->cookie);
		return;
	}
	err = ledger_write(memory->ledger, note);
	if (!err || memory->has_said_no_ledger)
		return;
	memory->has_said_no_ledger = true;
	log_warning("what sysctls were before cannot be put down beside the control socket: %s; "
		    "if the guardian is killed with the daemon nobody puts them back",
		strerror(-err));
}

static void live(int fd, const struct ledger *ledger)
{
	struct guardian_note note;
	struct memory memory = {.ledger = ledger};
	char ok;

	/* The daemon's end is the end of file; a note is kept before it is acknowledged. */
	while (recv(fd, &note, sizeof(note), 0) == (ssize_t)sizeof(note)) {
		ok = keep(&memory, &note);
		if (ok)
			put_down(&memory, &note);
		if (send(fd, &ok, 1, MSG_NOSIGNAL) < 0)
			break;
	}
	while (memory.n) {
		note = memory.notes[--memory.n];
		if (!restore(&note) && ledger)
			ledger_strike(ledger, note.cookie);
	}
	free(memory.notes);
}

/* Closes what the child inherited, so that only the daemon's death counts. */
static void keep_only(const int *fds, size_t n)
{
	int low = STDERR_FILENO + 1, next;

	do {
		next = INT_MAX;
		for (size_t i = 0; i < n; i++) {
			if (fds[i] >= low && fds[i] < next)
				next = fds[i];
		}
		if (next > low)
			close_range(low, next - 1, 0);
		low = next == INT_MAX ? next : next + 1;
	} while (low < INT_MAX);
}

int guardian_start(
	struct guardian *guardian, int claims_fd, int lock_fd, const struct ledger *ledger)
{
	int folder_fd = ledger ? ledger->folder_fd : -1;
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
		keep_only((int[]){pair[1], claims_fd, lock_fd, folder_fd}, 4);
		/* With more than that it does its work, too. */
		privilege_drop_to_guard();
		if (netns_init() == 0)
			live(pair[1], ledger);
		/* The claims before the lock: the next daemon of the socket takes them at once. */
		if (claims_fd >= 0)
			close(claims_fd);
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

/* One note of an earlier guardian. */
static int make_up(void *arg, const struct guardian_note *note)
{
	const int *claims_fd = arg;
	const char *ours, *sysctl = netns_pm_sysctl(&ours);
	int err;

	if (!sysctl || strcmp(note->sysctl, sysctl) || strcmp(note->ours, ours))
		return -EBADMSG;
	if (*claims_fd >= 0 && claim_take(*claims_fd, note->cookie) == -EBUSY)
		return -EBUSY;
	log_info("an earlier subflowd was killed with its guardian: what it had set in %s is put "
		 "back",
		*note->path ? note->path : "its own namespace");
	err = restore(note);
	if (*claims_fd >= 0)
		claim_drop(*claims_fd, note->cookie);
	return err;
}

void guardian_make_up(const struct ledger *ledger, int claims_fd)
{
	ledger_each(ledger, make_up, &claims_fd);
}
