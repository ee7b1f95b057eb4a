/* SPDX-License-Identifier: MIT */
/* Judgement: subflows whose path is dead are given up and replaced. */
#include "repair.h"

#include "core/closing.h"
#include "core/opening.h"

#include <errno.h>

/* Takes one repair from the budget; false when there is none left. */
static bool take(struct repair_budget *budget, uint64_t now_ns)
{
	if (!budget->spent || now_ns - budget->since_ns >= REPAIR_WINDOW_NS)
		*budget = (struct repair_budget){.since_ns = now_ns};
	if (budget->spent >= REPAIR_MOST)
		return false;
	budget->spent++;
	return true;
}

bool repair_allow(struct plan *plan, struct conn *conn, uint64_t now_ns)
{
	bool is_allowed = take(&conn->repairs, now_ns);

	plan->counters.repairs += is_allowed;
	plan->counters.repairs_denied += !is_allowed;
	return is_allowed;
}

/* Whether a subflow that died may be replaced. */
static bool may_repair(struct plan *plan, struct conn *conn, uint64_t now_ns)
{
	if (repair_allow(plan, conn, now_ns))
		return true;
	conn_say(conn, "a subflow died, and is left to the kernel: %d were replaced in %llu s",
		REPAIR_MOST, REPAIR_WINDOW_NS / 1000000000);
	return false;
}

/*
 * One is silent while others progress. It is closed, so that the kernel sends again elsewhere what
 * it holds (the kernel's own timer for that is 200 ms), and another takes its place.
 */
static void replace(struct plan *plan, struct conn *conn, struct subflow *subflow, uint64_t now_ns)
{
	char text[ENDPOINT_TEXT_MAX];

	if (!may_repair(plan, conn, now_ns))
		return;
	conn_say(conn, "the path of %s is silent: replaced", endpoint_text(&subflow->local, text));
	news_add_subflow(&plan->news, NEWS_SUBFLOW_REPAIR, conn, subflow, conn->why);
	subflow->is_lost = subflow->is_silent = true;
	steer_shun(&plan->steer, conn, subflow, now_ns);
	closing_begin(plan, conn, subflow);
	if (conn->is_server || apart_inherit(conn, subflow))
		return;
	conn->wanted_repair++;
	conn_renew_tries(conn);
	opening_run(plan, conn, now_ns);
}

static bool is_replaceable(const struct conn *conn, const struct subflow *subflow)
{
	return subflow && subflow->state == SUBFLOW_ESTABLISHED && !subflow->is_doomed &&
	       !subflow->is_silent && conn_count_live(conn) > 1;
}

void repair_hear_timeout(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct subflow *subflow = conn_find_subflow(conn, &event->local, &event->remote);

	if (is_replaceable(conn, subflow))
		actions_add_about(&plan->actions, ACTION_LISTEN, conn, subflow);
}

void repair_hear_listened(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct subflow *subflow = conn_find_serial(conn, event->serial);

	if (!is_replaceable(conn, subflow))
		return;
	if (event->error == EAGAIN)
		plan->counters.false_alarms++;
	else
		replace(plan, conn, subflow, event->now_ns);
}

void repair_hear_silence(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	if (plan->does_repair && is_replaceable(conn, subflow))
		replace(plan, conn, subflow, plan->now_ns);
}

void repair_hear_kept(struct conn *conn, const struct subflow *subflow)
{
	if (subflow->is_silent && conn->wanted_repair)
		conn->wanted_repair--;
}

void repair_hear_closed(
	struct plan *plan, struct conn *conn, struct subflow *subflow, const struct event *event)
{
	char text[ENDPOINT_TEXT_MAX];

	if (!plan->does_repair || !event->error || event->reset_reason == RESET_RESOURCES ||
		event->reset_reason == RESET_PROHIBITED)
		return;
	/* What has never had a second one is nobody's concern. */
	if (conn->is_server || subflow->state != SUBFLOW_ESTABLISHED || subflow->is_doomed ||
		conn->next_serial < 2)
		return;
	if (!may_repair(plan, conn, event->now_ns))
		return;
	conn_say(conn, "the subflow of %s was reset: replaced",
		endpoint_text(&subflow->local, text));
	/* What went wrong in the peer's MPTCP says nothing of the way there, once. */
	if (event->reset_reason != RESET_MPTCP || conn->repairs.spent > 1)
		steer_shun(&plan->steer, conn, subflow, event->now_ns);
	if (apart_inherit(conn, subflow))
		return;
	conn->wanted_repair++;
	conn_renew_tries(conn);
}
