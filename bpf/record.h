/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What crosses between the kernel's side and the daemon: the records of the
 * ring and the values of the maps that the daemon reads or writes. All fields
 * are in host byte order.
 */
#ifndef SUBFLOW_RECORD_H
#define SUBFLOW_RECORD_H

#include <linux/types.h>

/* Most subflows of one connection, whatever the configuration says. */
#define SUBFLOWS_HARD_MAX 64

/* Version of struct record; the daemon refuses a record of another one. */
#define RECORD_VERSION 3

/* Different local addresses and ports, at most, that one socket is given by lists. */
#define WISHES_MAX 8

enum record_kind {
	RECORD_THRESHOLD = 1, /* the connection has sent or received more than a threshold */
	RECORD_INTENT = 2,    /* the application's requests, as they stand now */
	RECORD_FOREIGN = 3,   /* the in-kernel path manager owns the connection */
	RECORD_TIMEOUT = 4,   /* a subflow is silent while its siblings progress */
	RECORD_BOUND = 5,     /* the application chose the local address, or the device */
	RECORD_STRANGER = 6,  /* a namespace that is not served has its first MPTCP socket */
	RECORD_BACKUP = 7,    /* a subflow is to be a backup, or no more */
	RECORD_FLOW = 8,      /* a plain TCP flow has sent or received start: no token */
	RECORD_BACKLOG = 9, /* so much waits to be sent that the first threshold counts as passed */
	RECORD_OUTAGE = 10, /* a subflow is silent, and of its siblings no fewer than progress */
};

/* The values of TCP_MULTIPATH_INTENT. */
enum purpose {
	PURPOSE_DEFAULT,
	PURPOSE_BULK,        /* an elephant from its start */
	PURPOSE_INTERACTIVE, /* not to be split by the elephant rule: delay is what counts */
	PURPOSE_OFF,         /* not to be split by the elephant rule */
};

/*
 * What an application has asked for on one socket since it exists. Counters
 * only grow (modulo 2^32), so that a later copy makes every earlier one
 * superfluous and a copy may be read twice.
 */
struct intent {
	__u32 generation; /* accepted calls; 0 = never asked */
	__u32 adds;       /* subflows asked for */
	__u32 removes;    /* subflows asked to go */
	__u32 calls;      /* calls in the current window, for the rate limit */
	__u32 window_ms;  /* when that window began, CLOCK_MONOTONIC, modulo 2^32 */
	__u8 total;       /* subflows in all, as last set; 0 = never */
	__u8 totals;      /* how often it was set, modulo 2^8 */
	__u8 purpose;     /* enum purpose */
	__u8 is_used;     /* a connection has come up: what the next one gets is asked for anew */
	__u64 expected;   /* bytes that the connection is to carry; 0 = it was not said */
};

#define WISH_TAKEN 1 /* the slot is in use */
/* What left from there before @since is to go. Without @adds nothing may leave from there. */
#define WISH_REMOVED 2

/* A local address that the application has listed, or has taken away. */
struct wish {
	__u32 addr[4]; /* network byte order; IPv4 is v4-mapped */
	__u16 port;    /* host byte order; 0 = any */
	__u16 since;   /* the intent's generation by which @adds began, modulo 2^16 */
	__u16 adds;    /* subflows asked for since then; 0 = not listed */
	__u8 draft;    /* of a call that is being checked */
	__u8 flags;
};

/*
 * The lists of one socket. What a listener has, the connections that it accepts begin with; they
 * inherit nothing else.
 */
struct wishes {
	__u32 is_restricted; /* from before connect(2): nothing leaves from elsewhere */
	__u32 bound; /* wishes_fold() of the address that connect(2) was given by these; 0 = none */
	struct wish list[WISHES_MAX];
};

/* One record of the ring. */
struct record {
	__u16 version;
	__u16 kind;
	__u32 token;
	__u64 netns;   /* cookie of the network namespace */
	__u64 time_ns; /* CLOCK_MONOTONIC */
	/* RECORD_THRESHOLD, RECORD_BACKLOG: sent, or received, when it was noticed;
	 * RECORD_INTENT: expected
	 */
	__u64 bytes;
	union {
		__u64 threshold; /* RECORD_THRESHOLD, RECORD_BACKLOG: the one passed, bytes */
		__u64 uid;       /* RECORD_INTENT, RECORD_BACKUP: of the socket's owner */
	};
	__u32 generation, adds, removes; /* RECORD_INTENT: see struct intent */
	union {
		__u32 msk_flags; /* the walk only: mptcp_sock.flags, for calibration */
		__u32 backlog;   /* RECORD_BACKLOG: bytes that wait */
		__u32 device;    /* RECORD_BOUND: its index; 0 = to an address alone */
	};
	/* RECORD_TIMEOUT, RECORD_OUTAGE, RECORD_BACKUP: the subflow. Addresses are in network byte
	 * order, IPv4 in the first word.
	 */
	__u16 family, local_port, remote_port;
	union {
		__u16 is_backup; /* RECORD_BACKUP */
		struct {
			__u8 purpose, totals; /* RECORD_INTENT: see struct intent */
		};
	};
	__u32 local[4], remote[4];
};

/* An entry of the walk over all intents, and RECORD_INTENT of a socket with lists. */
struct wide_record {
	struct record record;
	struct wishes wishes;
};

