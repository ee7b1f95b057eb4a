/* SPDX-License-Identifier: MIT */
/* Judgement: what holds a fast connection back. */
#include "brake.h"

#include "core/opening.h"

#include <errno.h>
#include <sys/param.h>

#define LOST_NS      1000000000ull /* an answer that has not come by then does not come */
#define FRESH_NS     1000000000ull /* so long what was found holds */
#define WAIT_NS      1000000000ull /* until it is looked at again, and twice as long each time */
#define WAIT_MOST_NS (32 * WAIT_NS)

/* What waits to be sent is so at one moment: of a burst something does, whatever its limit is. */
#define SAMPLES  3
#define APART_NS 20000000ull

void brake_init(struct brakes *brakes)
{
	*brakes = (struct brakes){};
	agenda_init(&brakes->agenda);
}

/* 0 = nothing is due. */
static void set_due(struct plan *plan, struct conn *conn, uint64_t due_ns)
{
	agenda_set(&plan->brakes.agenda, &conn->brake.due, due_ns);
}

static void idle(struct plan *plan, struct conn *conn)
{
	set_due(plan, conn, 0);
	conn->brake.phase = BRAKE_IDLE;
	conn->brake.wait_ns = 0;
	conn->brake.cause_ns = 0;
	conn->brake.paths = 0;
}

/* The oldest one that carries data speaks for all: the kernel gives none of them more to send than
 * it has for the others. */
static const struct subflow *choose_measured(const struct conn *conn)
{
	const struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->state == SUBFLOW_ESTABLISHED && !subflow->is_doomed)
			return subflow;
	}
	return NULL;
}

static bool ask(struct plan *plan, struct conn *conn)
{
	const struct subflow *subflow = choose_measured(conn);
	struct brake *brake = &conn->brake;
	struct action *action;

	if (!subflow)
		return false;
	action = actions_add_about(&plan->actions, ACTION_MEASURE, conn, subflow);
	if (!action)
		return false;
	if (brake->measured != subflow->serial)
		brake->seen = (struct rate_sample){};
	brake->measured = subflow->serial;
	brake->asked = action->serial = ++conn->questions;
	brake->phase = BRAKE_ASKED;
	set_due(plan, conn, plan->now_ns + LOST_NS);
	return true;
}

static void say(struct conn *conn)
{
	conn_say(conn, "not split while no path holds it back: %s, at %.1f Gbit/s",
		brake_text(conn), conn->brake.bytes_per_s * 8e-9);
}

int brake_admit(struct plan *plan, struct conn *conn, uint64_t cause_ns)
{
	struct brake *brake = &conn->brake;

	/* Of what was announced nothing has been carried yet. */
	if (!plan->brakes.rule.fast_bytes_per_s || conn_is_foreseen(conn))
		return 0;
	if (brake->phase == BRAKE_FREE && plan->now_ns < brake->due.at_ns)
		return 0;
	if (brake->phase == BRAKE_HELD)
		say(conn);
	if (brake->phase == BRAKE_ASKED || brake->phase == BRAKE_AGAIN ||
		brake->phase == BRAKE_HELD)
		return -EBUSY;
	brake->cause_ns = cause_ns;
	return ask(plan, conn) ? -EBUSY : 0;
}

static void release(struct plan *plan, struct conn *conn)
{
	struct brake *brake = &conn->brake;

	if (brake->wait_ns)
		conn_say(conn, "a path holds it back by now: it gets what it is due");
	brake->phase = BRAKE_FREE;
	brake->wait_ns = 0;
	brake->paths = 0;
	set_due(plan, conn, plan->now_ns + FRESH_NS);
	opening_run(plan, conn, brake->cause_ns);
	brake->cause_ns = 0;
}

static void look_again(struct plan *plan, struct conn *conn)
{
	conn->brake.phase = BRAKE_AGAIN;
	set_due(plan, conn, plan->now_ns + APART_NS);
}

static void hold(struct plan *plan, struct conn *conn, enum rate_limit limit)
{
	struct brake *brake = &conn->brake;
	bool is_new = !brake->wait_ns;

	brake->limit = limit;
	brake->phase = BRAKE_HELD;
	brake->wait_ns = is_new ? WAIT_NS : MIN(brake->wait_ns * 2, WAIT_MOST_NS);
	brake->cause_ns = 0;
	brake->paths = 0;
	set_due(plan, conn, plan->now_ns + brake->wait_ns);
	say(conn);
	if (!is_new)
		return;
	plan->brakes.held++;
	news_add(&plan->news, NEWS_HELD, conn);
}

void brake_hear_measured(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct brake *brake = &conn->brake;
	enum rate_limit limit;

	if (event->serial != brake->asked || brake->phase != BRAKE_ASKED)
		return;
	if (event->error) {
		release(plan, conn);
		return;
	}
	if (!brake->paths)
		brake->bytes_per_s = rate_while_busy(&brake->seen, &event->sample);
	limit = rate_find_limit(&brake->seen, &event->sample);
	brake->seen = event->sample;
	/* Once it waits, a path that takes less is what it waits for. */
	if (!brake->wait_ns && brake->bytes_per_s < plan->brakes.rule.fast_bytes_per_s)
		release(plan, conn);
	else if (limit != RATE_LIMIT_PATH)
		hold(plan, conn, limit);
	else if (++brake->paths == SAMPLES)
		release(plan, conn);
	else
		look_again(plan, conn);
}

const char *brake_text(const struct conn *conn)
{
	if (!conn->brake.wait_ns)
		return NULL;
	return conn->brake.limit == RATE_LIMIT_PEER ? "its peer takes no more"
						    : "its sender has no more to send";
}

static void run_due(struct plan *plan, struct conn *conn)
{
	uint64_t cause_ns = conn->brake.cause_ns;

	switch (conn->brake.phase) {
	case BRAKE_AGAIN:
	case BRAKE_HELD:
		if (!conn->wanted_elephant || !plan->brakes.rule.fast_bytes_per_s)
			idle(plan, conn);
		else if (ask(plan, conn))
			return;
		break;
	case BRAKE_ASKED:
		release(plan, conn);
		return;
	case BRAKE_FREE:
	case BRAKE_IDLE:
		break;
	}
	idle(plan, conn);
	opening_run(plan, conn, cause_ns);
}

void brake_tick(struct plan *plan, uint64_t now_ns)
{
	struct agenda_entry *due;

	while ((due = agenda_find_due(&plan->brakes.agenda, now_ns)))
		run_due(plan, AGENDA_OWNER(due, struct conn, brake.due));
}

void brake_forget(struct plan *plan, struct conn *conn)
{
	idle(plan, conn);
}
