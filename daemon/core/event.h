/* SPDX-License-Identifier: MIT */
/* What the ears hear and the judgement judges. */
#ifndef SUBFLOW_EVENT_H
#define SUBFLOW_EVENT_H

#include "core/endpoint.h"
#include "core/rate.h"
#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a peer resets a subflow: RFC 8684 section 3.6. */
enum {
	RESET_MPTCP = 1, /* an error in its MPTCP, as a mapping of data at odds with another */
	RESET_RESOURCES = 2,
	RESET_PROHIBITED = 3,
};

enum event_kind {
	EVENT_NONE,
	/* from the kernel's path manager */
	EVENT_CREATED,     /* local, remote, is_server */
	EVENT_ESTABLISHED, /* fully; local, remote, is_server */
	EVENT_CLOSED,
	EVENT_SUBFLOW_ESTABLISHED, /* local, remote, id */
	EVENT_SUBFLOW_CLOSED,      /* local, remote, error, reset_reason, is_transient */
	EVENT_ANNOUNCED,           /* by the peer: id, remote */
	EVENT_WITHDRAWN,           /* by the peer: id */
	/* from the hooks */
	EVENT_THRESHOLD, /* bytes, threshold */
	EVENT_BACKLOG,   /* bytes, threshold, backlog_bytes: so much waits that it counts as passed
			  */
	EVENT_INTENT,    /* generation, adds, removes, expected_bytes, purpose, totals; wishes, if
			    there    are */
	EVENT_FOREIGN,
	EVENT_BACKUP,   /* local, remote: is to be a backup, or no more */
	EVENT_BOUND,    /* the application chose the local address, or the device: device */
	EVENT_DENIED,   /* as denies_join of CREATED, where that was not heard */
	EVENT_STRANGER, /* of no connection: a namespace that is not served has MPTCP sockets */
	EVENT_FLOW,     /* of no connection: an elephant that is plain TCP */
	EVENT_TIMEOUT,  /* local, remote: silent, while another subflow of the connection progresses
			 */
	EVENT_OUTAGE,   /* local, remote: silent, and of the others no fewer than progress */
	/* from the hands */
	EVENT_PATHS, /* more is known of the paths that the connection may take, or never will be */
	EVENT_CREATE_DONE,     /* serial, error; ENONET: the namespace cannot be entered */
	EVENT_DESTROY_DONE,    /* serial, error */
	EVENT_BACKUP_FAILED,   /* local, remote, error; EINVAL: its join is not finished yet */
	EVENT_ANNOUNCE_FAILED, /* local, id, error */
	EVENT_WITHDRAW_FAILED, /* id, error */
	EVENT_LOCALS,          /* locals, n_locals, error */
	EVENT_OWNER,           /* uid, excluded, error */
	EVENT_FOUND,           /* the kernel lists this connection: local, remote, uid,
				  excluded, bytes (UINT64_MAX: not known) */
	EVENT_FOUND_SUBFLOW,   /* and this subflow of it: local, remote, id, remote_id, is_server,
				  is_opening, is_unused */
	EVENT_CLAIM_DONE,      /* error; EINVAL: the in-kernel path manager owns it */
	EVENT_LISTEN_DONE,     /* serial, error; EAGAIN: it was heard of meanwhile */
	EVENT_MEASURED,        /* serial, of the question; sample, error */
	EVENT_PACED,           /* serial, of the subflow; sample, of it alone; error */
	EVENT_REACHED,         /* serial, of the subflow; sample.srtt_us, of this once; error */
};

