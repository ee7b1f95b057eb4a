/* SPDX-License-Identifier: MIT */
/* Judgement: a subflow that has joined carries nothing at first. */
#include "quiet.h"

#include "core/plan.h"
#include "core/subflows.h"

/* Until it is spoken of again; each failure doubles it, up to 64 times. */
#define AGAIN_NS    20000000ull
#define DOUBLES_MAX 6

void quiet_init(struct quiets *quiets)
{
	*quiets = (struct quiets){};
	agenda_init(&quiets->agenda);
}

bool quiet_is_on(const struct subflow *subflow)
{
	return subflow->quiet.conn && !subflow->quiet.is_over;
}

/* How many there are, or are to be spoken of, is noted where it outlives this daemon. */
static void count(struct plan *plan, struct conn *conn, int step)
{
	conn->receipt.quiet += step;
	conn_owe_receipt(&plan->table, conn);
}

void quiet_begin(
	struct plan *plan, struct conn *conn, struct subflow *subflow, struct action *action)
{
	if (!plan->quiets.rule.time_ns)
		return;
	subflow->quiet.conn = conn;
	action->is_backup = true;
	count(plan, conn, 1);
}

bool quiet_hear_established(struct plan *plan, struct subflow *subflow)
{
	if (!quiet_is_on(subflow))
		return false;
	agenda_set(&plan->quiets.agenda, &subflow->quiet.due,
		plan->now_ns + plan->quiets.rule.time_ns + 1);
	return true;
}

void quiet_set(
	struct plan *plan, const struct conn *conn, const struct subflow *subflow, bool is_on)
{
	struct action *action = actions_add_about(&plan->actions, ACTION_BACKUP, conn, subflow);

	if (action)
		action->is_backup = is_on;
}

/* What says so to the peer, an ACK, may be lost: it is said once more. */
static void say_over(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	subflow->quiet.conn = conn;
	subflow->quiet.is_over = true;
	agenda_set(&plan->quiets.agenda, &subflow->quiet.due,
		plan->now_ns + plan->quiets.rule.time_ns + 1);
	quiet_set(plan, conn, subflow, false);
}

void quiet_resume(struct plan *plan, struct conn *conn)
{
	struct subflow *subflow;

	if (!conn->receipt.quiet)
		return;
	conn->receipt.quiet = 0;
	conn_owe_receipt(&plan->table, conn);
	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (!subflow->is_unused)
			continue;
		count(plan, conn, 1);
		say_over(plan, conn, subflow);
	}
}

void quiet_hear_failed(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct subflow *subflow = conn_find_subflow(conn, &event->local, &event->remote);

	if (!subflow || subflow->state != SUBFLOW_ESTABLISHED)
		return;
	if (!subflow->quiet.conn)
		count(plan, conn, 1);
	subflow->quiet.conn = conn;
	subflow->quiet.is_over = false;
	agenda_set(&plan->quiets.agenda, &subflow->quiet.due,
		plan->now_ns + (AGAIN_NS << subflow->quiet.failures));
	if (subflow->quiet.failures < DOUBLES_MAX)
		subflow->quiet.failures++;
}

static void run_due(struct plan *plan, struct subflow *subflow)
{
	struct conn *conn = subflow->quiet.conn;

	if (subflow->quiet.is_over) {
		/* By now it may be the wish of others that it be a backup. */
		if (!subflow->is_backup && !subflow->is_leaving)
			quiet_set(plan, conn, subflow, false);
		quiet_forget(plan, conn, subflow);
		return;
	}
	if (subflow->is_backup || subflow->is_leaving) {
		if (subflow->quiet.failures)
			quiet_set(plan, conn, subflow, true);
		quiet_forget(plan, conn, subflow);
	} else {
		say_over(plan, conn, subflow);
	}
	if (subflow->state == SUBFLOW_ESTABLISHED)
		subflows_hear_usable(plan, conn, subflow);
}

/* One whose port is not known yet cannot be spoken of: that is left to the next daemon. */
void quiet_end(struct plan *plan, uint64_t now_ns)
{
	struct subflow *subflow;
	struct conn *conn, *next;

	tape_call(plan, LINE_ENDING, (struct line_call){.now_ns = now_ns});
	HASH_ITER (hh, plan->table.conns, conn, next) {
		TAILQ_FOREACH (subflow, &conn->subflows, entry) {
			if (!quiet_is_on(subflow) || !subflow->local.port)
				continue;
			if (!subflow->is_backup)
				quiet_set(plan, conn, subflow, false);
			quiet_forget(plan, conn, subflow);
		}
	}
}

void quiet_tick(struct plan *plan, uint64_t now_ns)
{
	struct agenda_entry *due;

	while ((due = agenda_find_due(&plan->quiets.agenda, now_ns)))
		run_due(plan, AGENDA_OWNER(due, struct subflow, quiet.due));
}

void quiet_forget(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	if (subflow->quiet.conn)
		count(plan, conn, -1);
	agenda_set(&plan->quiets.agenda, &subflow->quiet.due, 0);
	subflow->quiet.conn = NULL;
}
