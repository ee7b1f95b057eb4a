/* SPDX-License-Identifier: MIT */
/* What the tests of where subflows go share: connections between two hosts, and a map of their
 * ways. */
#ifndef TEST_STEERING_H
#define TEST_STEERING_H

#include "core/steer.h"

#include "../unit.h"

#define FIRST_PORT 40000 /* of connections */
#define PORT       50000 /* of candidates */
#define SECOND_NS  1000000000ull
#define HOLD_NS    (7 * SECOND_NS)

struct steering {
	struct steer steer;
	struct conn_table table;
	struct path_map *map;
	uint32_t n_conns;
	uint64_t now_ns;
};

struct endpoint steering_endpoint(uint32_t address, uint16_t port);

/* cmocka fixtures: a known map of two tiers, with nothing in it. */
int steering_begin(void **state);
int steering_end(void **state);

void steering_learn_at(struct steering *play, uint16_t port, unsigned int tier, uint32_t router);

/* The flow from @port passes the one leaf and this spine. */
void steering_learn(struct steering *play, uint16_t port, uint32_t spine);

/* Its first subflow leaves from FIRST_PORT and so many. */
struct conn *steering_open(struct steering *play);

enum steer_answer steering_choose(
	struct steering *play, struct conn *conn, struct steer_choice *choice);
uint16_t steering_choose_port(struct steering *play, struct conn *conn);

/* Opens one more subflow of it where steer says. */
uint16_t steering_place(struct steering *play, struct conn *conn);

#endif
