/* SPDX-License-Identifier: MIT */
/* Judgement: how a subflow is closed. */
#include "closing.h"

void closing_begin(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	struct action *action =
		subflow->is_lost ? actions_add_about(&plan->actions, ACTION_DESTROY, conn, subflow)
				 : actions_begin(&plan->actions, ACTION_DESTROY, conn, subflow);

	if (action)
		subflow->state = SUBFLOW_CLOSING;
}
