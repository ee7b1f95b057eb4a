/* SPDX-License-Identifier: MIT */
/* What the daemon shows of the path maps, as JSON; docs/control.md lists the keys. */
#ifndef SUBFLOW_PATHS_H
#define SUBFLOW_PATHS_H

#include "control/peer.h"
#include "core/plan.h"
#include "kernel/served.h"

/* The answer, on the heap; NULL when memory is short. Who is no operator is shown none. */
char *paths_write(const struct peer *peer, struct plan *plan, struct served *served);

#endif
