/* SPDX-License-Identifier: MIT */
/* Judgement: a join that nobody answers is given up, and another is tried. */
#include "silence.h"

#include "core/closing.h"
#include "core/opening.h"
#include "core/subflows.h"

#include <errno.h>

/* The list of a namespace's sockets, which has the port that the kernel chose, is there by then. */
#define SEEK_NS 200000000ull

/*
 * Linux disconnects a socket that has sent its SYN before it says that it has closed the subflow,
 * tcp_disconnect() clears the peer's port, and what is said names none that is known here. Word of
 * another end, which was under way, comes sooner than this.
 */
#define NAMELESS_NS 1000000000ull

void silence_init(struct silences *silences)
{
	*silences = (struct silences){};
	agenda_init(&silences->agenda);
}

static void set_due(struct plan *plan, struct subflow *subflow, uint64_t due_ns)
{
	agenda_set(&plan->silences.agenda, &subflow->silence.due, due_ns);
}

void silence_begin(struct plan *plan, struct conn *conn, struct subflow *subflow, uint64_t now_ns)
{
	/* From a port of the application's own there is no other way. */
	if (!plan->does_repair || conn->is_server || conn->is_foreign || subflow->is_exact ||
		subflow->state != SUBFLOW_OPENING || subflow->silence.conn)
		return;
	subflow->silence.conn = conn;
	set_due(plan, subflow, now_ns + SILENCE_NS);
}

void silence_resume(struct plan *plan, struct conn *conn)
{
	struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->is_sent && !subflow->silence.is_over)
			silence_begin(plan, conn, subflow, plan->now_ns);
	}
}

void silence_end(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	conn->unanswered = 0;
	conn->is_mending = false;
	subflow->silence.is_over = false;
	silence_forget(plan, subflow);
}

void silence_hear_kept(struct subflow *subflow)
{
	if (!subflow->silence.is_over)
		return;
	subflow->state = SUBFLOW_OPENING;
	subflow->is_doomed = subflow->is_lost = true;
}

void silence_expect_end(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	if (!subflow->is_gone || subflow->silence.is_over)
		return;
	subflow->silence.conn = conn;
	subflow->silence.is_over = true;
	set_due(plan, subflow, plan->now_ns + NAMELESS_NS);
}

/* By its port it is named to the kernel. One list of the namespace tells the ports of all. */
static void seek_port(struct plan *plan, struct subflow *subflow)
{
	uint64_t netns = subflow->silence.conn->key.netns;
	struct agenda_entry *entry;
	struct subflow *other;

	actions_add(&plan->actions, ACTION_SEARCH, subflow->silence.conn);
	TAILQ_FOREACH (entry, &plan->silences.agenda.entries, link) {
		other = AGENDA_OWNER(entry, struct subflow, silence.due);
		if (!other->local.port && other->silence.conn->key.netns == netns)
			other->silence.is_sought = true;
	}
	set_due(plan, subflow, plan->now_ns + SEEK_NS);
}

/* Who asked for it may not want it any more. */
static bool is_wanted(
	const struct plan *plan, const struct conn *conn, const struct subflow *subflow)
{
	switch (subflow->asker) {
	case ASKER_ELEPHANT:
		return !forecast_forbids(conn) && !rules_is_never(plan, conn);
	case ASKER_POLICY:
	case ASKER_MESH:
		return !rules_is_never(plan, conn);
	default:
		return true;
	}
}

/* Whether another is to be opened in its place, and not by others, or not at all. */
static bool is_replaced(
	const struct plan *plan, const struct conn *conn, const struct subflow *subflow)
{
	return !subflow->is_doomed && !subflow->replaces &&
	       !(subflow->asker == ASKER_LIST && subflow->slot < 0) &&
	       is_wanted(plan, conn, subflow);
}

