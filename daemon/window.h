/* SPDX-License-Identifier: MIT */
/* What is asked at the control socket, and its answer. */
#ifndef SUBFLOW_WINDOW_H
#define SUBFLOW_WINDOW_H

#include "control/peer.h"

#include <stdbool.h>

/* The callback of struct server; @owner is the struct daemon. */
char *window_answer(void *owner, const struct peer *peer, const char *request, bool *ret_stays);

#endif
