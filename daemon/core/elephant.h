/* SPDX-License-Identifier: MIT */
/* Judgement: the elephant rule. */
#ifndef SUBFLOW_ELEPHANT_H
#define SUBFLOW_ELEPHANT_H

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct event;
struct plan;

struct elephant_rule {
	uint64_t start_bytes;   /* sent: one more subflow */
	uint64_t step_bytes;    /* sent since: one more again */
	uint64_t stop_bytes;    /* sent: no more, ever */
	uint64_t backlog_bytes; /* that wait to be sent: as if start were passed; 0 = never */
	uint32_t max_subflows;  /* in all, the first included */
	bool on_single_path;    /* also where there is one path only, and nothing to win */
};

/*
 * How many more subflows (0 or 1) a connection gets that has @subflows, those
 * being opened included, and has sent @bytes when it passes a threshold.
 * *@ret_why is a constant text, for the operator.
 */
uint32_t elephant_decide(
	const struct elephant_rule *rule, uint64_t bytes, uint32_t subflows, const char **ret_why);

/*
 * How many subflows in all the rule has given a connection by the time at which it has sent
 * @bytes, if each threshold gave one. *@ret_threshold is the last threshold by then; 0 = none.
 */
uint32_t elephant_foresee(
	const struct elephant_rule *rule, uint64_t bytes, uint64_t *ret_threshold);

/*
 * The connection is taken up, and has carried @found_bytes: thresholds up to there have led to the
 * subflows that it has beside the first one, oldest first.
 */
void elephant_resume(struct plan *plan, struct conn *conn);

/* A threshold was passed, or counts as passed for what waits to be sent. */
void elephant_hear(struct plan *plan, struct conn *conn, const struct event *event);

#endif
