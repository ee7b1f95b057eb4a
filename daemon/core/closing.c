/* SPDX-License-Identifier: MIT */
/* Judgement: how a subflow is closed. */
#include "closing.h"

void closing_begin(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	struct action *action = actions_add(&plan->actions, ACTION_DESTROY, conn);

	if (!action)
		return;
	subflow->state = SUBFLOW_CLOSING;
	action->local = subflow->local;
	action->remote = subflow->remote;
	action->id = subflow->id;
	action->serial = subflow->serial;
}
