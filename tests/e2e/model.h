/* SPDX-License-Identifier: MIT */
/*
 * What a socket must answer to calls of the options, and the subflows that it must have once all
 * is quiet: those that were accepted, where it gets lists from the addresses that were accepted.
 */
#ifndef MODEL_H
#define MODEL_H

#include "call.h"

#include <pthread.h>
#include <stdatomic.h>

struct subject {
	int fd;
	enum kind kind;
	const struct subject *peer; /* KIND_ACCEPTED */
	bool is_late;               /* connected after the storm */
	/* Shared by calls whose order makes no difference to the model; not used where there is
	 * none. */
	pthread_rwlock_t order;
	int total, ndiffports; /* as NDIFFPORTS was set last; without, 1 and 0 */
	uint64_t expected;     /* as EXPECTED and INTENT were */
	int intent;
	atomic_int adds, removes; /* since NDIFFPORTS */
	/* KIND_NUMBERS: of calls that are under way, which may count already, or not yet. */
	atomic_int adding, removing;
	atomic_int from[N_OWN]; /* KIND_LISTS: wanted subflows from each address */
};

void model_init(struct subject *subject, enum kind kind, int fd);

/* Around a call and model_hear() of it. */
void model_lock(struct subject *subject, const struct call *call);
void model_unlock(struct subject *subject, const struct call *call);

/*
 * REMOVE of addresses: the model has it only where all before it has come about, and nothing else
 * is asked of the socket until it has.
 */
bool model_needs_quiet(const struct subject *subject, const struct call *call);

/*
 * One of our options was answered: @error is an errno or 0, @len what getsockopt() made of it. No
 * more than @max_subflows may be asked for.
 */
void model_hear(struct subject *subject, const struct call *call, int max_subflows, int error,
	socklen_t len);

/* Whether the socket has the subflows that were accepted; an accepted one: those of its peer. */
bool model_is_met(struct subject *subject);

/* It has to be, now, and with no more than @max_subflows; @number is for the message. */
void model_judge(struct subject *subject, int number, int max_subflows);

/* How often something was not as it must be; the first ones are on stderr. */
unsigned long model_violations(void);

/* What came of all calls: members of a JSON object. */
void model_print(void);

#endif
