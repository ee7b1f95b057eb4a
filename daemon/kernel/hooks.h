/* SPDX-License-Identifier: MIT */
/* The BPF programs: loading and attaching. */
#ifndef SUBFLOW_HOOKS_H
#define SUBFLOW_HOOKS_H

#include "base/loop.h"
#include "core/event.h"
#include "kernel/coupling.h"
#include "kernel/pins.h"
#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hooks_bpf;

struct hooks {
	struct hooks_bpf *skeleton; /* NULL: there are none here, see hooks_are_there() */
	struct ring_buffer *ring;
	const unsigned long *consumed, *produced; /* bytes of it; the kernel's */
	struct coupling coupling;
	struct source source;
	uint64_t lost_seen, untold_seen;
	struct pins pins; /* pins_open(); none: nothing outlives the daemon */
	int keep_error;   /* of pins_open() */
	int carry_error;  /* of carry_over() */
	bool has_closed;  /* what another version had left was not understood */
	bool has_earlier; /* what an earlier daemon has left is there */
	uint64_t records, malformed, walks;
	uint32_t ring_records; /* that fit the ring */
	/* Records that may still be read, and how often @read may be called, before others are
	 * heard. */
	uint32_t left, turns;

	bool hears_strangers; /* set by the caller: new namespaces are of interest */
	void *owner;
	void (*rung)(void *owner); /* records have come, and are read next */
	void (*heard)(void *owner, const struct event *event);
	void (*read)(void *owner); /* and now no more of them is there */
	/* Of connections of any namespace one had no room that is in none of the intents. */
	void (*missed)(void *owner);
};

/* Before hooks_load(): what applications ask for outlives this daemon, if that can be had. */
void hooks_keep(struct hooks *hooks, const char *socket);

/*
 * Loads the programs with @config, a ring of @ring_bytes (a power of two), and room for the
 * receipts and thresholds of @max_connections. On error @error says in one line what is missing and
 * what to do.
 */
int hooks_load(struct hooks *hooks, const struct hook_config *config, uint64_t ring_bytes,
	uint32_t max_connections, char *error, size_t error_size);

/*
 * Attaches detection to the root of cgroup2 at @root and the socket options to
 * @cgroup, and adds the ring to the loop. @owner, @rung, @heard and @read are
 * set by the caller. -EOPNOTSUPP: the kernel refuses; others are the operator's to mend.
 */
int hooks_attach(struct hooks *hooks, struct loop *loop, const char *root, const char *cgroup,
	char *error, size_t error_size);

/* Nothing is answered any more, nor accepted. */
void hooks_detach(struct hooks *hooks);
void hooks_done(struct hooks *hooks);

/*
 * Whether they could be had. Where not, whoever tells them something or asks them may go on doing
 * so, here, in kernel/maps.h and in kernel/ring.h: nothing is refused, and nothing is found.
 */
bool hooks_are_there(const struct hooks *hooks);

/* There are to be none: what an earlier daemon has kept stays for a later one. */
void hooks_go_without(struct hooks *hooks);

/*
 * Changes the configuration of programs that run. A connection that waits for a threshold goes on
 * waiting for it. The fallback mask stays.
 */
void hooks_set_config(struct hooks *hooks, const struct hook_config *config);

/* The mask of mptcp_sock.flags that tells a connection that fell back. */
void hooks_set_fallback_mask(struct hooks *hooks, uint64_t mask);

/* While the daemon can take up no more connections, those that it does not know are refused. */
void hooks_set_full(struct hooks *hooks, bool is_full);

/* Calls @each with the intent of every socket that has one. */
int hooks_walk(
	struct hooks *hooks, void (*each)(void *arg, const struct wide_record *record), void *arg);

/*
 * Calls @each with every client of the namespace that the thread is in of which there is anything
 * to say; it may be called twice with one.
 */
int hooks_visit_clients(struct hooks *hooks,
	void (*each)(void *arg, const struct client_record *client), void *arg);

/* Sets the intent of a socket of this process, so that the walk shows it. */
int hooks_mark(struct hooks *hooks, int fd, uint32_t generation);

/*
 * Leaves nothing to the next daemon, if no application has asked for anything and no connection has
 * a receipt. After hooks_detach(): what were accepted later would be lost.
 */
void hooks_unpin(struct hooks *hooks);

/* The device by which a TCP socket of the namespace that the thread is in sends; 0 = not known. */
unsigned int hooks_find_egress(
	struct hooks *hooks, const struct endpoint *local, const struct endpoint *remote);

struct hook_counters hooks_counters(const struct hooks *hooks);

#endif
