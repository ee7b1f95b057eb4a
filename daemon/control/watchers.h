/* SPDX-License-Identifier: MIT */
/* Those who watch are told what happens. */
#ifndef SUBFLOW_WATCHERS_H
#define SUBFLOW_WATCHERS_H

#include "control/server.h"
#include "core/plan.h"
#include "kernel/served.h"

#include <stdint.h>

/* The first line for one; on the heap, NULL when memory is short. */
char *watchers_greet(void);

/* What the plan has noted; and it learns what they want to be told from now on. */
void watchers_tell_news(struct server *server, struct plan *plan, struct served *served);

/* @event: what became of the namespace. */
void watchers_tell_netns(
	struct server *server, const char *event, const struct served_netns *netns);

/* The callback of struct server. */
char *watchers_tell_lost(void *owner, uint64_t count);

#endif
