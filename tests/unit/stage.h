/* SPDX-License-Identifier: MIT */
/*
 * The daemon's parts with a kernel that is played: one namespace, what it lists, and hooks and
 * commands that note what they are told.
 */
#ifndef TEST_STAGE_H
#define TEST_STAGE_H

#include "parts.h"

#include "kernel/diag.h"
#include "unit.h"

#define STAGE_COOKIE 4711
#define STAGE_TOKEN  7

struct stage {
	struct daemon daemon;
	struct served_netns netns; /* home, as long as the test leaves it so */
	/* What the kernel says. */
	struct diag_conn conns[4];
	size_t n_conns;
	struct diag_subflow subflows[4];
	size_t n_subflows;
	struct client_record client; /* that the walk finds; no token: none */
	int visit_error;
	int dump_error, find_error, enter_error, silence_error, create_error, announce_error,
		withdraw_error, rule_error;
	bool is_silent;
	uint64_t cookie;      /* of the namespace that a socket is opened in */
	struct conn_key kept; /* of a receipt that an earlier daemon has left; no token: none */
	bool has_earlier_receipt;
	struct receipt earlier;
	struct event record; /* the one that is in the ring; its kind is EVENT_NONE: none is */
	/* What it was asked and told. */
	unsigned int listings; /* under way, of connections */
	unsigned int enters, opened, closed, creates, destroys, announcements, withdrawals, claims,
		configs, fulls, receipts, forgotten, serves, unserves, looks, looks_again, rescans,
		walks, visits;
	uint32_t device; /* of the last CREATE */
	struct hook_config config;
};

extern struct stage stage;

/* cmocka fixtures: the defaults, and the namespace "own", which is served. */
int stage_begin(void **state);
int stage_end(void **state);

/* The client's connection STAGE_TOKEN is up, of which the daemon was told. */
void stage_connect(void);
struct conn *stage_conn(void);

/* The kernel lists a connection with its first subflow. */
void stage_list(uint32_t token, uint32_t uid);

struct endpoint stage_local(void);
struct endpoint stage_remote(void);

#endif
