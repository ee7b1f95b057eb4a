/* SPDX-License-Identifier: MIT */
/* Judgement: what to do about each event. Pure: no system call, no clock. */
#ifndef SUBFLOW_PLAN_H
#define SUBFLOW_PLAN_H

#include "core/actions.h"
#include "core/apart.h"
#include "core/benefit.h"
#include "core/brake.h"
#include "core/conn.h"
#include "core/elephant.h"
#include "core/event.h"
#include "core/lag.h"
#include "core/lasthop.h"
#include "core/news.h"
#include "core/policy.h"
#include "core/quiet.h"
#include "core/refusals.h"
#include "core/revival.h"
#include "core/rules.h"
#include "core/silence.h"
#include "core/steer.h"
#include "core/tape.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan_counters {
	uint64_t thresholds;      /* passed by some connection */
	uint64_t elephants;       /* thresholds that led to a subflow */
	uint64_t backlogs;        /* the same: for what waited to be sent */
	uint64_t foreseen;        /* of their subflows, those that were given beforehand */
	uint64_t single_paths;    /* subflows that an elephant was denied: one path leads there */
	uint64_t requests;        /* subflows that applications asked for */
	uint64_t dropped;         /* accepted of them, to come or to go, and not to be had */
	uint64_t orders;          /* subflows that the operator asked for, or to go */
	uint64_t policies;        /* subflows that the policy asked for */
	uint64_t created;         /* SYNs sent */
	uint64_t established;     /* joins that succeeded */
	uint64_t refused_by_peer; /* joins that the other end reset or left unanswered */
	uint64_t withheld;        /* joins not tried, for what became of earlier ones */
	uint64_t create_failures; /* given up, for an error of the local kernel */
	uint64_t retries;
	uint64_t destroyed;
	uint64_t destroy_failures;
	uint64_t announce_failures; /* listed addresses of which the peer was not told */
	uint64_t withdraw_failures; /* or not that they are no more */
	uint64_t adopted;           /* connections taken up without their beginning */
	uint64_t repairs;           /* subflows replaced: their path was dead, or they were reset */
	uint64_t lost;              /* subflows closed because their local address had gone */
	uint64_t false_alarms;      /* subflows that were heard of before they were replaced */
	uint64_t outages;           /* subflows that fell silent at once with others */
	uint64_t repairs_denied;    /* left to the kernel: the connection had too many */
	uint64_t addresses_refused; /* announced ones that found the connection's table full */
	uint64_t not_served;        /* events of connections that found the table full */
};

struct plan {
	struct conn_table table;
	struct elephant_rule rule;
	struct rules rules;       /* before that one */
	struct policy policy;     /* plan_init() leaves it off */
	bool does_repair;         /* the same */
	struct steer steer;       /* plan_init() leaves ports to the kernel */
	struct refusals refusals; /* plan_init() leaves no destination in peace */
	struct benefits benefits;
	struct aparts aparts;
	struct brakes brakes;
	struct lags lags;
	struct lasthops lasthops;
	struct quiets quiets;
	struct silences silences;
	struct revivals revivals;
	struct refusals in_vain; /* destinations to which one more subflow did not help */
	struct refusals full;    /* those that take so many of a connection; @refusals' rule */
	uint32_t max_subflows;   /* of one connection, for applications */
	uint64_t now_ns;         /* of the last event or tick */
	bool wants_owners;       /* whose each new connection is, is to be found out */
	struct plan_counters counters;
	struct actions actions; /* to be carried out */
	struct action told;     /* what plan_next() returned, if that was a receipt */
	bool is_announced;      /* the next action was told of */
	struct news_queue news; /* to be told */
	struct tape *tape;      /* NULL: nobody records */
};

int plan_init(struct plan *plan, const struct elephant_rule *rule, uint32_t max_subflows,
	uint32_t max_connections);
void plan_done(struct plan *plan);

/* Takes the event in; appends the actions that follow from it. */
void plan_hear(struct plan *plan, const struct event *event);

/* The next action, or NULL when none is left. Valid until the next plan_hear(). */
const struct action *plan_next(struct plan *plan);

/* Tries again what is due; returns when to call next (CLOCK_MONOTONIC), 0 = no need. @now_ns 0:
 * only says so. */
uint64_t plan_tick(struct plan *plan, uint64_t now_ns);

/* Its first data was acknowledged: subflows can be opened. The same, once it is so, does no harm.
 */
void plan_establish(struct plan *plan, struct conn *conn);

/* A connection is gone. */
void plan_forget(struct plan *plan, struct conn *conn);

/* A namespace is gone, with all its connections. */
void plan_forget_netns(struct plan *plan, uint64_t netns);

#endif
