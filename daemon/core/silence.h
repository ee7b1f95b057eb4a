/* SPDX-License-Identifier: MIT */
/*
 * Judgement: a join that nobody answers is given up, and another is tried.
 *
 * The kernel sends the SYN of a join again for two minutes, always on the same way, before it says
 * that nothing came of it. Where that way is dead others may live.
 */
#ifndef SUBFLOW_SILENCE_H
#define SUBFLOW_SILENCE_H

#include "core/agenda.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The kernel sends the SYN again after 1 s, and once more 1 or 2 s later: by then either two were
 * lost, or the way there and back takes longer than any that is of use. It is the peer's kernel
 * that answers: how busy its application is does not matter.
 */
#define SILENCE_NS 3000000000ull

/* So many in a row, and it is not the way. Where the last subflow has died, others are tried. */
#define SILENCE_MOST 8

struct conn;
struct plan;
struct subflow;

/* Of one subflow. */
struct silence {
	struct agenda_entry due; /* when it is given up, or has been for long enough */
	struct conn *conn;       /* whose it is; NULL = nobody waits for an answer */
	bool is_sought;          /* the kernel was asked for its port */
	bool is_over;            /* it was given up, or closed: its end is waited for */
};

struct silences {
	struct agenda agenda;
};

void silence_init(struct silences *silences);

/* The SYN of @subflow is on its way. */
void silence_begin(struct plan *plan, struct conn *conn, struct subflow *subflow, uint64_t now_ns);

/* The same of all those of @conn that are found so. */
void silence_resume(struct plan *plan, struct conn *conn);

/* A subflow of @conn was answered. */
void silence_end(struct plan *plan, struct conn *conn, struct subflow *subflow);

/* The kernel would not close @subflow: if it is answered after all, it is one too many. */
void silence_hear_kept(struct subflow *subflow);

/*
 * The kernel has closed @subflow, and does not list it any more. If its word of that is not on its
 * way it was lost: then the subflow is forgotten without.
 */
void silence_expect_end(struct plan *plan, struct conn *conn, struct subflow *subflow);

/* Does what is due. */
void silence_tick(struct plan *plan, uint64_t now_ns);

/* The subflow is about to be forgotten. */
void silence_forget(struct plan *plan, struct subflow *subflow);

#endif
