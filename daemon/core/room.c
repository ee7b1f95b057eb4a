/* SPDX-License-Identifier: MIT */
/* Judgement: how many subflows of a connection its peer takes. */
#include "room.h"

#include "core/plan.h"

/* What takes another's place, or is one more for a moment, says nothing of those that stay. */
static bool is_one_more(const struct subflow *subflow)
{
	return !subflow->is_doomed && subflow->asker != ASKER_MOVE &&
	       subflow->asker != ASKER_REPAIR;
}

/* Those beside @subflow that the peer has taken, for so long or longer. */
static uint32_t count_taken(
	const struct conn *conn, const struct subflow *subflow, uint64_t now_ns, uint64_t age_ns)
{
	const struct subflow *other;
	uint32_t taken = 0;

	TAILQ_FOREACH (other, &conn->subflows, entry)
		taken += other != subflow && other->state != SUBFLOW_OPENING &&
			 other->established_ns + age_ns <= now_ns;
	return taken;
}

/* The peer may count one still that has ended here. */
static bool has_just_left(const struct plan *plan, const struct conn *conn)
{
	const struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->state == SUBFLOW_CLOSING)
			return true;
	}
	return conn->room.left_ns && plan->now_ns < conn->room.left_ns + REFUSAL_NS;
}

void room_hear_established(struct conn *conn, const struct subflow *subflow)
{
	if (is_one_more(subflow) &&
		count_taken(conn, subflow, subflow->established_ns, 0) >= conn->room.subflows)
		conn->room.subflows = 0;
}

void room_hear_left(struct plan *plan, struct conn *conn)
{
	conn->room.left_ns = plan->now_ns;
}

/*
 * Several that come up together are reset one after the other, and the last one tells how many
 * there is room for. What lives beyond that number shows that it was wrong.
 */
void room_hear_refused(struct plan *plan, struct conn *conn, const struct subflow *subflow,
	const struct refusal *refusal, bool is_transient)
{
	struct refusal beyond = *refusal;
	const struct refusals_entry *entry;

	if (!is_one_more(subflow) || has_just_left(plan, conn))
		return;
	beyond.room = count_taken(conn, subflow, plan->now_ns, 0);
	if (!is_transient) {
		conn->room.subflows = beyond.room;
		conn->room.until_ns = plan->now_ns + plan->refusals.rule.hold_ns;
	}
	entry = refusals_find(&plan->full, conn->key.netns, &subflow->remote, plan->now_ns);
	if (entry && count_taken(conn, subflow, plan->now_ns, REFUSAL_NS) > entry->last.room)
		refusals_clear(&plan->full, conn->key.netns, &subflow->remote);
	refusals_note(&plan->full, conn->key.netns, &subflow->remote, &beyond, plan->now_ns);
}

bool room_is_full(const struct plan *plan, const struct conn *conn)
{
	return conn->room.subflows && plan->now_ns < conn->room.until_ns &&
	       conn_count_live(conn) >= conn->room.subflows;
}

const struct refusals_entry *room_find_held(
	struct plan *plan, const struct conn *conn, const struct endpoint *remote)
{
	const struct refusals_entry *held =
		refusals_find_held(&plan->full, conn->key.netns, remote, plan->now_ns);

	return held && conn_count_live(conn) >= held->last.room ? held : NULL;
}
