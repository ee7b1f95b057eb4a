/* SPDX-License-Identifier: MIT */
/* Judgement: how fast a connection moves bytes, and whether it has become faster. Pure. */
#ifndef SUBFLOW_RATE_H
#define SUBFLOW_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* What a connection has moved, and one of its subflows tells of itself. */
struct rate_sample {
	uint64_t now_ns; /* CLOCK_MONOTONIC; 0 = it could not be had */
	uint64_t bytes_acked, bytes_received;
	uint64_t queued;   /* bytes that the application has given and the peer not acknowledged */
	uint64_t busy_us;  /* that the subflow had something under way */
	uint32_t srtt_us;  /* of the subflow */
	uint32_t least_us; /* its shortest round trip in five minutes */
	/* Of the subflow alone: what the other end has acknowledged; how long it had to wait
	 * because its peer took no more, in busy_us; what is given to it and not sent yet, bytes.
	 */
	uint64_t own_acked, held_us;
	uint32_t unsent;
};

/* Between two samples. */
struct rate {
	uint64_t bytes_per_s;
	uint64_t bytes;
	bool is_known, is_received;
	bool is_busy;     /* its sender always had something to send, as far as this end can tell */
	bool is_supplied; /* and more than was sent: no slow application was the limit */
};

enum rate_verdict {
	RATE_UNKNOWN, /* there is no evidence */
	RATE_RISES,
	RATE_STAYS,
};

/* What keeps a subflow from carrying more. */
enum rate_limit {
	RATE_LIMIT_PATH,   /* more is there than its congestion control lets go */
	RATE_LIMIT_SENDER, /* all that is there is sent: the application, or the CPU that sends */
	RATE_LIMIT_PEER,   /* the peer's window: its application, or its CPU */
};

/* What was moved between two samples. */
struct rate rate_between(const struct rate_sample *from, const struct rate_sample *to);

/*
 * Whether @with is more than @before by @margin_percent. *@ret_why, where there is no evidence: a
 * constant text, for the operator.
 */
enum rate_verdict rate_compare(const struct rate *before, const struct rate *with,
	uint32_t margin_percent, const char **ret_why);

/* What the subflow carried between two samples while it had something under way, bytes a second. */
uint64_t rate_while_busy(const struct rate_sample *from, const struct rate_sample *to);

/* What kept the subflow from carrying more, as far as this end can tell. */
enum rate_limit rate_find_limit(const struct rate_sample *from, const struct rate_sample *to);

#endif
