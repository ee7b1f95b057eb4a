/* SPDX-License-Identifier: MIT */
/* Memory: the addresses that a connection's peer has announced (RFC 8684 section 3.4.1). */
#ifndef SUBFLOW_REMOTES_H
#define SUBFLOW_REMOTES_H

#include "core/endpoint.h"

#include <stdbool.h>
#include <stdint.h>

#define REMOTES_MAX 8

struct remote {
	struct endpoint endpoint;
	uint8_t id; /* address id, of the peer's */
};

struct remotes {
	struct remote *list; /* in the order in which they were announced */
	uint32_t count;
};

void remotes_done(struct remotes *remotes);

/* What it announced with the same id before is forgotten. -ENOSPC: REMOTES_MAX; -ENOMEM. */
int remotes_add(struct remotes *remotes, uint8_t id, const struct endpoint *endpoint);

bool remotes_has(const struct remotes *remotes, const struct endpoint *endpoint);

/* False if there is none with this id. */
bool remotes_remove(struct remotes *remotes, uint8_t id, struct endpoint *ret_endpoint);

#endif
