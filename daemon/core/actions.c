/* SPDX-License-Identifier: MIT */
/* What the judgement wants done, in the order in which it is to be done. */
#include "actions.h"

#include <errno.h>
#include <stdlib.h>

int actions_init(struct actions *actions)
{
	*actions = (struct actions){.room = 64};
	actions->list = calloc(actions->room, sizeof(*actions->list));
	return actions->list ? 0 : -ENOMEM;
}

void actions_done(struct actions *actions)
{
	free(actions->list);
	*actions = (struct actions){};
}

struct action *actions_add(struct actions *actions, enum action_kind kind, const struct conn *conn)
{
	struct action *list, *action;

	if (actions->count == actions->room) {
		list = reallocarray(actions->list, actions->room * 2, sizeof(*list));
		if (!list)
			return NULL;
		actions->list = list;
		actions->room *= 2;
	}
	action = &actions->list[actions->count++];
	*action = (struct action){.kind = kind, .key = conn->key};
	return action;
}

struct action *actions_add_about(struct actions *actions, enum action_kind kind,
	const struct conn *conn, const struct subflow *subflow)
{
	struct action *action = actions_add(actions, kind, conn);

	if (!action)
		return NULL;
	action->local = subflow->local;
	action->remote = subflow->remote;
	action->id = subflow->id;
	action->serial = subflow->serial;
	return action;
}

struct action *actions_begin(struct actions *actions, enum action_kind kind, struct conn *conn,
	const struct subflow *subflow)
{
	struct action *action = actions_add_about(actions, kind, conn, subflow);

	if (action)
		action->is_announced = true;
	return action;
}

const struct action *actions_peek(const struct actions *actions)
{
	return actions->next == actions->count ? NULL : &actions->list[actions->next];
}

const struct action *actions_next(struct actions *actions)
{
	if (actions->next == actions->count) {
		actions->count = actions->next = 0;
		return NULL;
	}
	return &actions->list[actions->next++];
}
