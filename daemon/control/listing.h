/* SPDX-License-Identifier: MIT */
/* An answer about all connections, part by part: the loop does other things in between. */
#ifndef SUBFLOW_LISTING_H
#define SUBFLOW_LISTING_H

#include "control/status.h"
#include "kernel/diag.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct listing {
	LIST_ENTRY(listing) entry;
	struct status_view view; /* whose peer is the one below */
	struct peer peer;
	uint64_t *cookies; /* of the namespaces there were when it began */
	size_t n_cookies, at;
	struct diag_walk walk; /* of the namespace that it is at */
	uint64_t count;        /* of its connections, so far */
	bool has_entered;
	struct json_object *namespaces; /* those that it is through with */
	bool has_begun, has_shown;      /* the answer; a connection */
};

LIST_HEAD(listings, listing);

/*
 * To be ended by the caller, who keeps what @view points to until then, but for its peer. It is one
 * of
 * @listings. NULL when memory is short.
 */
struct listing *listing_begin(struct listings *listings, const struct status_view *view);

/*
 * The next part of the answer, on the heap; NULL when memory is short. Connections that come or go
 * meanwhile may be missing. Not to be called again after *@ret_is_last.
 */
char *listing_next(struct listing *listing, bool *ret_is_last);

void listing_end(struct listing *listing);

/* The namespace has lost its name, or ended: no listing keeps it alive. */
void listings_forget(struct listings *listings, uint64_t cookie);

#endif
