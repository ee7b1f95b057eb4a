/* SPDX-License-Identifier: MIT */
/* Judgement: what it means that a subflow has come up, or is closed. */
#include "subflows.h"

#include "core/closing.h"
#include "core/lists.h"
#include "core/opening.h"

#include <errno.h>

void subflows_remove(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	quiet_forget(plan, conn, subflow);
	silence_forget(plan, subflow);
	benefit_hear_gone(plan, conn, subflow);
	apart_hear_gone(plan, conn, subflow);
	steer_release(&plan->steer, conn, subflow, plan->now_ns);
	conn_remove_subflow(conn, subflow);
	revival_expect(plan, conn);
}

void subflows_hear_established(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct subflow *subflow = conn_find_subflow(conn, &event->local, &event->remote);

	if (!subflow)
		subflow = conn_find_opening(conn, &event->local, &event->remote);
	if (!subflow)
		subflow = conn_add_subflow(conn);
	if (!subflow || subflow->state != SUBFLOW_OPENING)
		return;
	if (subflow->asker != ASKER_NOBODY) {
		plan->counters.established++;
		refusals_clear(&plan->refusals, conn->key.netns, &event->remote);
	}
	subflow->local = event->local;
	subflow->remote = event->remote;
	subflow->id = event->id;
	subflow->state = SUBFLOW_ESTABLISHED;
	subflow->established_ns = event->now_ns;
	silence_end(plan, conn, subflow);
	news_add_subflow(&plan->news, NEWS_SUBFLOW_UP, conn, subflow, "");
	if (subflow->asker == ASKER_ELEPHANT)
		conn_note_passed(conn);
	room_hear_established(conn, subflow);
	lasthop_hear_established(conn, subflow);
	/* Clients join wherever the server is: at what it has not listed too. */
	if (conn->is_server && !listed_allows(conn->listed, &subflow->local))
		subflow->is_doomed = subflow->is_lost = true;
	/* The others have gone since. */
	if (subflow->is_doomed && !subflow->is_lost && !conn_has_established(conn, subflow)) {
		subflow->is_doomed = false;
		plan->counters.dropped++;
		conn_settle(&plan->table, conn, 0, 1);
	}
	if (subflow->is_doomed)
		closing_begin(plan, conn, subflow);
	else
		revival_hear_established(plan, conn);
	if (!quiet_hear_established(plan, subflow) || subflow->is_doomed)
		subflows_hear_usable(plan, conn, subflow);
}

void subflows_hear_usable(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	if (!subflow->is_doomed)
		lists_hear_joined(plan, conn);
	benefit_hear_established(plan, conn, subflow);
	apart_hear_established(plan, conn, subflow);
}

/* A reset for good (RFC 8684 section 3.6, T = 0) is of the path: between these addresses. */
static void note_refused(struct plan *plan, struct conn *conn, const struct subflow *subflow,
	const struct event *event)
{
	struct refusal refusal = {.error = event->error, .reset_reason = event->reset_reason};
	struct endpoint near = endpoint_unmap(&event->local), first = endpoint_unmap(&conn->local);
	char why[REFUSALS_TEXT_MAX];

	plan->counters.refused_by_peer++;
	conn_say(conn,
		"the peer refused a subflow (%s); without Subflow it needs `ip mptcp limits set "
		"subflows 3`",
		refusal_text(&refusal, why));
	/*
	 * What is one more for a moment says nothing of those that stay; and where none is left,
	 * the peer may not know the connection any more.
	 */
	if (subflow->is_doomed || subflow->asker == ASKER_MOVE ||
		!conn_has_established(conn, subflow))
		return;
	if (subflow->state == SUBFLOW_ESTABLISHED)
		room_hear_refused(plan, conn, subflow, &refusal, event->is_transient);
	else
		refusals_note(
			&plan->refusals, conn->key.netns, &event->remote, &refusal, event->now_ns);
	if (event->reset_reason >= 0 && !event->is_transient &&
		endpoint_is_same_address(&near, &first))
		conn->barred = endpoint_unmap(&event->remote);
}

/* RFC 8684 3.4.2: the peer closes the subflows of an address that it has withdrawn. */
static bool is_withdrawn(const struct conn *conn, const struct subflow *subflow)
{
	struct endpoint first = endpoint_unmap(&conn->remote),
			remote = endpoint_unmap(&subflow->remote);

	return !endpoint_is_equal(&first, &remote) && !remotes_has(&conn->remotes, &remote);
}

