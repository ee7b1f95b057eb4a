/* SPDX-License-Identifier: MIT */
/* Judgement: subflows of elephants that share a way while another one is free are moved there. */
#include "apart.h"

#include "core/closing.h"
#include "core/opening.h"

#include <errno.h>
#include <sys/param.h>

/*
 * A peer that takes no more subflows answers the SYN and resets after the third packet: the old one
 * stays until then.
 */
#define PROOF_NS   100000000ull
#define AGAIN_NS   200000000ull   /* while one of its subflows is on trial */
#define SURVEY_NS  1000000000ull  /* between two questions for paths of one connection */
#define UNHEARD_NS 20000000000ull /* no survey takes longer: it has not begun */
#define RESTS_MAX  4              /* from then on each is as long as the one before */
#define DOUBT_NS   5000000000ull  /* before the paths of its subflows are asked again */
#define RETURN_NS  60000000000ull /* from the first look for one that has failed to the next */
#define RIVALS_MAX 8              /* that began before, and that began after */
#define WOKEN_MAX  4              /* of those that wait, for each way that becomes free */

void apart_init(struct aparts *aparts)
{
	*aparts = (struct aparts){};
	agenda_init(&aparts->agenda);
	TAILQ_INIT(&aparts->waiting);
}

/* 0 = nothing is due. */
static void set_due(struct plan *plan, struct conn *conn, uint64_t due_ns)
{
	conn->apart.is_distant = false;
	agenda_set(&plan->aparts.agenda, &conn->apart.due, due_ns);
}

static void set_waiting(struct plan *plan, struct conn *conn, bool is_waiting)
{
	struct aparts *aparts = &plan->aparts;

	if (conn->apart.is_waiting)
		TAILQ_REMOVE(&aparts->waiting, conn, apart.waiting);
	conn->apart.is_waiting = is_waiting;
	if (is_waiting)
		TAILQ_INSERT_TAIL(&aparts->waiting, conn, apart.waiting);
}

/* The one that is to take another's place; NULL: nothing is being moved. */
static struct subflow *find_heir(struct conn *conn)
{
	struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->replaces)
			return subflow;
	}
	return NULL;
}

/* Many hosts, and many connections of one, are not to move in step. */
static void set_due_after(struct plan *plan, struct conn *conn, uint64_t cause_ns)
{
	uint64_t lot = ports_random(&plan->steer.random) >> 32;

	set_due(plan, conn, cause_ns + (lot * plan->aparts.rule.delay_ns >> 32) + 1);
}

/* The same, if it is not looked at before; and what happens meanwhile is looked at at once. */
static void set_due_late(struct plan *plan, struct conn *conn, uint64_t cause_ns)
{
	struct apart *apart = &conn->apart;

	if (apart->due.at_ns && (!apart->is_distant || apart->due.at_ns <= cause_ns))
		return;
	set_due_after(plan, conn, MAX(cause_ns, plan->now_ns));
	apart->is_distant = true;
}

static bool is_mobile(const struct conn *conn)
{
	return conn->is_elephant || conn->apart.is_displaced;
}

/* Unless one of its subflows is under way: what comes of it is seen first. */
static bool is_looked_after(const struct plan *plan, struct conn *conn)
{
	return plan->aparts.rule.moves && is_mobile(conn) && plan->steer.mode == STEER_PATHS &&
	       !find_heir(conn);
}

void apart_expect(struct plan *plan, struct conn *conn)
{
	if (!is_looked_after(plan, conn) || (conn->apart.due.at_ns && !conn->apart.is_distant))
		return;
	set_due_after(plan, conn, plan->now_ns);
}

void apart_hear_shared(struct plan *plan, struct conn *conn, const struct subflow *subflow)
{
	if (steer_return_ns(&plan->steer, conn, subflow, plan->now_ns))
		conn->apart.is_displaced = true;
}

