/* SPDX-License-Identifier: MIT */
/* Judgement: subflows whose path is dead are given up and replaced. */
#include "repair.h"

#include "core/closing.h"
#include "core/lists.h"
#include "core/opening.h"

#include <errno.h>

#define SECOND_NS 1000000000ull

uint64_t repair_free_ns(const struct repair_budget *budget)
{
	uint64_t oldest_ns = budget->spent_ns[budget->next];

	return oldest_ns ? oldest_ns + REPAIR_WINDOW_NS : 0;
}

/* Takes one repair from the budget; false when there is none left. */
static bool take(struct repair_budget *budget, uint64_t now_ns)
{
	if (now_ns < repair_free_ns(budget))
		return false;
	budget->spent_ns[budget->next] = now_ns;
	budget->next = (budget->next + 1) % REPAIR_MOST;
	return true;
}

/* Whether the repair before the last one was within the time as well. */
static bool is_repeated(const struct repair_budget *budget, uint64_t now_ns)
{
	uint64_t before_ns = budget->spent_ns[(budget->next + REPAIR_MOST - 2) % REPAIR_MOST];

	return before_ns && now_ns < before_ns + REPAIR_WINDOW_NS;
}

bool repair_allow(struct plan *plan, struct conn *conn, uint64_t now_ns)
{
	bool is_allowed = take(&conn->repairs, now_ns);

	plan->counters.repairs += is_allowed;
	plan->counters.repairs_denied += !is_allowed;
	return is_allowed;
}

/* Whether @subflow is the full mesh's: asked for by it, or all that its pair of addresses has. */
static bool is_of_mesh(const struct conn *conn, const struct subflow *subflow)
{
	const struct subflow *other;

	if (!conn->mesh || subflow->asker == ASKER_MESH)
		return conn->mesh;
	if (subflow->asker != ASKER_NOBODY)
		return false;
	TAILQ_FOREACH (other, &conn->subflows, entry) {
		if (other != subflow && other->state != SUBFLOW_CLOSING && !other->is_doomed &&
			!other->is_lost &&
			endpoint_is_same_address(&other->local, &subflow->local) &&
			endpoint_is_equal(&other->remote, &subflow->remote))
			return false;
	}
	return true;
}

/* Whether @subflow is one of the addresses of a list. */
static bool is_of_list(const struct subflow *subflow)
{
	return subflow->asker == ASKER_LIST && subflow->slot >= 0 && !subflow->is_exact;
}

void repair_want_again(struct plan *plan, struct conn *conn, const struct subflow *subflow)
{
	struct endpoint local = endpoint_unmap(&subflow->local),
			remote = endpoint_unmap(&subflow->remote);
	bool was_up = subflow->state != SUBFLOW_OPENING;

	conn_renew_tries(conn);
	if (is_of_mesh(conn, subflow))
		mesh_give_back(conn->mesh, &local, &remote);
	else if (is_of_list(subflow))
		lists_reopen(plan, conn, subflow);
	else if (!was_up && (subflow->asker == ASKER_ELEPHANT || subflow->asker == ASKER_OPERATOR ||
				    subflow->asker == ASKER_POLICY))
		conn_want_again(conn, subflow->asker);
	else
		conn_want_again(conn, ASKER_REPAIR);
	conn->is_mending |= was_up;
}

/*
 * One is silent while others progress. It is closed, so that the kernel sends again elsewhere what
 * it holds (the kernel's own timer for that is 200 ms), and another takes its place.
 */
static void replace(struct plan *plan, struct conn *conn, struct subflow *subflow, uint64_t now_ns)
{
	char text[ENDPOINT_TEXT_MAX];

	if (!repair_allow(plan, conn, now_ns)) {
		conn_say(conn,
			"a subflow fell silent, and is left to the kernel: %d were replaced in "
			"%llu s",
			REPAIR_MOST, REPAIR_WINDOW_NS / SECOND_NS);
		news_add(&plan->news, NEWS_HELD, conn);
		return;
	}
	conn_say(conn, "the path of %s is silent: replaced", endpoint_text(&subflow->local, text));
	news_add_subflow(&plan->news, NEWS_SUBFLOW_REPAIR, conn, subflow, conn->why);
	subflow->is_lost = subflow->is_silent = true;
	steer_shun(&plan->steer, conn, subflow, now_ns);
	apart_hear_failed(plan, conn);
	closing_begin(plan, conn, subflow);
	if (apart_inherit(conn, subflow))
		return;
	repair_want_again(plan, conn, subflow);
	opening_run(plan, conn, now_ns);
}

