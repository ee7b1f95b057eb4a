/* SPDX-License-Identifier: MIT */
/* What the judgement wants done, in the order in which it is to be done. */
#ifndef SUBFLOW_ACTIONS_H
#define SUBFLOW_ACTIONS_H

#include "core/conn.h"
#include "core/event.h"

#include <stddef.h>

struct actions {
	struct action *list;
	size_t count, next, room;
};

int actions_init(struct actions *actions);
void actions_done(struct actions *actions);

/* One more at the end, about @conn, valid until the next; NULL when memory is short. */
struct action *actions_add(struct actions *actions, enum action_kind kind, const struct conn *conn);

/* The same, about one of its subflows. */
struct action *actions_add_about(struct actions *actions, enum action_kind kind,
	const struct conn *conn, const struct subflow *subflow);

/* The same of a command that carries out a request of the application: see plan_next(). */
struct action *actions_begin(struct actions *actions, enum action_kind kind, struct conn *conn,
	const struct subflow *subflow);

/* The one that actions_next() will return. */
const struct action *actions_peek(const struct actions *actions);

/* The next one, or NULL when none is left. Valid until the next actions_add(). */
const struct action *actions_next(struct actions *actions);

#endif