void apart_hear_elephant(struct plan *plan, struct conn *conn)
{
	struct conn *rival = conn;

	apart_expect(plan, conn);
	if (!conn->ends)
		return;
	for (int i = 0; i < RIVALS_MAX && (rival = TAILQ_NEXT(rival, rival)); i++)
		apart_expect(plan, rival);
	rival = conn;
	for (int i = 0; i < RIVALS_MAX && (rival = TAILQ_PREV(rival, conn_rivals, rival)); i++)
		apart_expect(plan, rival);
}

void apart_hear_free(struct plan *plan)
{
	struct conn *conn;

	for (int i = 0; i < WOKEN_MAX && (conn = TAILQ_FIRST(&plan->aparts.waiting)); i++) {
		set_waiting(plan, conn, false);
		apart_expect(plan, conn);
	}
}

/* What an application asked for by its address, and what no data goes over, stays where it is. */
static bool is_movable(const struct conn *conn, const struct subflow *subflow)
{
	struct endpoint first = endpoint_unmap(&conn->remote);
	struct endpoint remote = endpoint_unmap(&subflow->remote);

	if (subflow->state != SUBFLOW_ESTABLISHED || subflow->is_doomed || subflow->is_backup ||
		quiet_is_on(subflow) || subflow->is_exact || subflow->asker == ASKER_LIST)
		return false;
	if (conn->is_bound && endpoint_is_equal(&subflow->local, &conn->local))
		return false;
	return listed_allows(conn->listed, &subflow->local) &&
	       !(conn->denies_join && endpoint_is_equal(&first, &remote));
}

/* Where moves do not help for long, each rest is twice as long as the one before. */
uint64_t apart_hold_ns(const struct aparts *aparts, const struct apart *apart)
{
	return aparts->rule.hold_ns << MIN(apart->rests, RESTS_MAX);
}

/* Whether it may be moved once more; if not now, it is looked at again when it may. */
static bool may_move(struct plan *plan, struct conn *conn)
{
	const struct apart_rule *rule = &plan->aparts.rule;
	struct apart *apart = &conn->apart;
	uint64_t hold_ns = apart_hold_ns(&plan->aparts, apart);

	if (plan->now_ns >= apart->moved_ns + hold_ns)
		apart->spent = 0;
	if (apart->spent < rule->moves)
		return true;
	plan->aparts.counters.held++;
	conn_say(conn,
		"it shares a path while another is free, and stays: it was moved %u times in "
		"%llu s",
		rule->moves, hold_ns / 1000000000ull);
	news_add(&plan->news, NEWS_HELD, conn);
	set_due(plan, conn, apart->moved_ns + hold_ns);
	return false;
}

/*
 * Until one of the two is gone the connection has one more than it is due: that is noted where it
 * outlives this daemon, before the command is given.
 */
static void note_move(
	struct plan *plan, struct conn *conn, const struct subflow *old, const struct subflow *heir)
{
	conn->receipt.moved = old ? old->local.port : 0;
	conn->receipt.heir = heir ? heir->local.port : 0;
	conn_owe_receipt(&plan->table, conn);
}

static bool is_noted(const struct conn *conn, const struct subflow *subflow)
{
	return conn->receipt.moved && (subflow->local.port == conn->receipt.moved ||
					      subflow->local.port == conn->receipt.heir);
}

static void move(struct plan *plan, struct conn *conn, struct subflow *subflow,
	const struct steer_choice *choice)
{
	struct apart *apart = &conn->apart;

	apart->spent++;
	apart->moved_ns = plan->now_ns;
	if (opening_move(plan, conn, subflow, choice)) {
		plan->aparts.counters.failed++;
		return;
	}
	set_due(plan, conn, 0);
	note_move(plan, conn, subflow, find_heir(conn));
	steer_leave(subflow);
	news_add_subflow(&plan->news, NEWS_SUBFLOW_MOVE, conn, subflow, conn->why);
}

static void ask(struct plan *plan, struct conn *conn, const struct subflow *subflow)
{
	struct action *action = actions_add_about(&plan->actions, ACTION_SURVEY, conn, subflow);

	if (!action)
		return;
	action->local.port = 0;
	conn->apart.asked_ns = plan->now_ns;
}

