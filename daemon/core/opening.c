/* SPDX-License-Identifier: MIT */
/* Judgement: which subflows are opened now, and between which ends. */
#include "opening.h"

#include <errno.h>

static void give_up_wanted(struct plan *plan, struct conn *conn)
{
	actions_settle(&plan->actions, conn, conn->wanted_application, 0);
	for (; conn->wanted_elephant; conn->wanted_elephant--)
		conn_drop_passed(conn);
	conn->wanted_application = conn->wanted_policy = 0;
}

/* Where the next subflow goes that nobody gave addresses for; false: nowhere yet. */
static bool choose_ends(
	const struct conn *conn, struct endpoint *ret_local, struct endpoint *ret_remote)
{
	struct endpoint local = conn->local, remote = conn->remote;
	uint32_t i;

	if (conn->denies_join) {
		local = endpoint_unmap(&local);
		for (i = 0; i < conn->remotes.count; i++) {
			remote = conn->remotes.list[i].endpoint;
			if (remote.family == local.family)
				break;
		}
		if (i == conn->remotes.count)
			return false;
	}
	local.port = 0;
	*ret_local = local;
	*ret_remote = remote;
	return true;
}

static int open_subflow(struct plan *plan, struct conn *conn, enum subflow_asker asker,
	const struct endpoint *local, const struct endpoint *remote, uint64_t cause_ns)
{
	struct action *action;
	struct subflow *subflow;
	uint8_t id;
	int err;

	/* With those that are on their way out; when one is gone it is tried again. */
	if (conn->n_subflows >= SUBFLOWS_HARD_MAX)
		return -EDQUOT;
	err = ids_get(&conn->ids, local, &id);
	if (err)
		return err;
	subflow = conn_add_subflow(conn);
	if (!subflow)
		return -ENOMEM;
	subflow->asker = asker;
	subflow->state = SUBFLOW_OPENING;
	subflow->local = *local;
	subflow->remote = *remote;
	subflow->id = id;
	action = asker == ASKER_APPLICATION
			 ? actions_begin(&plan->actions, ACTION_CREATE, conn, subflow,
				   &conn->receipt.creating)
			 : actions_add_about(&plan->actions, ACTION_CREATE, conn, subflow);
	if (!action) {
		conn_remove_subflow(conn, subflow);
		return -ENOMEM;
	}
	action->cause_ns = cause_ns;
	return 0;
}

static void mesh_with(struct plan *plan, struct conn *conn, const struct endpoint *remote)
{
	struct endpoint local;

	while (conn_count_all(conn) < plan->max_subflows && mesh_take(conn->mesh, remote, &local)) {
		if (open_subflow(plan, conn, ASKER_MESH, &local, remote, 0)) {
			mesh_give_back(conn->mesh, &local, remote);
			return;
		}
		plan->counters.policies++;
		conn_say(conn, "fullmesh: %u in all", conn_count_all(conn));
	}
}

void opening_run(struct plan *plan, struct conn *conn, uint64_t cause_ns)
{
	struct endpoint local, remote;
	enum subflow_asker asker;

	if (!conn->is_established || conn->retry_ns)
		return;
	if (conn->is_server || conn->is_foreign)
		give_up_wanted(plan, conn);
	while (conn_count_wanted(conn)) {
		if (!choose_ends(conn, &local, &remote)) {
			conn_say(conn, "waiting for another address of the peer, which allows no "
				       "subflow to its first one (RFC 8684 3.1, C flag)");
			break;
		}
		asker = conn_take_wanted(conn);
		if (open_subflow(plan, conn, asker, &local, &remote, cause_ns)) {
			conn_want_again(conn, asker);
			return;
		}
	}
	if (!conn->mesh)
		return;
	remote = endpoint_unmap(&conn->remote);
	if (!conn->denies_join)
		mesh_with(plan, conn, &remote);
	for (uint32_t i = 0; i < conn->remotes.count; i++) {
		if (conn->remotes.list[i].endpoint.family == remote.family)
			mesh_with(plan, conn, &conn->remotes.list[i].endpoint);
	}
}
