/* SPDX-License-Identifier: MIT */
/* Judgement: connections whose beginning was not seen are taken up. */
#include "adoption.h"

#include "core/opening.h"

#include <errno.h>

void adoption_begin(struct plan *plan, uint64_t netns)
{
	struct subflow *subflow;
	struct conn *conn, *next;

	HASH_ITER (hh, plan->table.conns, conn, next) {
		if (conn->key.netns != netns)
			continue;
		conn->is_listed = false;
		TAILQ_FOREACH (subflow, &conn->subflows, entry)
			subflow->is_listed = false;
	}
}

void adoption_hear_found(struct conn *conn, const struct event *event)
{
	conn->is_listed = true;
	conn->has_uid = true;
	conn->uid = event->uid;
	if (conn->is_created)
		return;
	conn->local = event->local;
	conn->remote = event->remote;
}

void adoption_hear_found_subflow(struct conn *conn, const struct event *event)
{
	struct subflow *subflow = conn_find_subflow(conn, &event->local, &event->remote);
	struct endpoint local = event->local;

	if (!conn->is_created)
		conn->is_server = event->is_server;
	if (!subflow)
		subflow = conn_find_opening(conn, &event->local, &event->remote);
	if (!subflow) {
		subflow = conn_add_subflow(conn);
		if (!subflow)
			return;
		subflow->local = event->local;
		subflow->remote = event->remote;
		subflow->id = event->id;
		subflow->state = SUBFLOW_ESTABLISHED;
		/* Where the port was chosen for it, the id is of both: the first address has 0. */
		if (event->id == 0 || !endpoint_is_same_address(&local, &conn->local))
			local.port = 0;
		ids_note(&conn->ids, &local, event->id);
	}
	subflow->is_listed = true;
}

static void drop_unlisted(struct conn *conn)
{
	struct subflow *subflow, *next;

	for (subflow = TAILQ_FIRST(&conn->subflows); subflow; subflow = next) {
		next = TAILQ_NEXT(subflow, entry);
		if (!subflow->is_listed && subflow->state != SUBFLOW_OPENING)
			conn_remove_subflow(conn, subflow);
	}
}

static void take_up(struct plan *plan, struct conn *conn)
{
	struct action *action;

	conn->is_created = conn->is_established = true;
	conn_set_retry(&plan->table, conn, 0);
	plan->counters.adopted++;
	conn_say(conn, conn->is_server ? "accepted: only its client can open subflows"
				       : "taken up: its beginning was not seen");
	news_add(&plan->news, NEWS_ADOPTED, conn);
	action = actions_add(&plan->actions, ACTION_CLAIM, conn);
	if (!action)
		return;
	action->local = conn->local;
	action->remote = conn->remote;
}

void adoption_end(struct plan *plan, uint64_t netns)
{
	struct conn *conn, *next;

	HASH_ITER (hh, plan->table.conns, conn, next) {
		if (conn->key.netns != netns)
			continue;
		if (conn->is_listed) {
			drop_unlisted(conn);
			if (!conn->is_created && !TAILQ_EMPTY(&conn->subflows))
				take_up(plan, conn);
		} else if (conn->is_established) {
			actions_add(&plan->actions, ACTION_FORGET, conn);
			news_add(&plan->news, NEWS_CLOSED, conn);
			conn_free(&plan->table, conn);
		}
	}
}

void adoption_hear_claimed(struct plan *plan, struct conn *conn, const struct event *event)
{
	conn->is_foreign = event->error == EINVAL;
	if (conn->is_foreign) {
		conn_say(conn, "cannot be split: its socket is older than Subflow's service of "
			       "this namespace");
		news_add(&plan->news, NEWS_FOREIGN, conn);
	}
	opening_run(plan, conn, 0);
}
