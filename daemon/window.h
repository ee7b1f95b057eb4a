/* SPDX-License-Identifier: MIT */
/* What is asked at the control socket, and its answer. */
#ifndef SUBFLOW_WINDOW_H
#define SUBFLOW_WINDOW_H

#include "control/peer.h"
#include "control/server.h"

#include <stdbool.h>

/* The callbacks of struct server; @owner is the struct daemon. */
struct server_answer window_answer(void *owner, const struct peer *peer, const char *request);
char *window_go_on(void *rest, bool *ret_is_last);
void window_give_up(void *rest);

#endif
