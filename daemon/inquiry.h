/* SPDX-License-Identifier: MIT */
/* What the kernel says of a namespace when it is asked: connections, whose they are, addresses. */
#ifndef SUBFLOW_INQUIRY_H
#define SUBFLOW_INQUIRY_H

#include "core/plan.h"
#include "kernel/addresses.h"
#include "kernel/census.h"
#include "kernel/hooks.h"
#include "kernel/scope.h"
#include "kernel/served.h"

#include <stdbool.h>
#include <stdint.h>

/* All up to @scope are set by the caller. What the plan then wants is the caller's to carry out. */
struct inquiry {
	struct plan *plan;
	struct served *served;
	struct hooks *hooks;
	struct census *census;
	struct scope scope;
	/* The most of one namespace; those that found no room. */
	uint32_t addresses_most;
	uint64_t addresses_refused;
};

/*
 * The device that the connection's subflows from @local are bound to, which a link-local address
 * means nothing without; 0: none.
 */
uint32_t inquiry_find_device(
	struct inquiry *inquiry, const struct conn_key *key, const struct endpoint *local);

/* As diag_is_silent(), in that namespace; -ENONET: it cannot be entered. */
int inquiry_is_silent(struct inquiry *inquiry, uint64_t cookie, const struct endpoint *local,
	const struct endpoint *remote, uint32_t least_ms, bool *ret_is_silent);

/* As diag_is_backup(), the same. */
int inquiry_is_backup(struct inquiry *inquiry, uint64_t cookie, const struct endpoint *local,
	const struct endpoint *remote, bool *ret_is_backup);

/* As diag_measure(), the same. */
int inquiry_measure(struct inquiry *inquiry, const struct conn_key *key,
	const struct endpoint *local, const struct endpoint *remote,
	struct rate_sample *ret_sample);

/* As diag_pace(), the same. */
int inquiry_pace(struct inquiry *inquiry, uint64_t cookie, const struct endpoint *local,
	const struct endpoint *remote, struct rate_sample *ret_sample);

int inquiry_read_addresses(struct inquiry *inquiry, uint64_t cookie, struct addresses *addresses);

/* Takes up what the kernel lists and nobody has told of. */
void inquiry_search(struct inquiry *inquiry, struct served_netns *netns);

/* Whose connection it is, and which rules reach it: EVENT_OWNER. */
void inquiry_find_owner(struct inquiry *inquiry, const struct conn_key *key);

/*
 * What the hooks are to count of connections has changed, or records of some were lost: the census
 * takes those that the hooks miss, and what such a record would have told is heard.
 */
void inquiry_look_at_clients(struct inquiry *inquiry);

/* Whose the connections are that are there, and so which rules hold for them. */
void inquiry_find_owners(struct inquiry *inquiry);

#endif
