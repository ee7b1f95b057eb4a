/* SPDX-License-Identifier: MIT */
/* The network namespaces that the configuration names, as they come and go. */
#ifndef SUBFLOW_SERVED_H
#define SUBFLOW_SERVED_H

#include "base/loop.h"
#include "kernel/guardian.h"
#include "kernel/monitor.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

/* Namespaces: as many as the hooks' map holds. */
#define SERVED_MAX      16384
#define SERVED_CHAINS   1024
#define SERVED_NAME_MAX 256
#define SERVED_WHY_MAX  200

enum served_state {
	SERVED_YES,
	SERVED_ALONE,    /* left alone, for the reason given */
	SERVED_VANISHED, /* its name is gone; something inside keeps it alive */
};

struct served;

struct served_netns {
	TAILQ_ENTRY(served_netns) entry;
	LIST_ENTRY(served_netns) by_cookie, by_nsid, by_inode; /* see served_list.h */
	struct served *served;
	/* As in `ip netns`; "own" is the daemon's, "net:[INODE]" has no name. */
	char name[SERVED_NAME_MAX];
	char path[GUARDIAN_PATH_MAX]; /* "" is the daemon's; by way of a process if unnamed */
	bool is_unnamed;
	uint64_t cookie;
	int nsid; /* MONITOR_HOME is the daemon's */
	ino_t inode;
	enum served_state state;
	bool is_listed;   /* its connections were, since it is served */
	uint64_t list_ns; /* when kernel/roster lists its sockets, CLOCK_MONOTONIC; 0 = not yet */
	char why[SERVED_WHY_MAX];
	bool is_taken;             /* that is: another path manager is at work there */
	bool is_free;              /* none was found there when it was looked at last */
	uint64_t looked_ns;        /* when that was, CLOCK_MONOTONIC; 0 = not again yet */
	struct guardian_note note; /* what was set; no sysctl name: nothing */
};

/* What anybody may cause to be looked at takes a part of the time only. */
struct served_rest {
	uint64_t until_ns; /* CLOCK_MONOTONIC: not before */
	bool is_due;       /* it is to be looked at then */
};

LIST_HEAD(served_chain, served_netns);

struct served {
	TAILQ_HEAD(, served_netns) list;
	struct served_chain by_cookie[SERVED_CHAINS], by_nsid[SERVED_CHAINS];
	struct served_chain by_inode[SERVED_CHAINS];
	struct loop *loop;
	struct source mounts; /* a namespace's name is a mount point */
	struct source rest;   /* a timer: when what has to wait may be looked at */
	struct served_rest names, processes;
	struct monitor *monitor;
	struct guardian *guardian;
	const char *wanted; /* see wanted.h */
	bool take_over;
	int claims_fd; /* of kernel/claim.h; -errno: nobody else is asked */
	uint32_t count;
	bool has_said_hidden; /* that there are processes that it may not look at */
	ino_t own;            /* the daemon's namespace, whatever its name */
	uint64_t refused;     /* namespaces that found the table full */

	void *owner;
	/* It is served from now on; -errno leaves it alone. */
	int (*begun)(void *owner, struct served_netns *netns);
	void (*serving)(void *owner, struct served_netns *netns);
	/* It is left alone. */
	void (*left)(void *owner, const struct served_netns *netns);
	/* It has lost its name: nothing that is open inside may keep it. */
	void (*vanished)(void *owner, const struct served_netns *netns);
	/* It is not served any more, or not left alone any more. */
	void (*ended)(void *owner, const struct served_netns *netns);
};

/*
 * Serves what is there and watches for more. @monitor, @guardian, @wanted,
 * @take_over, @claims_fd, @owner and the callbacks are set by the caller. -errno only when
 * the watch fails; what is wrong with one namespace is its own why.
 */
int served_init(struct served *served, struct loop *loop);
void served_done(struct served *served);

/*
 * Serves what is named now, also what was left alone if nothing is in its way any more. What is
 * served stays so.
 */
void served_rescan(struct served *served);

/*
 * Something happens in a namespace that is left alone. If that is for another path manager, it is
 * looked at, now and then, and served when none was found there twice.
 */
void served_look_again(struct served *served, struct served_netns *netns, uint64_t now_ns);

/* What its why says. */
void served_say(struct served_netns *netns, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Serves those without a name that are not served yet, if that is wanted: at once, or after a rest
 * of ten times what the last look at all processes has cost.
 */
void served_look(struct served *served);

/*
 * Makes the namespace the thread's, as netns_enter(). One without a name is entered by way of
 * another process if the last one has gone. -EAGAIN: another is looked for after the rest.
 */
int served_enter(struct served_netns *netns);

/* Back home. */
void served_leave(const struct served_netns *netns);

/* The kernel says that the namespace is no more. */
void served_end(struct served *served, int nsid);

/* Tells a new guardian everything that the old one knew. */
int served_tell_all(struct served *served);

#endif
