/* SPDX-License-Identifier: MIT */
/* Judgement: the subflows that every connection gets from its start. */
#include "policy.h"

#include "core/opening.h"

#include <string.h>

static void start_mesh(
	struct plan *plan, struct conn *conn, const struct endpoint *locals, uint32_t n_locals)
{
	struct endpoint local = endpoint_unmap(&conn->local),
			remote = endpoint_unmap(&conn->remote);
	const struct subflow *subflow;

	if (conn->mesh)
		return;
	conn->mesh = mesh_new(locals, n_locals);
	if (!conn->mesh || mesh_note(conn->mesh, &local, &remote)) {
		mesh_free(conn->mesh);
		conn->mesh = NULL;
		return;
	}
	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		local = endpoint_unmap(&subflow->local);
		remote = endpoint_unmap(&subflow->remote);
		local.port = 0;
		mesh_note(conn->mesh, &local, &remote);
	}
	opening_run(plan, conn, 0);
}

void policy_start(struct plan *plan, struct conn *conn)
{
	uint32_t subflows = conn_count_all(conn), more;
	struct endpoint local;

	if (conn->is_server || conn->is_foreign || rules_is_never(plan, conn))
		return;
	if (plan->policy.ndiffports > subflows) {
		more = plan->policy.ndiffports - subflows;
		plan->counters.policies += more;
		conn->wanted_policy += more;
		conn_say(conn, "ndiffports = %u: %u in all", plan->policy.ndiffports,
			conn_count_all(conn));
		opening_run(plan, conn, 0);
	}
	if (!plan->policy.fullmesh)
		return;
	if (conn_is_confined(conn)) {
		local = endpoint_unmap(&conn->local);
		start_mesh(plan, conn, &local, 1);
	} else {
		actions_add(&plan->actions, ACTION_LOCALS, conn);
	}
}

void policy_hear_locals(struct plan *plan, struct conn *conn, const struct event *event)
{
	if (event->error)
		conn_say(conn, "no full mesh: the local addresses cannot be read: %s",
			strerror(event->error));
	else
		start_mesh(plan, conn, event->locals, event->n_locals);
}
