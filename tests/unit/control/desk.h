/* SPDX-License-Identifier: MIT */
/* A server with a socket of its own, and real clients that come to it. */
#ifndef TEST_DESK_H
#define TEST_DESK_H

#include "control/server.h"

#include "../unit.h"

#define CLIENTS_MAX 32
#define LONG_BYTES  (4 << 20) /* more than a socket buffer holds */
#define PARTS       100
#define PART_BYTES  20000
#define SOMEBODY    65000 /* and the users after it are no operators */
#define MS          1000000ull

struct desk {
	char folder[64], path[80];
	struct loop loop;
	struct server server;
	char heard[256];
	struct peer heard_from;
	unsigned int heard_users; /* questions of those who are no operators */
	unsigned int stories;     /* answers that go on */
	unsigned int parts;       /* of the last of them */
	bool is_short;            /* of memory */
};

/* A client of the test's, in the server's own loop: it stops the loop at the end of the answer. */
struct caller {
	struct source source;
	struct desk *desk;
	char *answer;
	size_t len;
};

/*
 * cmocka fixtures. What is asked is the answer, but "long" gives LONG_BYTES, "nothing" none,
 * "parts" is followed by PARTS of PART_BYTES, every other one of which is empty, and who says
 * "watch" watches.
 */
int desk_begin(void **state);
int desk_end(void **state);

int desk_dial(const struct desk *desk);

/* As another user, who is no operator. */
int desk_dial_as(const struct desk *desk, uid_t uid);

void desk_call(struct desk *desk, struct caller *caller);
void desk_say(const struct caller *caller, const char *text);

/* Serves until the server has hung up on this caller. */
void desk_serve(struct caller *caller);
void desk_hang_up(struct caller *caller);

/* Serves until everybody who has dialled was let in: the last one asks, and is answered. */
void desk_serve_all(struct desk *desk);

/* Serves until the server counts so many. */
void desk_wait_for(const struct desk *desk, const uint32_t *count, uint32_t value);

/* The server has not hung up on it. */
bool desk_is_kept(int fd);

#endif
