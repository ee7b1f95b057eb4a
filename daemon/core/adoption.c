/* SPDX-License-Identifier: MIT */
/* Judgement: connections whose beginning was not seen are taken up. */
#include "adoption.h"

#include "core/opening.h"
#include "core/subflows.h"

#include <errno.h>

#define LISTED_NS 1000000000ull

void adoption_begin(struct plan *plan, uint64_t netns)
{
	struct subflow *subflow;
	struct conn *conn, *next;

	tape_call(plan, LINE_LIST, (struct line_call){.netns = netns});
	HASH_ITER (hh, plan->table.conns, conn, next) {
		if (conn->key.netns != netns)
			continue;
		conn->is_listed = false;
		TAILQ_FOREACH (subflow, &conn->subflows, entry)
			subflow->is_listed = false;
	}
}

/* What an earlier daemon had carried out of the application's requests is not news. */
static void resume(struct conn *conn, const struct receipt *receipt)
{
	static const struct endpoint unknown;

	conn->receipt = *receipt;
	conn->has_receipt = true;
	conn->adds = conn->receipt.adds;
	conn->removes = conn->receipt.removes;
	if (receipt->ids && receipt->ids <= UINT8_MAX + 1)
		ids_note(&conn->ids, &unknown, receipt->ids - 1);
}

void adoption_hear_found(struct conn *conn, const struct event *event)
{
	conn->is_listed = true;
	conn->has_uid = true;
	conn->uid = event->uid;
	conn->excluded = event->excluded;
	if (conn->is_created)
		return;
	conn->local = event->local;
	conn->remote = event->remote;
	conn->found_bytes = event->bytes;
	if (event->has_receipt && !conn->has_receipt)
		resume(conn, &event->receipt);
}

/* What the peer announced while nobody listened, or to another daemon, shows where one leads. */
static void note_remote(struct conn *conn, const struct event *event)
{
	struct endpoint remote = endpoint_unmap(&event->remote),
			first = endpoint_unmap(&conn->remote);

	if (event->remote_id && !event->is_server && !endpoint_is_equal(&remote, &first))
		remotes_add(&conn->remotes, event->remote_id, &remote);
}

void adoption_hear_found_subflow(struct conn *conn, const struct event *event)
{
	struct subflow *subflow = conn_find_subflow(conn, &event->local, &event->remote);
	struct endpoint local = event->local;

	if (!conn->is_created)
		conn->is_server = event->is_server;
	if (!subflow)
		subflow = conn_find_opening(conn, &event->local, &event->remote);
	if (subflow)
		subflow->local.port = event->local.port;
	if (!subflow) {
		subflow = conn_add_subflow(conn);
		if (!subflow)
			return;
		subflow->local = event->local;
		subflow->remote = event->remote;
		subflow->id = event->id;
		subflow->state = event->is_opening ? SUBFLOW_OPENING : SUBFLOW_ESTABLISHED;
		subflow->is_sent = true;
		subflow->is_unused = event->is_unused;
		/* Where the port was chosen for it, the id is of both: the first address has 0. */
		if (event->id == 0 || !endpoint_is_same_address(&local, &conn->local))
			local.port = 0;
		ids_note(&conn->ids, &local, event->id);
		/* The kernel lists them in no order. */
		if (endpoint_is_equal(&event->local, &conn->local)) {
			TAILQ_REMOVE(&conn->subflows, subflow, entry);
			TAILQ_INSERT_HEAD(&conn->subflows, subflow, entry);
		}
	}
	subflow->is_listed = true;
	note_remote(conn, event);
}

/*
 * Those that the kernel has no more, or whose SYN came to nothing. Not those that are being closed:
 * without its subflow the answer would be taken for that of a REMOVE by number, and the word of its
 * end, which may be on its way still, for that of one that is opened meanwhile.
 */
static void drop_unlisted(struct plan *plan, struct conn *conn)
{
	struct subflow *subflow, *next;

	for (subflow = TAILQ_FIRST(&conn->subflows); subflow; subflow = next) {
		next = TAILQ_NEXT(subflow, entry);
		if (subflow->is_listed || (subflow->state == SUBFLOW_OPENING && !subflow->is_sent))
			continue;
		if (subflow->state == SUBFLOW_CLOSING) {
			silence_expect_end(plan, conn, subflow);
			continue;
		}
		if (subflow->state == SUBFLOW_OPENING && subflow->asker == ASKER_ELEPHANT)
			conn_drop_passed(conn);
		if (subflow->state == SUBFLOW_OPENING && subflow->is_doomed && !subflow->is_lost)
			conn_settle(&plan->table, conn, 0, 1);
		news_add_subflow(&plan->news, NEWS_SUBFLOW_CLOSED, conn, subflow, "");
		subflows_remove(plan, conn, subflow);
	}
}

/* The command that was being given when an earlier daemon died: whether it was, the socket shows.
 */
static void settle_last(struct plan *plan, struct conn *conn)
{
	uint32_t shown = conn_count_shown(conn);

	conn->resumed_adds = conn->receipt.creating && shown > conn->receipt.live;
	conn->resumed_removes = conn->receipt.destroying && shown < conn->receipt.live;
	conn->receipt.creating = conn->receipt.destroying = 0;
	conn_owe_receipt(&plan->table, conn);
}

static void take_up(struct plan *plan, struct conn *conn)
{
	struct action *action;

	conn->is_established = true;
	conn_hear_created(&plan->table, conn);
	conn_set_retry(&plan->table, conn, 0);
	conn_join(&plan->table, conn);
	plan->counters.adopted++;
	conn_say(conn, conn->is_server ? "accepted: only its client can open subflows"
				       : "taken up: its beginning was not seen");
	rules_apply(plan, conn);
	news_add(&plan->news, NEWS_ADOPTED, conn);
	if (conn->has_receipt)
		settle_last(plan, conn);
	quiet_resume(plan, conn);
	apart_resume(plan, conn);
	action = actions_add(&plan->actions, ACTION_CLAIM, conn);
	if (!action)
		return;
	action->local = conn->local;
	action->remote = conn->remote;
}

/* Its end was lost, and its CREATED waited meanwhile: the kernel lists a new one before long. */
static bool is_overdue(const struct plan *plan, const struct conn *conn)
{
	return conn->is_created && plan->now_ns - conn->created_ns >= LISTED_NS;
}

void adoption_end(struct plan *plan, uint64_t netns)
{
	struct conn *conn, *next;

	tape_call(plan, LINE_LISTED, (struct line_call){.netns = netns});
	HASH_ITER (hh, plan->table.conns, conn, next) {
		if (conn->key.netns != netns)
			continue;
		if (conn->is_listed) {
			drop_unlisted(plan, conn);
			if (conn->is_created)
				plan_establish(plan, conn);
			else if (!TAILQ_EMPTY(&conn->subflows))
				take_up(plan, conn);
			silence_resume(plan, conn);
		} else if (conn->is_established || is_overdue(plan, conn)) {
			plan_forget(plan, conn);
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
	} else {
		elephant_resume(plan, conn);
	}
	forecast_apply(plan, conn, 0);
	opening_run(plan, conn, 0);
}
