/* SPDX-License-Identifier: MIT */
/* What the kernel knows of every MPTCP connection of a namespace, over sock_diag. */
#ifndef SUBFLOW_DIAG_H
#define SUBFLOW_DIAG_H

#include "core/endpoint.h"
#include "core/rate.h"

#include <stdbool.h>
#include <stdint.h>

struct mnl_socket;

struct diag_conn {
	uint32_t token;
	uint32_t uid;                  /* of the application */
	uint32_t device;               /* that it is bound to; 0 = none */
	uint64_t cgroup;               /* the id of cgroup2; 0 = not known */
	bool is_open;                  /* what diag_dump() calls established: it is not closed */
	struct endpoint local, remote; /* of the initial subflow */
	uint64_t bytes_queued;         /* given by the application, and not acknowledged */
	bool has_bytes;                /* kernels from 6.5 count them */
	uint64_t bytes_sent, bytes_acked, bytes_received;
};

struct diag_subflow {
	uint32_t token; /* of its connection */
	struct endpoint local, remote;
	uint8_t id; /* address id, of the local address */
	uint8_t remote_id;
	bool is_server;  /* its connection, or the join, came from the peer */
	bool is_opening; /* its SYN is not answered yet */
	bool is_backup;  /* this end has made it one */
	uint32_t device; /* the index of the one that it is bound to; 0: none */
	uint64_t bytes_acked, bytes_received;
};

struct diag_flow { /* plain TCP */
	struct endpoint local, remote;
	uint32_t uid; /* of the application */
	uint64_t bytes_acked, bytes_received;
};

/*
 * Whether the TCP socket @local, @remote of the namespace that the thread is in waits for an
 * answer to what it has sent again, and has heard nothing for @least_ms. -ENOENT: there is none.
 */
int diag_is_silent(const struct endpoint *local, const struct endpoint *remote, uint32_t least_ms,
	bool *ret_is_silent);

/* Whether this end has made the subflow @local, @remote a backup. -ENOENT, -EBADMSG. */
int diag_is_backup(
	const struct endpoint *local, const struct endpoint *remote, bool *ret_is_backup);

/* What the subflow has moved, of itself; the time is left to the caller. -ENOENT, -EBADMSG. */
int diag_pace(const struct endpoint *local, const struct endpoint *remote,
	struct rate_sample *ret_sample);

/*
 * What the connection @token of the namespace that the thread is in has moved, and how its subflow
 * @local, @remote does; the time is left to the caller. -ENOENT: there is no such.
 */
int diag_measure(uint32_t token, const struct endpoint *local, const struct endpoint *remote,
	struct rate_sample *ret_sample);

/*
 * Calls @each for every established MPTCP connection of the namespace that the
 * thread is in. -ENOENT, -EOPNOTSUPP: this kernel has no MPTCP diagnosis (the module
 * mptcp_diag).
 */
int diag_dump(void (*each)(void *arg, const struct diag_conn *conn), void *arg);

/* The same, part by part: a connection that comes or goes meanwhile may be missing. */
struct diag_walk {
	struct mnl_socket *socket; /* NULL: it is over; keeps the namespace alive until then */
	uint32_t sequence;
	uint8_t family;
};

/* -errno: it is not begun. */
int diag_walk_begin(struct diag_walk *walk);
/*
 * Calls @each for the connections of the next part, some twenty. From any namespace. 1 = there is
 * more; 0, or -errno as above: it is over.
 */
int diag_walk_next(
	struct diag_walk *walk, void (*each)(void *arg, const struct diag_conn *conn), void *arg);
void diag_walk_end(struct diag_walk *walk);

/*
 * One of them, by its token. -ENOENT: there is none such, or it has fallen back; else as
 * above.
 */
int diag_find(uint32_t token, struct diag_conn *ret_conn);

/* The same for every subflow that is established or being opened. Needs CAP_NET_ADMIN. */
int diag_dump_subflows(void (*each)(void *arg, const struct diag_subflow *subflow), void *arg);

/* The same for every established TCP socket that is no subflow. */
int diag_dump_flows(void (*each)(void *arg, const struct diag_flow *flow), void *arg);

#endif