/* One is gone, and another may not be opened yet. */
static void defer(struct plan *plan, struct conn *conn, const struct subflow *subflow)
{
	struct endpoint local = endpoint_unmap(&subflow->local),
			remote = endpoint_unmap(&subflow->remote);

	conn_say(conn,
		"a subflow died, and nothing is opened in its place yet: %d were replaced in %llu "
		"s",
		REPAIR_MOST, REPAIR_WINDOW_NS / SECOND_NS);
	news_add(&plan->news, NEWS_HELD, conn);
	if (is_of_mesh(conn, subflow))
		mesh_owe(conn->mesh, &local, &remote);
	else if (is_of_list(subflow))
		lists_owe(conn, subflow);
	else
		revival_miss(plan, conn, 0);
	revival_expect(plan, conn);
}

/* Of an accepted connection its client does it. */
static bool is_replaceable(const struct conn *conn, const struct subflow *subflow)
{
	return subflow && !conn->is_server && subflow->state == SUBFLOW_ESTABLISHED &&
	       !subflow->is_doomed && !subflow->is_silent && conn_count_live(conn) > 1;
}

void repair_hear_timeout(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct subflow *subflow = conn_find_subflow(conn, &event->local, &event->remote);

	if (plan->does_repair && is_replaceable(conn, subflow))
		actions_add_about(&plan->actions, ACTION_LISTEN, conn, subflow);
}

void repair_hear_outage(struct plan *plan, struct conn *conn, const struct event *event)
{
	const struct subflow *subflow = conn_find_subflow(conn, &event->local, &event->remote);
	char text[ENDPOINT_TEXT_MAX];

	if (!plan->does_repair || !is_replaceable(conn, subflow))
		return;
	plan->counters.outages++;
	conn_say(conn, "%s is silent, and of the others no fewer than go on: left to the kernel",
		endpoint_text(&subflow->local, text));
	news_add(&plan->news, NEWS_HELD, conn);
}

void repair_hear_listened(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct subflow *subflow = conn_find_serial(conn, event->serial);

	if (!plan->does_repair || !is_replaceable(conn, subflow))
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

void repair_hear_kept(struct plan *plan, struct conn *conn, const struct subflow *subflow)
{
	struct endpoint local = endpoint_unmap(&subflow->local),
			remote = endpoint_unmap(&subflow->remote);

	if (!subflow->is_silent)
		return;
	local.port = 0;
	if (is_of_mesh(conn, subflow))
		mesh_note(conn->mesh, &local, &remote);
	else if (is_of_list(subflow))
		lists_keep(plan, conn, subflow);
	else if (conn->wanted_repair)
		conn->wanted_repair--;
}

bool repair_is_death(const struct event *event)
{
	return event->error && event->reset_reason != RESET_RESOURCES &&
	       event->reset_reason != RESET_PROHIBITED;
}

void repair_hear_closed(
	struct plan *plan, struct conn *conn, struct subflow *subflow, const struct event *event)
{
	char text[ENDPOINT_TEXT_MAX];

	if (!plan->does_repair || !repair_is_death(event))
		return;
	/* What has never had a second one is nobody's concern. */
	if (conn->is_server || conn->is_foreign || subflow->state != SUBFLOW_ESTABLISHED ||
		subflow->is_doomed || conn->next_serial < 2)
		return;
	if (!conn_has_established(conn, subflow))
		revival_begin(plan, conn);
	if (!repair_allow(plan, conn, event->now_ns)) {
		if (!apart_inherit(conn, subflow))
			defer(plan, conn, subflow);
		return;
	}
	conn_say(conn, "the subflow of %s was reset: replaced",
		endpoint_text(&subflow->local, text));
	/* What went wrong in the peer's MPTCP says nothing of the way there, once. */
	if (event->reset_reason != RESET_MPTCP || is_repeated(&conn->repairs, event->now_ns)) {
		steer_shun(&plan->steer, conn, subflow, event->now_ns);
		apart_hear_failed(plan, conn);
	}
	if (apart_inherit(conn, subflow))
		return;
	repair_want_again(plan, conn, subflow);
}

void repair_hear_lost(struct plan *plan, struct conn *conn, const struct subflow *subflow)
{
	/* What its list or a full mesh opens comes back with the address. */
	if (!plan->does_repair || conn->is_server || is_of_mesh(conn, subflow) ||
		is_of_list(subflow) || apart_inherit(conn, subflow))
		return;
	if (repair_allow(plan, conn, plan->now_ns))
		repair_want_again(plan, conn, subflow);
	else
		revival_miss(plan, conn, 0);
}