/* The rates that are measured of a trial are those of the ways as they are. */
static bool is_on_trial(const struct conn *conn)
{
	return conn->benefit.due.at_ns || conn->benefit.phase > BENEFIT_BEFORE;
}

/* It shares a way until another becomes free, or one that has failed may be tried again. */
static void wait_for_way(struct plan *plan, struct conn *conn, uint64_t return_ns)
{
	set_waiting(plan, conn, true);
	if (return_ns)
		set_due_late(plan, conn, return_ns);
}

/* One that shares a way may not be movable yet. */
static bool has_unsettled(const struct conn *conn)
{
	const struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->state != SUBFLOW_ESTABLISHED || quiet_is_on(subflow))
			return true;
	}
	return false;
}

/* When the paths of its subflows are to be asked again; 0 = they are in no doubt. */
static uint64_t find_doubt_ns(const struct plan *plan, const struct conn *conn)
{
	const struct apart *apart = &conn->apart;
	uint64_t over_ns = apart->failed_ns + plan->steer.hold_ns;
	uint64_t doubt_ns = apart->failed_ns && apart->doubted_ns < over_ns ? over_ns : 0;
	uint64_t rest_ns = DOUBT_NS << MIN(apart->doubts, RESTS_MAX);

	if (apart->is_slow)
		doubt_ns = plan->now_ns;
	if (!doubt_ns || !apart->doubted_ns)
		return doubt_ns;
	return MAX(doubt_ns, apart->doubted_ns + rest_ns);
}

static bool is_in_doubt(const struct plan *plan, const struct conn *conn)
{
	uint64_t doubt_ns = find_doubt_ns(plan, conn);

	return doubt_ns && doubt_ns <= plan->now_ns;
}

static bool is_between_same(const struct subflow *a, const struct subflow *b)
{
	return endpoint_is_same_address(&a->local, &b->local) &&
	       endpoint_is_equal(&a->remote, &b->remote);
}

/* Whether a survey will tell. */
static bool ask_again(struct plan *plan, struct conn *conn)
{
	const struct subflow *subflow, *asked = NULL;
	struct apart *apart = &conn->apart;

	apart->doubted_ns = plan->now_ns;
	apart->doubts++;
	apart->is_slow = false;
	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (!steer_doubt(&plan->steer, conn, subflow) ||
			(asked && is_between_same(asked, subflow)))
			continue;
		ask(plan, conn, subflow);
		asked = subflow;
	}
	return asked;
}

/* It shares a way since one has failed, and that is not known any more: it may be back. */
static uint64_t find_return_ns(const struct plan *plan, const struct conn *conn)
{
	uint64_t failed_ns = conn->apart.failed_ns;

	return failed_ns ? plan->now_ns + MAX(plan->now_ns - failed_ns, RETURN_NS) : 0;
}

static void look(struct plan *plan, struct conn *conn)
{
	bool is_late = conn->apart.asked_ns && plan->now_ns < conn->apart.asked_ns + SURVEY_NS;
	enum steer_company company;
	struct steer_choice choice;
	char text[ENDPOINT_TEXT_MAX];
	bool is_crowded = false;
	struct subflow *subflow;
	uint64_t return_ns = 0, way_ns;

	set_waiting(plan, conn, false);
	if (!is_mobile(conn) || conn->is_steering)
		return;
	if (is_on_trial(conn)) {
		set_due(plan, conn, plan->now_ns + AGAIN_NS);
		return;
	}
	if (is_in_doubt(plan, conn) && ask_again(plan, conn)) {
		set_due_late(plan, conn, plan->now_ns + SURVEY_NS);
		return;
	}
	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (!is_movable(conn, subflow))
			continue;
		company = steer_find_better(
			&plan->steer, conn, subflow, is_late, plan->now_ns, &choice);
		if (company == STEER_UNSURE) {
			if (!is_late)
				ask(plan, conn, subflow);
			set_due(plan, conn, plan->now_ns + UNHEARD_NS);
			conn->apart.is_distant = true;
			return;
		}
		if (company == STEER_CROWDED) {
			is_crowded = true;
			way_ns = steer_return_ns(&plan->steer, conn, subflow, plan->now_ns);
			if (way_ns && (!return_ns || way_ns < return_ns))
				return_ns = way_ns;
		}
		if (company != STEER_BETTER)
			continue;
		if (!may_move(plan, conn))
			return;
		conn_say(conn,
			"the subflow from %s shares its path with others of this host: it is moved",
			endpoint_text(&subflow->local, text));
		move(plan, conn, subflow, &choice);
		return;
	}
	if (is_crowded)
		wait_for_way(plan, conn, return_ns ? return_ns : find_return_ns(plan, conn));
	else if (!has_unsettled(conn)) /* each has a way of its own again */
		conn->apart.is_displaced = false;
}

