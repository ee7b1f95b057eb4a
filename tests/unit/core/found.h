/* SPDX-License-Identifier: MIT */
/* What the kernel lists of the connection, as it is found at an adoption. */
#ifndef TEST_FOUND_H
#define TEST_FOUND_H

#include "play.h"

void found_conn(struct play *play);

/* Of its subflows, from one port: established, or not answered yet. */
void found_subflow(struct play *play, uint16_t port, uint8_t id, bool is_server);
void found_opening(struct play *play, uint16_t port);

/* That was all, of the connection's namespace. */
void found_end(struct play *play);

#endif
