/* SPDX-License-Identifier: MIT */
/*
 * Ears: one socket for the path-manager events of every namespace that has an
 * id in ours, and for the end of namespaces.
 */
#ifndef SUBFLOW_MONITOR_H
#define SUBFLOW_MONITOR_H

#include "base/loop.h"
#include "core/event.h"
#include "kernel/genl.h"

#include <stdbool.h>
#include <stdint.h>

/* The id of our own namespace, which needs none. */
#define MONITOR_HOME GENL_HOME

struct monitor {
	struct source events;     /* multicast group mptcp_pm_events, all namespaces */
	struct source namespaces; /* RTNLGRP_NSID */
	struct source rest;       /* timer; its fd is -1 before monitor_init() */
	bool is_resting;          /* events wait until its end */
	struct mnl_socket *events_socket, *namespaces_socket;
	struct loop *loop;
	struct genl_family family;
	uint64_t overruns;  /* the kernel dropped messages: ENOBUFS */
	uint64_t malformed; /* messages that were not of the family's form */

	void *owner;
	/* @nsid: MONITOR_HOME or the namespace's id; key.netns is not filled in. */
	void (*heard)(void *owner, int nsid, struct event *event);
	bool (*may_rest)(void *owner); /* nothing hangs on the next event's time */
	/* Nothing is to be done for this connection, whose beginning and end were read at once. */
	bool (*may_skip)(void *owner, int nsid, uint32_t token);
	void (*lost)(void *owner);            /* events were dropped */
	void (*begun)(void *owner, int nsid); /* a namespace has got an id */
	void (*ended)(void *owner, int nsid);
};

/* @owner and the callbacks are set by the caller. */
int monitor_init(struct monitor *monitor, struct loop *loop, const struct genl_family *family);
void monitor_done(struct monitor *monitor);

/* Reads everything that is there now. */
void monitor_drain(struct monitor *monitor);

/* Ends a rest before its time. */
void monitor_rouse(struct monitor *monitor);

/*
 * Whether another socket than ours listens for path-manager events in the
 * namespace that the thread is in: another path manager at work. -ENOENT: see listener.h.
 */
int monitor_has_rival(const struct monitor *monitor, bool *ret_has);

/*
 * Whether a line of /proc/net/netlink is a listener to the generic netlink multicast
 * group @group, 1 to 32 (the file shows no more).
 */
bool monitor_is_listener(const char *line, uint32_t group, uint64_t *ret_inode);

#endif
