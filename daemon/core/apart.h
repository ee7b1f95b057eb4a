/* SPDX-License-Identifier: MIT */
/*
 * Judgement: subflows of elephants that share a way while another one is free are moved there: one
 * is opened on the better way, and when it has proved itself the old one is closed. So are those of
 * any connection that have come to share one because another had failed.
 */
#ifndef SUBFLOW_APART_H
#define SUBFLOW_APART_H

#include "core/agenda.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct conn;
struct plan;
struct subflow;

struct apart_rule {
	uint32_t moves;    /* of one connection, in hold_ns; 0 = nothing is moved */
	uint64_t hold_ns;  /* after the last of these */
	uint64_t delay_ns; /* it is looked at up to so long after the cause, by lot */
};

/* Of one connection. One of its subflows is moved at a time. */
struct apart {
	struct agenda_entry due;   /* when it is looked at, or a move ends */
	bool is_distant;           /* that is when a path that has failed may be taken again */
	TAILQ_ENTRY(conn) waiting; /* in aparts.waiting while is_waiting */
	bool is_waiting;           /* it shares a way, and none better is known */
	bool is_displaced;         /* it has come to share one while another was avoided */
	uint64_t asked_ns;         /* when the paths were last asked for */
	/* When one of its subflows' paths last failed, and when these were last asked again; 0 =
	 * never. How often they were, since one has failed. */
	uint64_t failed_ns, doubted_ns;
	uint32_t doubts;
	bool is_slow;      /* a subflow has lagged since, and nothing that is known explains it */
	uint64_t moved_ns; /* when the last move began */
	uint32_t spent;    /* moves since the last hold */
	uint32_t rests;    /* holds that somebody else's elephants have led to */
	uint32_t moved;    /* ever */
};

struct apart_counters {
	uint64_t moved;
	uint64_t failed; /* the subflow on the better way did not come up */
	uint64_t held;   /* looks that found moves spent */
	uint64_t slow;   /* subflows that lagged behind their siblings */
	uint64_t stuck;  /* of these, those for which no free way was known */
};

struct aparts {
	struct apart_rule rule; /* apart_init() leaves it off */
	struct agenda agenda;
	TAILQ_HEAD(, conn) waiting;
	struct apart_counters counters;
};

/* How long a connection rests that has had its moves. */
uint64_t apart_hold_ns(const struct aparts *aparts, const struct apart *apart);

void apart_init(struct aparts *aparts);

/* Something has changed of the ways that it takes, or may take: they are looked at soon. */
void apart_expect(struct plan *plan, struct conn *conn);

/*
 * @subflow shares its way with another of its connection: where one is avoided meanwhile, since it
 * has failed, they are looked at like those of an elephant, whoever asked for them.
 */
void apart_hear_shared(struct plan *plan, struct conn *conn, const struct subflow *subflow);

/* It has become an elephant: those that go where it goes may share its ways. */
void apart_hear_elephant(struct plan *plan, struct conn *conn);

/*
 * @subflow lags behind its siblings, whose rates have this median, bytes/s: it is moved. -ENOENT:
 * no free way is known; -EBUSY: not now.
 */
int apart_leave(struct plan *plan, struct conn *conn, struct subflow *subflow, uint64_t median);

/*
 * The path of one of its subflows has failed: routes will change for it. Those of the others are
 * asked again when it may be taken again.
 */
void apart_hear_failed(struct plan *plan, struct conn *conn);

/* It moves, and may have done so for long: what is known of its paths may be too old. */
void apart_hear_busy(struct plan *plan, struct conn *conn);

/* A way has become free, or is known now: some of those that wait are looked at. */
void apart_hear_free(struct plan *plan);

void apart_hear_established(struct plan *plan, struct conn *conn, const struct subflow *subflow);

/*
 * The connection is taken up: what an earlier daemon was moving when it died is moved to its end,
 * or stays where it is.
 */
void apart_resume(struct plan *plan, struct conn *conn);

/* @subflow is about to be taken out. */
void apart_hear_gone(struct plan *plan, struct conn *conn, struct subflow *subflow);

/* The kernel would not close it. */
void apart_hear_kept(struct plan *plan, struct conn *conn, struct subflow *subflow);

/*
 * @subflow has died. True: nothing is to be opened in its place. What was under way to replace it
 * takes it from now on.
 */
bool apart_inherit(struct conn *conn, const struct subflow *subflow);

/* Does what is due. */
void apart_tick(struct plan *plan, uint64_t now_ns);

/* The connection is about to be forgotten. */
void apart_forget(struct plan *plan, struct conn *conn);

#endif
