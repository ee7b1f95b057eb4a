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
#define RECORD_VERSION 2

enum record_kind {
	RECORD_THRESHOLD = 1, /* the connection has sent or received more than a threshold */
	RECORD_INTENT = 2,    /* the application's requests, as they stand now */
	RECORD_FOREIGN = 3,   /* the in-kernel path manager owns the connection */
	RECORD_TIMEOUT = 4,   /* a subflow is silent while its siblings progress */
	RECORD_BOUND = 5,     /* the application chose the local address, or the device */
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
	__u64 window_ns;  /* when that window began, CLOCK_MONOTONIC */
};

/* One record of the ring, and one entry of the walk over all intents. */
struct record {
	__u16 version;
	__u16 kind;
	__u32 token;
	__u64 netns;     /* cookie of the network namespace */
	__u64 time_ns;   /* CLOCK_MONOTONIC */
	__u64 bytes;     /* RECORD_THRESHOLD: sent, or received, when it was noticed */
	__u64 threshold; /* RECORD_THRESHOLD: the one that was passed, bytes */
	__u32 generation, adds, removes; /* RECORD_INTENT: see struct intent */
	__u32 msk_flags;                 /* the walk only: mptcp_sock.flags, for calibration */
	/* RECORD_TIMEOUT: the subflow. Addresses are in network byte order, IPv4 in the first word.
	 */
	__u16 family, local_port, remote_port, zero;
	__u32 local[4], remote[4];
};

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
	/* Commands being given to the kernel for these: whether the socket shows it is not known.
	 */
	__u32 creating;
	__u32 destroying;
};

/* Set by the daemon before it loads the programs, and again on change. */
struct hook_config {
	__u64 start, step, stop; /* the elephant rule, bytes */
	__u32 detects;           /* 0 = bytes are not looked at */
	__u32 max_subflows;      /* per connection, for applications */
	__u32 downloads;         /* 0 = bytes received are not looked at */
	__u32 rto_min_us;        /* of a subflow that has siblings; 0 = no repair */
	__u32 calls_per_second;  /* per socket */
	__u64 fallback_mask;     /* bits of mptcp_sock.flags that say "fallen back" */
};

/* Written by the programs, read by the daemon. */
struct hook_counters {
	__u64 lost;     /* intents whose record found the ring full */
	__u64 deferred; /* thresholds that waited a round trip for room in the ring */
	__u64 refused;  /* option calls answered with an error */
};

#endif
