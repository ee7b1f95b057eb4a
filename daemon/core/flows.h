/* SPDX-License-Identifier: MIT */
/* Memory: TCP flows that are elephants and cannot be treated, to be shown. */
#ifndef SUBFLOW_FLOWS_H
#define SUBFLOW_FLOWS_H

#include "core/endpoint.h"

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#define FLOWS_MAX 1024

struct flows_key {
	uint64_t netns; /* cookie; 0 = of another host */
	struct endpoint local, remote;
};

struct flow {
	struct flows_key key;
	UT_hash_handle hh;
	uint64_t bytes_sent, bytes_received; /* seen from @local */
	uint64_t noted_ns;                   /* CLOCK_MONOTONIC */
	bool has_uid;
	uint32_t uid; /* of the application */
};

struct flows {
	struct flow *list; /* those that were found first are first */
	uint64_t refused;  /* flows that found the table full */
};

void flows_done(struct flows *flows);

/*
 * Notes what is known of a flow; @seen->key need be set in its fields only. A flow that finds the
 * table full is counted once for each time that it is noted.
 */
void flows_note(struct flows *flows, const struct flow *seen);

/* Whether there is one of this namespace. */
bool flows_has(const struct flows *flows, uint64_t netns);

/* Drops those of @netns that were not noted since @since_ns; UINT64_MAX: all. */
void flows_expire(struct flows *flows, uint64_t netns, uint64_t since_ns);

#endif