struct event {
	enum event_kind kind;
	struct conn_key key;
	uint64_t now_ns; /* CLOCK_MONOTONIC; of a hook's event, when the kernel noticed it */
	struct endpoint local, remote;
	uint8_t id;        /* address id, of the local address but for ANNOUNCED and WITHDRAWN */
	uint8_t remote_id; /* of the remote one; 0 = its first, or not known */
	bool is_server;
	bool is_opening;
	bool is_unused;   /* a backup over which this end has sent nothing */
	bool has_receipt; /* an earlier daemon has left one */
	struct receipt receipt;
	bool denies_join;  /* the peer's C flag: no join to its initial address (RFC 8684 3.1) */
	int error;         /* errno, positive; 0 = none */
	int reset_reason;  /* RFC 8684 section 3.6; -1 = none given */
	bool is_transient; /* and its T flag: the subflow may be tried again */
	uint64_t bytes, threshold, backlog_bytes;
	uint32_t uid;                       /* of the application */
	uint64_t excluded;                  /* see struct conn */
	uint32_t generation, adds, removes; /* see struct intent */
	uint64_t expected_bytes;
	enum purpose purpose;
	uint8_t totals; /* see struct intent */
	bool is_backup;
	uint32_t device; /* its index; 0 = none */
	bool has_wishes;
	struct wishes wishes;
	uint32_t serial;               /* of the subflow that the action was about */
	struct rate_sample sample;     /* taken at now_ns */
	const struct endpoint *locals; /* the usable addresses of the namespace; the caller's */
	uint32_t n_locals;
};

/* What the judgement wants the hands to do. */
enum action_kind {
	ACTION_CREATE,   /* a subflow from local to remote, is_backup; by EVENT_CREATE_DONE */
	ACTION_DESTROY,  /* the subflow local, remote; answered by EVENT_DESTROY_DONE */
	ACTION_ANNOUNCE, /* tell the peer that there is the address local, by @id */
	ACTION_WITHDRAW, /* tell the peer that the local address @id is no more; @local, if it was
			    announced */
	ACTION_BACKUP,   /* make the subflow local, remote a backup, or no more: MP_PRIO */
	ACTION_LOCALS,   /* which local addresses are there; answered by EVENT_LOCALS */
	ACTION_RULE,     /* tell the hooks its thresholds: rule */
	ACTION_OWNER,    /* whose connection it is; answered by EVENT_OWNER */
	ACTION_SEARCH,   /* list the connections of the namespace: adoption_begin() to _end() */
	ACTION_CLAIM,    /* is the connection ours to change? answered by EVENT_CLAIM_DONE */
	ACTION_LISTEN,   /* is the subflow local, remote still silent? by EVENT_LISTEN_DONE */
	ACTION_MEASURE,  /* what the connection has moved, and how its subflow local, remote does;
			    answered by EVENT_MEASURED */
	ACTION_PACE,     /* what its subflow local, remote has moved; answered by EVENT_PACED */
	ACTION_REACH,    /* how long it takes to the router @ttl hops away on the way of its subflow
			    local, remote, and back; answered by EVENT_REACHED */
	ACTION_SURVEY,   /* look at the paths from local (its first subflow's port) to remote */
	ACTION_RECEIPT,  /* tell the hooks what was carried out */
	ACTION_FORGET,   /* the connection is gone: drop its receipt and its rule */
};

/* What a survey is to find out. */
enum want {
	WANT_WAYS,  /* those that there are, as its stopping rule has it */
	WANT_PORTS, /* and more ports than are known: on the better ones none is free */
	WANT_ALL,   /* and that there are no more */
};

struct action {
	enum action_kind kind;
	struct conn_key key;
	struct endpoint local, remote;
	uint8_t id;
	uint32_t serial;
	struct receipt receipt;
	struct conn_rule rule;
	bool is_announced; /* the hooks are told before */
	bool is_backup;    /* CREATE, BACKUP */
	uint8_t ttl;       /* REACH */
	uint8_t want;      /* SURVEY: enum want */
	uint64_t cause_ns; /* CREATE: when the kernel noticed what led to it; 0 = not known */
};

/*
 * The event that a record of the hooks' ring is; a record of the walk over
 * sockets without a connection has the token 0. -EBADMSG: no record of our version.
 */
int event_from_record(const void *bytes, size_t size, struct event *ret_event);

#endif
