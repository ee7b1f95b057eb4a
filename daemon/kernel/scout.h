/* SPDX-License-Identifier: MIT */
/* Path discovery: carries out surveys with probes, beside everything else in the loop. */
#ifndef SUBFLOW_SCOUT_H
#define SUBFLOW_SCOUT_H

#include "base/loop.h"
#include "core/bucket.h"
#include "core/event.h"
#include "core/path_table.h"
#include "core/ports.h"
#include "core/prefixes.h"
#include "core/quota.h"
#include "kernel/served.h"

#include <stdint.h>
#include <sys/queue.h>

#define SCOUT_SURVEYS_MAX 256 /* under way */

struct scout_counters {
	uint64_t probes;    /* sent */
	uint64_t answers;   /* of these, answered by a router */
	uint64_t strangers; /* ICMP messages that answer no probe of ours */
	uint64_t refused;   /* surveys, and askers, that found too many */
	uint64_t deferred;  /* times that probes waited: their user or prefix had had so many */
};

struct scout {
	struct loop *loop;
	struct served *served;
	struct path_table *paths;
	struct prefixes prefixes; /* what may be probed */
	uint32_t probes_per_second;
	struct quota quota; /* of each user */
	struct source timer;
	TAILQ_HEAD(, scout_session) sessions; /* one a namespace and family */
	uint32_t n_surveys;
	uint64_t random;
	struct bucket bucket; /* of all of them */
	struct scout_counters counters;

	void *owner;
	/* The connection may find more in the path table now. */
	void (*heard)(void *owner, const struct conn_key *key);
	/* Whose connection it is; false: that is not known. Asked for where it counts. */
	bool (*find_user)(void *owner, const struct conn_key *key, uint32_t *ret_uid);
	/* The device by which a socket sends, in the namespace that the thread is in; 0: unknown.
	 */
	unsigned int (*find_egress)(
		void *owner, const struct endpoint *local, const struct endpoint *remote);
	/* The device that the connection's subflows from @local are bound to; 0: none. */
	unsigned int (*find_bound)(
		void *owner, const struct conn_key *key, const struct endpoint *local);
	/* The time to live, or hop limit, with which packets of @remote come; 0: not known. */
	uint8_t (*find_ttl)(void *owner, uint64_t netns, const struct endpoint *remote);
};

/*
 * @loop, @served, @paths, @prefixes, @probes_per_second, @quota.per_second, @owner, @heard,
 * @find_user, @find_egress, @find_bound and @find_ttl are set by the caller. *@ret_random is a
 * number for others to draw from, not 0.
 */
int scout_init(struct scout *scout, uint64_t *ret_random);
void scout_done(struct scout *scout);

/*
 * Carries out an ACTION_SURVEY. True: it is over, and its outcome is in the path
 * table; else @heard tells, or nobody does: there are too many under way.
 */
bool scout_survey(struct scout *scout, const struct action *action);

/*
 * Whether a probe of somebody else may be sent there now, for the connection @asker: it is one of
 * those of this second then, of those of its user and of the destination's.
 */
bool scout_spend(struct scout *scout, const struct conn_key *asker, const struct endpoint *local,
	const struct endpoint *remote);

uint64_t scout_draw(struct scout *scout);

/* The ports that the kernel chooses from in a namespace. */
int scout_read_ports(struct scout *scout, uint64_t netns, struct ports *ret_ports);

/* A namespace is gone, or has no name any more: its surveys are given up. */
void scout_forget(struct scout *scout, uint64_t netns);

#endif
