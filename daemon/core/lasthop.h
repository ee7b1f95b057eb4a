/* SPDX-License-Identifier: MIT */
/*
 * Judgement: whether the last link to its peer is what holds an elephant back. Paths of its own do
 * not help there, and several subflows take from others on that link what one would not: some of
 * them go, for a while.
 */
#ifndef SUBFLOW_LASTHOP_H
#define SUBFLOW_LASTHOP_H

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct event;
struct plan;
struct subflow;

struct lasthop_rule {
	bool is_on;
	uint64_t hold_ns; /* so long they stay away, and twice as long each time */
};

enum lasthop_trial {
	LASTHOP_UNTRIED,
	LASTHOP_TRIED,   /* one has come back */
	LASTHOP_SETTLED, /* and has gone again: none comes back in this hold */
};

/* Of one connection: how long packets wait before the last link, and how long in all. */
struct lasthop {
	bool has_theirs;   /* a subflow was an application's, the operator's or a policy's */
	uint32_t turn;     /* the serial of the subflow asked about last */
	uint32_t awaited;  /* answers */
	uint64_t asked_ns; /* when they were asked for */
	/* Times that it was seen; of these, when packets waited there, and when elsewhere. */
	uint32_t compared, there, elsewhere;
	uint64_t rounds, moved; /* in these, bytes a second, summed up */
	uint32_t verdicts;      /* so far, up to that after which the rest is no longer */
	uint32_t unanswered;    /* in a row */
	uint64_t rest_ns;       /* CLOCK_MONOTONIC: it is not looked at before */
	uint32_t most;          /* subflows that it may have; 0 = as many as it is given */
	uint32_t taken;         /* that it has less for it */
	bool is_doubted;        /* when it was looked at last its packets waited elsewhere */
	enum lasthop_trial trial;
	uint64_t untried;  /* bytes a second, before one came back */
	uint32_t holds;    /* so far */
	uint64_t until_ns; /* when the hold ends */
};

struct lasthop_counters {
	uint64_t asked, answered;
	uint64_t taken;    /* subflows closed for it */
	uint64_t given;    /* of these, asked for again */
	uint64_t withheld; /* not opened for it */
};

struct lasthops {
	struct lasthop_rule rule; /* zero: off */
	struct lasthop_counters counters;
};

/* One came up: whose it is, its connection keeps in mind. */
void lasthop_hear_established(struct conn *conn, const struct subflow *subflow);

/* Its subflows were measured: core/lag. */
void lasthop_hear_round(struct plan *plan, struct conn *conn);

/* The answer to ACTION_REACH. */
void lasthop_hear_reached(struct plan *plan, struct conn *conn, const struct event *event);

/* Until when it need not be measured for this; UINT64_MAX: for ever, as it is now. */
uint64_t lasthop_find_rest_ns(const struct plan *plan, const struct conn *conn);

/* Whether it has fewer subflows for it at that time. */
bool lasthop_is_held(const struct conn *conn, uint64_t now_ns);

/* Whether a subflow of the elephant rule may be opened: 0, or -EHOSTDOWN, and it is said why. */
int lasthop_admit(struct plan *plan, struct conn *conn);

#endif
