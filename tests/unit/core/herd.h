/* SPDX-License-Identifier: MIT */
/* Elephants of one host that may come to share a way. */
#ifndef TEST_HERD_H
#define TEST_HERD_H

#include "play.h"

#define MS       1000000ull
#define HOLD_MS  60000
#define DELAY_MS 100
#define PROOF_MS 100

#define OTHER  41000 /* the first port of a second connection */
#define PLACED 50000 /* ports that lead to the ways 0, 1, ... */

/* cmocka fixture: elephants have two subflows, and are moved apart. */
int herd_begin(void **state);

/* So many ways are known, and the first ports of both connections take the first of them. */
struct path_map *herd_know(struct play *play, uint16_t ways);

/* Of the connection whose first subflow leaves from port @first. */
struct conn_key herd_key(const struct play *play, uint16_t first);
void herd_hear(struct play *play, uint16_t first, enum event_kind kind, uint16_t port);

/* It comes up. */
struct conn *herd_open(struct play *play, uint16_t first);

/* It passes start, and what it is given for that comes up. */
void herd_grow(struct play *play, uint16_t first);

/* The time passes as far as the plan wants, at most so long. */
void herd_pass(struct play *play, uint64_t ms);

/* Subflows of this host on a way. */
uint32_t herd_load(struct path_map *map, uint16_t way);

#endif