/* Nobody is to wait for it, nor to take its end for that of one that was up. */
static void give_up(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	char text[ENDPOINT_TEXT_MAX];

	conn->unanswered++;
	conn_say(conn, "nobody answers the subflow from %s: given up",
		endpoint_text(&subflow->local, text));
	news_add_subflow(&plan->news, NEWS_SUBFLOW_REPAIR, conn, subflow, conn->why);
	steer_shun(&plan->steer, conn, subflow, plan->now_ns);
	quiet_forget(plan, conn, subflow);
	subflow->silence.is_over = subflow->is_in_vain = true;
	benefit_hear_gone(plan, conn, subflow);
	apart_hear_gone(plan, conn, subflow);
	/* What the application wants closed is on its account. */
	subflow->is_lost |= !subflow->is_doomed;
	subflow->asker = ASKER_NOBODY;
	set_due(plan, subflow, plan->now_ns + NAMELESS_NS);
	closing_begin(plan, conn, subflow);
	opening_run(plan, conn, 0);
}

/* Its peer takes no joins, or nothing gets through at all: the kernel will say what came of it. */
static void leave(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	conn_say(conn, "nobody answered %u subflows in a row: the next is left to the kernel",
		conn->unanswered);
	if (subflow->serial == conn->benefit.serial)
		benefit_hear_gone(plan, conn, subflow);
	silence_forget(plan, subflow);
}

/*
 * A destination where connections come up and no join is answered refuses them. It is neither dead,
 * nor is it a matter of one way there: each connection counts that has come up since the last one
 * that counted, one join that comes up clears them all, and those between other addresses prove
 * nothing.
 */
static void note_unanswered(
	struct plan *plan, const struct conn *conn, const struct subflow *subflow)
{
	static const struct refusal silence = {.error = ETIMEDOUT, .reset_reason = -1};
	struct endpoint near = endpoint_unmap(&subflow->local),
			first = endpoint_unmap(&conn->local),
			remote = endpoint_unmap(&conn->remote),
			far = endpoint_unmap(&subflow->remote);
	const struct refusals_entry *last =
		refusals_find(&plan->refusals, conn->key.netns, &far, plan->now_ns);

	if (endpoint_is_same_address(&near, &first) && endpoint_is_equal(&far, &remote) &&
		(!last || conn->created_ns > last->last_ns))
		refusals_note(&plan->refusals, conn->key.netns, &far, &silence, plan->now_ns);
}

static void judge(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	if (!is_replaced(plan, conn, subflow)) {
		if (subflow->asker == ASKER_ELEPHANT)
			conn_drop_passed(conn);
		give_up(plan, conn, subflow);
		return;
	}
	if (conn->unanswered >= SILENCE_MOST && !revival_is_on(conn, plan->now_ns)) {
		leave(plan, conn, subflow);
		return;
	}
	if (!repair_allow(plan, conn, plan->now_ns)) {
		set_due(plan, subflow, repair_free_ns(&conn->repairs));
		return;
	}
	note_unanswered(plan, conn, subflow);
	repair_want_again(plan, conn, subflow);
	give_up(plan, conn, subflow);
}

/* The kernel has closed it, and will not say so. */
static void finish(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	if (!subflow->is_gone) {
		silence_forget(plan, subflow);
		return;
	}
	news_add_subflow(&plan->news, NEWS_SUBFLOW_CLOSED, conn, subflow, "");
	subflows_remove(plan, conn, subflow);
	opening_run(plan, conn, 0);
}

static void run_due(struct plan *plan, struct subflow *subflow)
{
	struct conn *conn = subflow->silence.conn;

	if (subflow->silence.is_over)
		finish(plan, conn, subflow);
	else if (!plan->does_repair || conn->is_foreign ||
		 (!subflow->local.port && subflow->silence.is_sought))
		silence_forget(plan, subflow);
	else if (!subflow->local.port)
		seek_port(plan, subflow);
	else
		judge(plan, conn, subflow);
}

void silence_tick(struct plan *plan, uint64_t now_ns)
{
	struct agenda_entry *due;

	while ((due = agenda_find_due(&plan->silences.agenda, now_ns)))
		run_due(plan, AGENDA_OWNER(due, struct subflow, silence.due));
}

void silence_forget(struct plan *plan, struct subflow *subflow)
{
	set_due(plan, subflow, 0);
	subflow->silence.conn = NULL;
}
