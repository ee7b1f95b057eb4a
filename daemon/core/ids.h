/* SPDX-License-Identifier: MIT */
/*
 * Memory: the address ids of a connection's local ends. The kernel and the peer know each local
 * address (and port, where it is chosen) by 8 bits, which are never reused within a connection.
 */
#ifndef SUBFLOW_IDS_H
#define SUBFLOW_IDS_H

#include "core/endpoint.h"

#include <stdint.h>

struct ids {
	struct endpoint *locals; /* the index is the id; 0 is that of the first subflow */
	uint32_t count;
};

void ids_done(struct ids *ids);

/*
 * The id of @local, whose port is 0 if the kernel chooses it. The first one asked for gets 0.
 * -ENOSPC: all 256 are taken. -ENOMEM.
 */
int ids_get(struct ids *ids, const struct endpoint *local, uint8_t *ret_id);

/* The peer was told that it is gone: its address gets another one, should it come back. */
void ids_forget(struct ids *ids, uint8_t id);

/* The id of @local, if it has one. -ENOENT. */
int ids_find(const struct ids *ids, const struct endpoint *local, uint8_t *ret_id);

/* @local is known to kernel and peer by @id already. 0, -ENOMEM. */
int ids_note(struct ids *ids, const struct endpoint *local, uint8_t id);

#endif