/* If its paths are in doubt, it is looked at when they may be asked again. */
static void expect_doubt(struct plan *plan, struct conn *conn)
{
	uint64_t doubt_ns = find_doubt_ns(plan, conn);

	if (doubt_ns && is_looked_after(plan, conn) && !conn->is_steering)
		set_due_late(plan, conn, doubt_ns);
}

void apart_hear_failed(struct plan *plan, struct conn *conn)
{
	conn->apart.failed_ns = plan->now_ns;
	conn->apart.doubts = 0;
	expect_doubt(plan, conn);
}

void apart_hear_busy(struct plan *plan, struct conn *conn)
{
	if (steer_is_old(&plan->steer, conn, plan->now_ns))
		apart_expect(plan, conn);
}

int apart_leave(struct plan *plan, struct conn *conn, struct subflow *subflow, uint64_t median)
{
	struct apart *apart = &conn->apart;
	enum steer_company company;
	struct steer_choice choice;
	char text[ENDPOINT_TEXT_MAX];

	if (!is_movable(conn, subflow) || find_heir(conn) || is_on_trial(conn))
		return -EBUSY;
	company = steer_contend(&plan->steer, conn, subflow, plan->now_ns, &choice);
	if (company == STEER_ALONE)
		return -EBUSY;
	apart->is_slow = true;
	expect_doubt(plan, conn);
	plan->aparts.counters.slow++;
	plan->aparts.counters.stuck += company == STEER_CROWDED;
	conn_say(conn, "the subflow from %s is slow, %.1f Mbit/s where its siblings have %.1f: %s",
		endpoint_text(&subflow->local, text), subflow->pace.rate.bytes_per_s * 8 / 1e6,
		median * 8 / 1e6,
		company == STEER_BETTER ? "it is moved" : "no free path is known");
	if (company == STEER_CROWDED) {
		news_add(&plan->news, NEWS_HELD, conn);
		return -ENOENT;
	}
	if (!may_move(plan, conn))
		return -EBUSY;
	move(plan, conn, subflow, &choice);
	apart->rests += apart->spent == plan->aparts.rule.moves;
	return 0;
}

/* The heir has proved itself. What it was to replace may be gone by now: then it is one too many.
 */
static void finish(struct plan *plan, struct conn *conn, struct subflow *heir)
{
	struct subflow *old = conn_find_serial(conn, heir->replaces);
	char from[ENDPOINT_TEXT_MAX], to[ENDPOINT_TEXT_MAX];
	bool is_there = old && old->state == SUBFLOW_ESTABLISHED && !old->is_doomed;

	heir->replaces = 0;
	if (!is_there && !conn_has_established(conn, heir))
		return;
	if (!is_there)
		old = heir;
	else
		conn_say(conn, "the subflow from %s was moved to a path of its own: from %s now",
			endpoint_text(&old->local, from), endpoint_text(&heir->local, to));
	plan->aparts.counters.moved += is_there;
	conn->apart.moved += is_there;
	old->is_lost = true;
	closing_begin(plan, conn, old);
	apart_hear_free(plan);
	apart_expect(plan, conn); /* others of it may share another way */
	lag_expect(plan, conn);
}

