/* SPDX-License-Identifier: MIT */
/* Judgement: from which source port a subflow is opened, so that it takes a way of its own. */
#ifndef SUBFLOW_STEER_H
#define SUBFLOW_STEER_H

#include "core/conn.h"
#include "core/path_table.h"
#include "core/ports.h"

#include <stdbool.h>
#include <stdint.h>

enum steer_mode {
	STEER_KERNEL, /* the kernel chooses ports */
	STEER_RANDOM, /* any free port, by lot */
	STEER_PATHS,
};

struct steer_counters {
	uint64_t placed;  /* on a way that no other subflow of the connection takes */
	uint64_t shared;  /* on the best one, because there are no more */
	uint64_t blind;   /* ports chosen by the kernel, because nothing is known */
	uint64_t surveys; /* begun */
};

/* From which the ports of a namespace are drawn by lot. */
struct steer_ports {
	uint64_t netns;
	UT_hash_handle hh;
	bool is_changed;  /* since the tape has noted them */
	uint64_t read_ns; /* CLOCK_MONOTONIC */
	struct ports ports;
};

struct steer {
	enum steer_mode mode;
	uint64_t hold_ns; /* a way that has failed is shunned for so long */
	struct steer_ports *ports;
	uint64_t random; /* not 0 */
	struct path_table paths;
	struct steer_counters counters;
};

enum steer_answer {
	STEER_GO,   /* open it so */
	STEER_ASK,  /* have the ways to the destination looked at, and ask again with what is new */
	STEER_MORE, /* the same, and more ports than are known now */
	STEER_ALL,  /* the same, until it is certain that there are no more ways */
};

/* Whether a subflow takes a way of its own. */
enum steer_company {
	STEER_ALONE,   /* or nothing can be found out */
	STEER_CROWDED, /* others of this host take it too, and none that is free is known */
	STEER_BETTER,  /* the same, and one is free */
	STEER_UNSURE,  /* a survey would tell */
};

struct steer_choice {
	uint16_t port; /* 0 = the kernel's choice */
	struct path path;
	bool is_shared; /* with other subflows of the connection */
	bool is_blind;  /* nothing is known */
};

void steer_init(struct steer *steer);
void steer_done(struct steer *steer);

/* The ports of a namespace, for STEER_RANDOM; -ENOMEM. */
int steer_set_ports(
	struct steer *steer, uint64_t netns, const struct ports *ports, uint64_t now_ns);

/* The namespace is gone, and all its connections. */
void steer_forget(struct steer *steer, uint64_t netns);

/*
 * For the next subflow of @conn from @local to @remote (without their ports). With
 * @is_late it does not wait any more.
 */
enum steer_answer steer_choose(struct steer *steer, struct conn *conn, const struct endpoint *local,
	const struct endpoint *remote, bool is_late, uint64_t now_ns,
	struct steer_choice *ret_choice);

/* Whether it is known that there is but one way to @remote. */
bool steer_has_single_path(struct steer *steer, const struct conn *conn,
	const struct endpoint *local, const struct endpoint *remote);

/* The subflow is opened as @choice says; its ends are set. */
void steer_take(struct steer *steer, struct conn *conn, struct subflow *subflow,
	const struct steer_choice *choice);

/*
 * The same of one whose port was given: its way counts if it is known. True: it is not, and is
 * sought now; a survey would tell.
 */
bool steer_seek(struct steer *steer, struct conn *conn, struct subflow *subflow, uint64_t now_ns);

/*
 * Whether @subflow, which is established, takes its way alone. STEER_BETTER: *@ret_choice is on a
 * way that no other split connection of this host takes, and that fits its own siblings as well.
 * With @is_late what is known by now decides.
 */
enum steer_company steer_find_better(struct steer *steer, struct conn *conn,
	struct subflow *subflow, bool is_late, uint64_t now_ns, struct steer_choice *ret_choice);

/*
 * Somebody else's elephant is on the way of @subflow: for a while others are preferred. The answers
 * are those of steer_find_better(); STEER_ALONE: it is one of ours.
 */
enum steer_company steer_contend(struct steer *steer, struct conn *conn, struct subflow *subflow,
	uint64_t now_ns, struct steer_choice *ret_choice);

/*
 * Routes may have changed since its way was learned: a survey is to ask it again. False: it is not
 * known, or nothing can be found out.
 */
bool steer_doubt(struct steer *steer, const struct conn *conn, const struct subflow *subflow);

/* Whether what is known of the way of one of its subflows is too old. */
bool steer_is_old(struct steer *steer, const struct conn *conn, uint64_t now_ns);

/* Another is to take its place: it does not count any more; or it does again. */
void steer_leave(struct subflow *subflow);
void steer_stay(struct steer *steer, const struct conn *conn, struct subflow *subflow);

/* The subflow is gone, and has left its port. */
void steer_release(
	struct steer *steer, const struct conn *conn, struct subflow *subflow, uint64_t now_ns);

/* There will be none from its port, which is somebody else's. */
void steer_refuse(struct steer *steer, const struct conn *conn, const struct subflow *subflow,
	uint64_t now_ns);

/*
 * Its path is silent: for a while others are preferred. Which of its routers is to blame is not
 * known: it may be any but those that its siblings pass, which live.
 */
void steer_shun(struct steer *steer, const struct conn *conn, const struct subflow *subflow,
	uint64_t now_ns);

/* When one of the ways to where @subflow goes that are shunned may be taken again; 0 = none is. */
uint64_t steer_return_ns(struct steer *steer, const struct conn *conn,
	const struct subflow *subflow, uint64_t now_ns);

/*
 * More is known. What was thought of the ways of its subflows, before it turned out that nobody can
 * tell, is forgotten; the ways of those whose ports were given count from now on.
 */
void steer_review(struct steer *steer, struct conn *conn);

/* Why ports to this destination are chosen blindly; "" while they are not. */
const char *steer_why(struct steer *steer, const struct conn *conn, const struct subflow *subflow);

#endif
