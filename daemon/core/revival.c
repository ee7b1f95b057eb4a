/* SPDX-License-Identifier: MIT */
/* Judgement: a subflow that has died is not forgotten where nothing has come up in its place. */
#include "revival.h"

#include "core/lists.h"
#include "core/opening.h"

#include <sys/param.h>

#define SECOND_NS 1000000000ull
#define REST_NS   SECOND_NS /* after the first try; twice as long after each other one */

/*
 * Of the rest: from then on each is as long as the one before. While others live there is time, and
 * beyond REVIVAL_NS it is not known how much.
 */
#define SHIFT_MAX      3
#define LONG_SHIFT_MAX 6

void revival_init(struct revivals *revivals)
{
	*revivals = (struct revivals){};
	agenda_init(&revivals->agenda);
}

/* 0 = nothing is due. */
static void set_due(struct plan *plan, struct conn *conn, uint64_t due_ns)
{
	agenda_set(&plan->revivals.agenda, &conn->revival.due, due_ns);
}

void revival_begin(struct plan *plan, struct conn *conn)
{
	conn->revival.died_ns = plan->now_ns;
	conn->revival.tries = 0;
}

void revival_end(struct conn *conn)
{
	conn->revival.died_ns = 0;
}

bool revival_is_on(const struct conn *conn, uint64_t now_ns)
{
	const struct revival *revival = &conn->revival;

	return revival->died_ns && now_ns < revival->died_ns + REVIVAL_NS &&
	       !conn_has_established(conn, NULL);
}

/* Of those that have died and were not replaced: what a list or a full mesh opens. */
static uint32_t count_owed(const struct conn *conn)
{
	return mesh_count_owed(conn->mesh) + listed_count_owed(conn->listed);
}

/* Whether what is to take the place of one that has died is on its way. */
static bool is_under_way(const struct conn *conn)
{
	const struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->state == SUBFLOW_OPENING && subflow->asker == ASKER_REPAIR)
			return true;
	}
	return conn->wanted_repair;
}

/* Whether one is to be tried. Where none is left the kernel says when it is too late. */
static bool lacks_one(const struct conn *conn)
{
	if (!conn_has_established(conn, NULL))
		return conn->revival.died_ns && !conn_count_live(conn);
	return (conn->revival.missing || count_owed(conn)) && !is_under_way(conn);
}

static uint64_t rest_ns(const struct plan *plan, const struct conn *conn)
{
	uint32_t most = revival_is_on(conn, plan->now_ns) ? SHIFT_MAX : LONG_SHIFT_MAX;

	return REST_NS << MIN(conn->revival.tries, most);
}

/* Not before the budget allows it. */
static void expect_at(struct plan *plan, struct conn *conn, uint64_t due_ns)
{
	set_due(plan, conn, MAX(due_ns, repair_free_ns(&conn->repairs)));
}

/* After the rest, and not before @from_ns. */
static void expect_from(struct plan *plan, struct conn *conn, uint64_t from_ns)
{
	expect_at(plan, conn, MAX(from_ns, plan->now_ns + rest_ns(plan, conn)));
}

void revival_expect(struct plan *plan, struct conn *conn)
{
	if (lacks_one(conn) && !conn->revival.due.at_ns)
		expect_from(plan, conn, 0);
}

/* One that came up and was not reset in its first second shows that others may: no long rests. */
static void heed_success(struct plan *plan, struct conn *conn)
{
	struct revival *revival = &conn->revival;

	if (revival->up_ns && plan->now_ns >= revival->up_ns + REFUSAL_NS)
		revival->tries = 0;
}

void revival_miss(struct plan *plan, struct conn *conn, uint64_t from_ns)
{
	heed_success(plan, conn);
	conn->revival.up_ns = 0;
	conn->revival.missing++;
	expect_from(plan, conn, from_ns);
}

void revival_waive(struct conn *conn)
{
	conn->revival.missing = 0;
	mesh_waive(conn->mesh);
	lists_waive(conn);
}

void revival_hear_established(struct plan *plan, struct conn *conn)
{
	conn->revival.up_ns = plan->now_ns;
	if (lacks_one(conn))
		expect_at(plan, conn, plan->now_ns + REFUSAL_NS);
}

void revival_hear_addresses(struct plan *plan, struct conn *conn)
{
	if (!lacks_one(conn))
		return;
	conn->revival.tries = 0;
	expect_from(plan, conn, 0);
}

static void say(struct plan *plan, struct conn *conn)
{
	if (conn_has_established(conn, NULL))
		conn_say(conn,
			"%u of its subflows have died and were not replaced: one is tried again",
			conn->revival.missing + count_owed(conn));
	else
		conn_say(conn,
			"its last subflow has died, and nothing has come up in its place: tried "
			"again");
	news_add(&plan->news, NEWS_HELD, conn);
}

static void try_again(struct plan *plan, struct conn *conn)
{
	struct revival *revival = &conn->revival;

	say(plan, conn);
	revival->tries++;
	conn_renew_tries(conn);
	/* To live comes first, from wherever that is. */
	if (!conn_has_established(conn, NULL) ||
		(!mesh_pay(conn->mesh) && !lists_pay(plan, conn))) {
		revival->missing -= revival->missing > 0;
		if (!conn->wanted_repair)
			conn_want_again(conn, ASKER_REPAIR);
	}
	conn->is_mending = true;
	opening_run(plan, conn, 0);
}

static void run_due(struct plan *plan, struct conn *conn)
{
	set_due(plan, conn, 0);
	if (!plan->does_repair)
		revival_waive(conn);
	if (!plan->does_repair || !lacks_one(conn))
		return;
	heed_success(plan, conn);
	if (plan->now_ns < repair_free_ns(&conn->repairs)) {
		expect_from(plan, conn, 0);
		return;
	}
	repair_allow(plan, conn, plan->now_ns);
	try_again(plan, conn);
	revival_expect(plan, conn);
}

void revival_tick(struct plan *plan, uint64_t now_ns)
{
	struct agenda_entry *due;

	while ((due = agenda_find_due(&plan->revivals.agenda, now_ns)))
		run_due(plan, AGENDA_OWNER(due, struct conn, revival.due));
}

void revival_forget(struct plan *plan, struct conn *conn)
{
	set_due(plan, conn, 0);
}
