/* SPDX-License-Identifier: MIT */
/* Memory: the local addresses that an application has listed for a connection, or taken away. */
#ifndef SUBFLOW_LISTED_H
#define SUBFLOW_LISTED_H

#include "core/endpoint.h"
#include "record.h"

#include <stdbool.h>
#include <stdint.h>

struct listed_address {
	struct endpoint endpoint; /* port 0 = any; family 0: the slot is free */
	uint16_t since, adds;     /* as in struct wish */
	uint16_t done;            /* of adds: carried out or given up */
	uint16_t wanted;          /* of adds: to be opened still */
	uint16_t owed;            /* of done: have died, and may not be replaced yet */
	bool is_leaving;          /* its subflows are being taken away */
	bool is_marked;           /* those that were there: what is opened since then stays */
	bool is_announced;        /* to the peer */
	bool is_tried;            /* in place of the last subflow, which is to go */
};

struct listed {
	struct listed_address list[WISHES_MAX];
	struct endpoint removed[WISHES_MAX]; /* nothing leaves from these; without ports */
	bool is_restricted;                  /* nothing leaves from elsewhere */
	bool owes_first; /* one of what was asked for is the first subflow, not known yet */
	/*
	 * What is doomed goes when another subflow is there. Of core/lists alone; after each
	 * opening_run() one is on its way, or another run is due.
	 */
	bool is_replacing;
	/* Address ids that the peer is to forget, a bit each: with what is doomed. */
	uint8_t withdrawn[(UINT8_MAX + 1) / 8];
	bool has_withdrawn;
};

/* Whether a subflow may leave from this address, whatever the port. @listed NULL: from any. */
bool listed_allows(const struct listed *listed, const struct endpoint *local);

/* Subflows that are to be opened still. */
uint32_t listed_count_wanted(const struct listed *listed);

/* Subflows that have died and are to be replaced later. */
uint32_t listed_count_owed(const struct listed *listed);

/* Whether one of these is the first subflow, not known yet. */
bool listed_owes_first(const struct listed *listed);

/* Whether a subflow from @local is one of those that @address means. */
bool listed_means(const struct listed_address *address, const struct endpoint *local);

/* The address was taken away, or was added again. */
void listed_remove(struct listed *listed, const struct endpoint *local);
void listed_restore(struct listed *listed, const struct endpoint *local);

/* The slot that @since belongs to, if that still is what it was. NULL: it is not. */
struct listed_address *listed_find(struct listed *listed, int slot, uint16_t since);

#endif
