/* SPDX-License-Identifier: MIT */
/* Judgement: how a subflow is closed. */
#include "closing.h"

void closing_begin(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	if (actions_add_about(&plan->actions, ACTION_DESTROY, conn, subflow))
		subflow->state = SUBFLOW_CLOSING;
}