void apart_hear_established(struct plan *plan, struct conn *conn, const struct subflow *subflow)
{
	const struct subflow *old = conn_find_serial(conn, subflow->replaces);

	if (!subflow->replaces) {
		apart_expect(plan, conn);
		lag_expect(plan, conn);
		return;
	}
	set_due(plan, conn, plan->now_ns + PROOF_NS);
	if (old && old->state == SUBFLOW_ESTABLISHED)
		quiet_set(plan, conn, old, true);
}

static struct subflow *find_port(struct conn *conn, uint16_t port)
{
	struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->local.port == port)
			return subflow;
	}
	return NULL;
}

void apart_resume(struct plan *plan, struct conn *conn)
{
	struct subflow *old, *heir;

	if (!conn->receipt.moved)
		return;
	old = find_port(conn, conn->receipt.moved);
	heir = find_port(conn, conn->receipt.heir);
	if (!old || !heir) {
		if (old && !old->is_backup)
			quiet_set(plan, conn, old, false);
		note_move(plan, conn, NULL, NULL);
		return;
	}
	heir->asker = ASKER_MOVE;
	heir->replaces = old->serial;
	steer_leave(old);
	if (heir->state == SUBFLOW_ESTABLISHED)
		apart_hear_established(plan, conn, heir);
}

/* The old one stays. Where the peer has no room for one more, it will have none soon. */
static void fail(struct plan *plan, struct conn *conn, struct subflow *heir)
{
	struct subflow *old = conn_find_serial(conn, heir->replaces);

	heir->replaces = 0;
	plan->aparts.counters.failed++;
	if (heir->is_sent && !heir->silence.is_over)
		conn->apart.spent = plan->aparts.rule.moves;
	if (old) {
		steer_stay(&plan->steer, conn, old);
		if (heir->state != SUBFLOW_OPENING && !old->is_backup)
			quiet_set(plan, conn, old, false);
	}
	set_due(plan, conn, 0);
	apart_hear_elephant(plan, conn);
}

void apart_hear_gone(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	if (is_noted(conn, subflow))
		note_move(plan, conn, NULL, NULL);
	if (subflow->replaces)
		fail(plan, conn, subflow);
	/* It has died, and was not removed: what was to replace it does. */
	if (subflow->is_leaving && subflow->state == SUBFLOW_ESTABLISHED)
		apart_inherit(conn, subflow);
	if (path_is_set(&subflow->path) && !subflow->is_light)
		apart_hear_free(plan);
}

void apart_hear_kept(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	if (is_noted(conn, subflow))
		note_move(plan, conn, NULL, NULL);
	if (subflow->is_leaving)
		steer_stay(&plan->steer, conn, subflow);
}

bool apart_inherit(struct conn *conn, const struct subflow *subflow)
{
	struct subflow *heir = find_heir(conn);

	/* It was to be one more for a moment. */
	if (heir == subflow)
		return true;
	if (!heir || heir->replaces != subflow->serial)
		return false;
	heir->replaces = 0;
	if (heir->state == SUBFLOW_OPENING)
		heir->asker = ASKER_REPAIR;
	return true;
}

static void run_due(struct plan *plan, struct conn *conn)
{
	struct subflow *heir = find_heir(conn);

	set_due(plan, conn, 0);
	if (!heir)
		look(plan, conn);
	else if (heir->state == SUBFLOW_ESTABLISHED)
		finish(plan, conn, heir);
	expect_doubt(plan, conn);
}

void apart_tick(struct plan *plan, uint64_t now_ns)
{
	struct agenda_entry *due;

	while ((due = agenda_find_due(&plan->aparts.agenda, now_ns)))
		run_due(plan, AGENDA_OWNER(due, struct conn, apart.due));
}

void apart_forget(struct plan *plan, struct conn *conn)
{
	set_due(plan, conn, 0);
	set_waiting(plan, conn, false);
}
