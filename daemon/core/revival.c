/* SPDX-License-Identifier: MIT */
/* Judgement: a connection whose last subflow has died is given another one, while there is time. */
#include "revival.h"

#include "core/opening.h"

#include <sys/param.h>

#define SECOND_NS 1000000000ull
#define REST_NS   SECOND_NS /* after the first try; twice as long after each other one */
#define SHIFT_MAX 3         /* of the rest: from then on each is as long as the one before */

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

void revival_expect(struct plan *plan, struct conn *conn)
{
	uint64_t rest_ns = REST_NS << MIN(conn->revival.tries, SHIFT_MAX);

	if (!revival_is_on(conn, plan->now_ns) || conn_count_live(conn) || conn->revival.due.at_ns)
		return;
	set_due(plan, conn, plan->now_ns + rest_ns);
}

static void try_again(struct plan *plan, struct conn *conn)
{
	uint64_t end_ns = conn->revival.died_ns + REVIVAL_NS;

	conn_say(conn,
		"its last subflow has died, and nothing has come up in its place: tried again, for "
		"another %llu s",
		(end_ns - plan->now_ns + SECOND_NS - 1) / SECOND_NS);
	conn_renew_tries(conn);
	if (!conn->wanted_repair)
		conn_want_again(conn, ASKER_REPAIR);
	conn->is_mending = true;
	opening_run(plan, conn, 0);
}

static void run_due(struct plan *plan, struct conn *conn)
{
	set_due(plan, conn, 0);
	if (!plan->does_repair || !revival_is_on(conn, plan->now_ns) || conn_count_live(conn))
		return;
	conn->revival.tries++;
	if (repair_allow(plan, conn, plan->now_ns))
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
