/* SPDX-License-Identifier: MIT */
/* Judgement: what an application has asked for by number. */
#include "intent.h"

#include "core/closing.h"
#include "core/lists.h"
#include "core/opening.h"

#include <sys/param.h>

void intent_note_heard(struct plan *plan, struct conn *conn)
{
	struct action *action;

	if (!conn->is_created || conn->receipt.heard == conn->generation ||
		(conn->listed && conn->listed->is_replacing))
		return;
	action = actions_add(&plan->actions, ACTION_RECEIPT, conn);
	if (!action)
		return;
	action->receipt.heard = conn->generation;
	conn->has_receipt = true;
}

/* What was not sent on its way yet is the youngest of all; false: there is no such. */
static bool take_back(struct plan *plan, struct conn *conn)
{
	if (conn->wanted_application) {
		conn->wanted_application--;
		conn_settle(&plan->table, conn, 1, 1);
		return true;
	}
	if (lists_take_back(plan, conn))
		return true;
	if (conn->wanted_elephant) {
		conn->wanted_elephant--;
		conn_drop_passed(conn);
	} else if (conn->wanted_policy) {
		conn->wanted_policy--;
	} else if (conn->wanted_operator) {
		conn->wanted_operator--;
	} else if (conn->wanted_repair) {
		conn->wanted_repair--;
	} else {
		return false;
	}
	conn_settle(&plan->table, conn, 0, 1);
	return true;
}

bool intent_remove_youngest(struct plan *plan, struct conn *conn)
{
	struct subflow *subflow;

	revival_waive(conn);
	if (conn_count_all(conn) <= 1)
		return false;
	if (take_back(plan, conn))
		return true;
	TAILQ_FOREACH_REVERSE(subflow, &conn->subflows, subflow_list, entry)
	{
		if (subflow->state == SUBFLOW_CLOSING || subflow->is_doomed || subflow->replaces ||
			!conn_has_established(conn, subflow))
			continue;
		subflow->is_doomed = true;
		if (subflow->state == SUBFLOW_ESTABLISHED)
			closing_begin(plan, conn, subflow);
		return true;
	}
	return false;
}

/* How many of @adds the connection has room for. */
static uint32_t grant(const struct plan *plan, const struct conn *conn, uint32_t adds)
{
	uint32_t in_all = conn_count_all(conn);

	if (conn->is_server || conn->is_foreign || in_all >= plan->max_subflows)
		return 0;
	return MIN(adds, plan->max_subflows - in_all);
}

/* What an earlier daemon carried out and could give no receipt for, if it was not for a list. */
static void settle_resumed(struct plan *plan, struct conn *conn, const struct event *event)
{
	uint32_t adds = MIN(conn->resumed_adds, event->adds - conn->adds);
	uint32_t removes = MIN(conn->resumed_removes, event->removes - conn->removes);

	conn->resumed_adds = conn->resumed_removes = 0;
	conn->adds += adds;
	conn->removes += removes;
	conn_settle(&plan->table, conn, adds, removes);
}

/*
 * So many in all, of which the hooks have asked for those that are not there: what has died, and
 * what is wanted on behalf of others, is among these.
 */
static void heed_total(struct conn *conn)
{
	revival_waive(conn);
	for (; conn->wanted_elephant; conn->wanted_elephant--)
		conn_drop_passed(conn);
	conn->wanted_policy = conn->wanted_operator = conn->wanted_repair = 0;
}

/* The hooks do not know what is wanted on behalf of others, and count while others ask. */
static void tell(struct plan *plan, struct conn *conn, uint64_t too_many, uint32_t kept)
{
	uint32_t in_all = conn_count_all(conn);

	/* Why it can have none stands there already. */
	if (!conn->is_foreign && too_many)
		conn_say(conn,
			"as the application asked: %u in all; %llu more were beyond max_subflows",
			in_all, (unsigned long long)too_many);
	else if (!conn->is_foreign && kept)
		conn_say(conn,
			"as the application asked: %u in all; %u more could not go, one has to "
			"stay",
			in_all, kept);
	else if (!conn->is_foreign)
		conn_say(conn, "as the application asked: %u in all", in_all);
	news_add(&plan->news, NEWS_REQUEST, conn);
}

/*
 * @adds and @removes only grow; the difference to what was heard is news. In
 * which order the application asked is not known: what it asked to add and to
 * remove again is never opened.
 */
void intent_hear(struct plan *plan, struct conn *conn, const struct event *event)
{
	uint64_t dropped = plan->counters.dropped;
	bool has_lists = lists_hear(plan, conn, event), has_forecast = forecast_hear(conn, event);
	uint32_t both, granted, adds, removes;

	settle_resumed(plan, conn, event);
	adds = event->adds - conn->adds;
	removes = event->removes - conn->removes;

	if ((int32_t)(event->generation - conn->generation) > 0) {
		conn->generation = event->generation;
		if (event->totals != conn->totals)
			heed_total(conn);
		conn->totals = event->totals;
	}
	/* Nothing new, or a record that was overtaken by a walk. */
	if (adds > INT32_MAX || removes > INT32_MAX || (!adds && !removes && !has_lists)) {
		intent_note_heard(plan, conn);
		if (has_forecast)
			forecast_apply(plan, conn, event->now_ns);
		return;
	}
	conn->adds = event->adds;
	conn->removes = event->removes;
	plan->counters.requests += adds;
	both = MIN(adds, removes);
	adds -= both;
	removes -= both;
	granted = grant(plan, conn, adds);
	conn_settle(&plan->table, conn, both + adds - granted, both);
	plan->counters.dropped += adds - granted;
	dropped = plan->counters.dropped - dropped;
	conn->wanted_application += granted;
	while (removes && !conn->is_foreign && intent_remove_youngest(plan, conn))
		removes--;
	conn_settle(&plan->table, conn, 0, removes);
	plan->counters.dropped += removes;
	tell(plan, conn, dropped, removes);
	conn_renew_tries(conn);
	intent_note_heard(plan, conn);
	opening_run(plan, conn, event->now_ns);
	if (has_forecast)
		forecast_apply(plan, conn, event->now_ns);
}