/* Or else it lived, and has died: as where an error in the peer's MPTCP came after its consent. */
static bool is_refused(const struct subflow *subflow, const struct event *event)
{
	if (subflow->state == SUBFLOW_OPENING)
		return true;
	return subflow->state == SUBFLOW_ESTABLISHED && subflow->asker != ASKER_NOBODY &&
	       event->reset_reason != RESET_MPTCP &&
	       event->now_ns - subflow->established_ns < REFUSAL_NS;
}

/* The link may have come back a moment ago: of its host's neighbours none has refused it. */
static bool is_tried_again(
	struct conn *conn, const struct subflow *subflow, const struct event *event)
{
	char text[ENDPOINT_TEXT_MAX];

	if (event->error != EHOSTUNREACH || subflow->state != SUBFLOW_OPENING ||
		subflow->asker != ASKER_MESH ||
		!mesh_try_again(conn->mesh, &subflow->local, &subflow->remote))
		return false;
	conn_say(conn, "no neighbour answered on the way to %s, which is tried again",
		endpoint_text(&subflow->remote, text));
	return true;
}

/* It came to nothing, be it that it was up for a moment. */
static void drop_passed(struct conn *conn, const struct subflow *subflow)
{
	if (subflow->asker != ASKER_ELEPHANT)
		return;
	if (subflow->state != SUBFLOW_OPENING)
		conn_reopen_passed(conn);
	conn_drop_passed(conn);
}

/*
 * What was to replace one that has died was refused, and its peer may take another yet: it has not
 * said that it wants none, or it may have said so of a connection that it does not know any more.
 */
static bool is_missed(const struct plan *plan, const struct conn *conn,
	const struct subflow *subflow, const struct event *event)
{
	bool is_for_good = event->reset_reason >= 0 && !event->is_transient;

	if (!plan->does_repair || subflow->asker != ASKER_REPAIR || subflow->is_doomed)
		return false;
	return !conn_has_established(conn, subflow) ||
	       (!is_for_good && event->reset_reason != RESET_RESOURCES &&
		       event->reset_reason != RESET_PROHIBITED);
}

/* Why a subflow that was up is not any more. */
static void tell_closed(struct plan *plan, const struct conn *conn, const struct subflow *subflow,
	const struct event *event)
{
	struct refusal refusal = {.error = event->error, .reset_reason = event->reset_reason};
	const char *why = "the peer closed it";
	char text[REFUSALS_TEXT_MAX];

	if (subflow->state == SUBFLOW_CLOSING)
		why = subflow->is_lost ? conn->why : "closed here";
	else if (event->reset_reason >= 0 || event->error)
		why = refusal_text(&refusal, text);
	news_add_subflow(&plan->news, NEWS_SUBFLOW_CLOSED, conn, subflow, why);
}

void subflows_hear_closed(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct endpoint remote = endpoint_unmap(&event->remote);
	struct subflow *subflow = conn_find_subflow(conn, &event->local, &event->remote);
	bool is_gone, has_failed, misses_one;

	if (!subflow)
		subflow = conn_find_opening(conn, &event->local, &event->remote);
	if (!subflow)
		return;
	is_gone = is_withdrawn(conn, subflow);
	has_failed = !is_gone && is_refused(subflow, event);
	misses_one = has_failed && is_missed(plan, conn, subflow, event);
	if (has_failed) {
		if (!is_tried_again(conn, subflow, event))
			note_refused(plan, conn, subflow, event);
		news_add_subflow(&plan->news, NEWS_SUBFLOW_REFUSED, conn, subflow, conn->why);
	} else {
		if (endpoint_is_equal(&conn->barred, &remote))
			conn->barred = (struct endpoint){}; /* there is room for another */
		room_hear_left(plan, conn);
		tell_closed(plan, conn, subflow, event);
		if (subflow->state == SUBFLOW_ESTABLISHED && (is_gone || !repair_is_death(event)))
			revival_end(conn);
		if (!is_gone)
			repair_hear_closed(plan, conn, subflow, event);
	}
	if (has_failed || subflow->state == SUBFLOW_OPENING)
		drop_passed(conn, subflow);
	if (subflow->state == SUBFLOW_OPENING && subflow->is_doomed && !subflow->is_lost)
		conn_settle(&plan->table, conn, 0, 1);
	subflows_remove(plan, conn, subflow);
	if (misses_one)
		revival_miss(plan, conn, 0);
	opening_run(plan, conn, 0);
	apart_expect(plan, conn);
}