#define CLIENT_UNWATCHED 1 /* the callbacks are to count its bytes, and do not */
#define CLIENT_FOREIGN   2 /* as RECORD_FOREIGN */
#define CLIENT_BOUND     4 /* as RECORD_BOUND */
#define CLIENT_DENIED    8 /* RFC 8684 section 3.1, C flag: no join to its peer's first address */

/* An entry of the walk over the clients of a namespace. */
struct client_record {
	__u32 token;
	__u32 traits;
	__u32 device; /* CLIENT_BOUND: as in RECORD_BOUND */
};

/* Of the values that are kept in the storage of one socket, bytes. */
#define STORAGE_MAX 256

/* Users of the options whose calls are counted; namespaces that are known to be strangers. */
#define USERS_MAX     4096
#define STRANGERS_MAX 16384

/* Hosts to which clients of served namespaces have connected lately. */
#define PEERS_MAX 4096

/* Prefixes, of all served namespaces together. */
#define LOCALS_MAX 65536

/* What is local in the served namespaces, by the longest prefix. */
struct local_key {
	__u32 bits; /* of what follows: 64 and those of the address */
	__u32 netns[2];
	__u32 addr[4]; /* as in struct wish */
};

/*
 * Of what is kept between one daemon and the next: struct intent, wishes, conn_key and receipt.
 * Fields are added at their ends, where 0 means that nothing was said: daemon/kernel/carry then
 * takes over what an earlier build has kept. To be counted up when that cannot be: what was kept is
 * not understood then, and connections with listed addresses are closed to more subflows.
 */
#define KEPT_LAYOUT 3

/* Names one connection of the host. */
struct conn_key {
	__u64 netns;
	__u32 token;
	__u32 zero; /* padding; part of the hash */
};

/*
 * How much of an intent the daemon has carried out or given up. Written by the
 * daemon alone; the hook counts the difference as reserved.
 */
struct receipt {
	__u32 adds;
	__u32 removes;
	/* A command is being given to the kernel for one of these: 0, 1. */
	__u16 creating, destroying;
	__u32 live;  /* subflows that the socket showed before it */
	__u32 heard; /* generation of the intent that was heard last; 0 = none */
	__u32 ids;   /* address ids of this end that were used so far */
	struct {
		__u16 since, done; /* of the wish in this slot: carried out or given up */
	} wishes[WISHES_MAX];
	/* Local ports: of a subflow that is being moved, and of the one that is to take its place;
	 * 0 = none. */
	__u16 moved, heir;
	/* Subflows that have joined, or are to join, and carry nothing yet. */
	__u16 quiet, zero;
	/* Address ids by which the peer was told of what the slots list; 0 = it was not. */
	__u8 announced[WISHES_MAX];
};

/* The start of a connection that is not to be split. */
#define START_NEVER 0xffffffffffffffffull

/* The thresholds of one connection, where there are rules; written by the daemon alone. */
struct conn_rule {
	__u64 start, step, stop; /* bytes */
	__u64 backlog;           /* bytes that wait to be sent; 0 = they do not matter */
};

/* What the coupled congestion control is called: TCP_CONGESTION. */
#define COUPLED_NAME     "subflow"
#define COUPLED_NAME_MAX 16 /* include/net/tcp.h: TCP_CA_NAME_MAX */

/* Set by the daemon before it loads the programs, and again on change. */
struct hook_config {
	__u64 start, step, stop; /* the elephant rule, bytes */
	__u64 gate;              /* the least start of all rules, bytes */
	__u64 sent_gate;         /* half of it; 0 where it matters what waits */
	__u64 backlog;           /* the elephant rule's; 0 = it does not matter what waits */
	__u64 least_backlog;     /* of all rules, or 0 */
	__u32 has_rules;         /* each connection has its own, in the map of rules */
	__u32 detects;           /* 0 = bytes are not looked at */
	__u32 max_subflows;      /* per connection, for applications */
	__u32 downloads;         /* 0 = bytes received are not looked at */
	__u32 rto_min_us;        /* of a subflow that has siblings; 0 = no repair */
	__u32 calls_per_second;  /* per socket */
	__u64 fallback_mask;     /* bits of mptcp_sock.flags that say "fallen back" */
	__u32 plain_tcp;         /* 0 = TCP connections that are not MPTCP are not looked at */
	__u32 is_full;           /* the daemon can take up no more connections */
	__u32 applications;      /* 0 = what they ask for is refused */
	__u32 calls_per_second_of_user;
	__u32 couples; /* subflows that have siblings get COUPLED_NAME */
	__u32 unsent;  /* bytes that a subflow of an elephant may hold; 0 = as many as it likes */
};

/* A host, as a namespace sees it. */
struct peer_key {
	__u64 netns;
	__u32 addr[4]; /* as in struct wish */
};

/* By which device does this socket of the daemon's namespace send? */
struct egress_query {
	__u16 family;                   /* AF_INET, AF_INET6 */
	__be16 local_port, remote_port; /* network order */
	__u16 zero;                     /* padding */
	__u8 local[16], remote[16];     /* an IPv4 address is the first four bytes */
};

/* Written by the programs, read by the daemon. */
struct hook_counters {
	__u64 lost;     /* intents whose record found the ring full */
	__u64 untold;   /* connections whose RECORD_FOREIGN or RECORD_BOUND did */
	__u64 deferred; /* thresholds that waited a round trip for room in the ring */
	__u64 refused;  /* option calls answered with an error */
	/* Entries ever made in maps that forget the one longest not used where they are full. */
	__u64 users, strangers, peers;
};

#endif
