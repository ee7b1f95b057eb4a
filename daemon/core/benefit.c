/* SPDX-License-Identifier: MIT */
/* Judgement: whether a subflow of the elephant rule helps. */
#include "benefit.h"

#include "core/closing.h"
#include "core/opening.h"
#include "core/path.h"

#include <errno.h>
#include <sys/param.h>

#define LOST_NS   1000000000ull  /* an answer that has not come by then does not come */
#define STALE_NS  10000000000ull /* a rate that was measured before then is of another time */
#define SECOND_NS 1000000000ull

void benefit_init(struct benefits *benefits)
{
	*benefits = (struct benefits){};
	agenda_init(&benefits->agenda);
}

/* 0 = nothing is due. */
static void set_due(struct plan *plan, struct conn *conn, uint64_t due_ns)
{
	agenda_set(&plan->benefits.agenda, &conn->benefit.due, due_ns);
}

static uint64_t window_ns(const struct plan *plan, const struct rate_sample *sample)
{
	const struct benefit_rule *rule = &plan->benefits.rule;

	return MAX(rule->time_min_ns, sample->srtt_us * 1000ull * rule->time_rtts);
}

static void idle(struct plan *plan, struct conn *conn)
{
	set_due(plan, conn, 0);
	conn->benefit.phase = BENEFIT_IDLE;
	conn->benefit.serial = conn->benefit.replaced = 0;
}

/* The oldest one that carries data speaks for the connection. */
static const struct subflow *choose_measured(const struct conn *conn)
{
	const struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->state == SUBFLOW_ESTABLISHED && !subflow->is_doomed &&
			subflow->serial != conn->benefit.serial)
			return subflow;
	}
	return NULL;
}

static bool ask(struct plan *plan, struct conn *conn)
{
	const struct subflow *subflow = conn_find_serial(conn, conn->benefit.measured);
	struct action *action;

	if (!subflow || subflow->state != SUBFLOW_ESTABLISHED)
		return false;
	action = actions_add_about(&plan->actions, ACTION_MEASURE, conn, subflow);
	if (!action)
		return false;
	conn->benefit.asked = action->serial = ++conn->questions;
	return true;
}

static void begin(struct plan *plan, struct conn *conn)
{
	struct benefit *benefit = &conn->benefit;
	const struct subflow *subflow;

	benefit->phase = BENEFIT_BEFORE;
	benefit->serial = benefit->replaced = 0;
	benefit->is_disturbed = false;
	benefit->begin = benefit->joined = (struct rate_sample){};
	subflow = choose_measured(conn);
	benefit->measured = subflow ? subflow->serial : 0;
	/* Without a rate before it cannot be judged, but opened. */
	set_due(plan, conn, ask(plan, conn) ? plan->now_ns + LOST_NS : 0);
}

void benefit_prepare(struct plan *plan, struct conn *conn)
{
	if (plan->benefits.rule.margin_percent && conn->benefit.phase == BENEFIT_IDLE &&
		!conn_is_foreseen(conn))
		begin(plan, conn);
}

/* The way is known, and so are those of all others of the connection, and it is none of them. */
static bool is_apart(const struct conn *conn, const struct path *path, uint32_t serial)
{
	const struct subflow *subflow;

	if (!path_is_set(path))
		return false;
	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->serial == serial || subflow->state == SUBFLOW_CLOSING ||
			subflow->is_doomed || subflow->is_leaving)
			continue;
		if (!path_is_set(&subflow->path) || !path_is_apart(path, &subflow->path))
			return false;
	}
	return true;
}

/* One on a path of its own need not help at once: where all are split all gain in the end. */
static bool is_exempt(
	const struct plan *plan, const struct conn *conn, const struct path *path, uint32_t serial)
{
	return !plan->benefits.rule.judges_own && is_apart(conn, path, serial);
}

/* More did not help to where it goes, or this connection, not long ago. */
static bool is_left_alone(struct plan *plan, struct conn *conn, const struct endpoint *remote)
{
	const struct refusals_entry *held =
		refusals_find_held(&plan->in_vain, conn->key.netns, remote, plan->now_ns);
	uint64_t until_ns = held ? held->until_ns : conn->benefit.until_ns;
	char text[ENDPOINT_TEXT_MAX];

	if (until_ns <= plan->now_ns)
		return false;
	conn_say(conn, "no subflow: one more to %s did not help; none is tried for another %llu s",
		endpoint_text(remote, text), (until_ns - plan->now_ns + SECOND_NS - 1) / SECOND_NS);
	return true;
}

int benefit_admit(struct plan *plan, struct conn *conn, const struct path *path,
	const struct endpoint *remote)
{
	struct benefit *benefit = &conn->benefit;

	/* Of what was announced there is no rate without it. */
	if (!plan->benefits.rule.margin_percent || conn_is_foreseen(conn) ||
		is_exempt(plan, conn, path, 0))
		return 0;
	if (is_left_alone(plan, conn, remote)) {
		plan->benefits.counters.left_alone++;
		return -EHOSTDOWN;
	}
	if (benefit->phase == BENEFIT_BEFORE && !benefit->due.at_ns && benefit->begin.now_ns &&
		plan->now_ns > benefit->begin.now_ns + STALE_NS)
		benefit->phase = BENEFIT_IDLE;
	if (benefit->phase == BENEFIT_IDLE) {
		begin(plan, conn);
		conn_say(conn, "before one more subflow the rate without it is measured");
	}
	return benefit->phase == BENEFIT_BEFORE && plan->now_ns >= benefit->due.at_ns ? 1 : -EBUSY;
}

void benefit_take(struct plan *plan, struct conn *conn, const struct subflow *subflow)
{
	set_due(plan, conn, 0);
	conn->benefit.phase = BENEFIT_OPENING;
	conn->benefit.serial = subflow->serial;
}

static void measure_joined(struct plan *plan, struct conn *conn)
{
	conn->benefit.phase = BENEFIT_WITH;
	set_due(plan, conn, plan->now_ns + (ask(plan, conn) ? LOST_NS : 0));
}

void benefit_hear_established(struct plan *plan, struct conn *conn, const struct subflow *subflow)
{
	struct benefit *benefit = &conn->benefit;

	if (benefit->phase == BENEFIT_IDLE)
		return;
	if (subflow->serial != benefit->serial) {
		benefit->is_disturbed = true;
		/* Another rate is to be measured now. */
		if (benefit->phase == BENEFIT_BEFORE && !benefit->replaced)
			begin(plan, conn);
		return;
	}
	if (benefit->replaced) {
		benefit->phase = BENEFIT_SETTLING;
		set_due(plan, conn, plan->now_ns + window_ns(plan, &benefit->begin));
		return;
	}
	benefit->before = (struct rate){};
	measure_joined(plan, conn);
}

void benefit_hear_gone(struct plan *plan, struct conn *conn, const struct subflow *subflow)
{
	struct benefit *benefit = &conn->benefit;

	if (benefit->phase == BENEFIT_IDLE)
		return;
	if (subflow->serial != benefit->serial) {
		benefit->is_disturbed |= !subflow->is_in_vain;
	} else if (subflow->state != SUBFLOW_OPENING) {
		idle(plan, conn);
	} else {
		/* If it is tried again, the rate without it is known. */
		benefit->phase = BENEFIT_BEFORE;
		benefit->serial = 0;
	}
}

static double mbit(const struct rate *rate)
{
	return rate->bytes_per_s * 8 / 1e6;
}

static void keep(
	struct plan *plan, struct conn *conn, const struct subflow *subflow, const char *why)
{
	const struct benefit *benefit = &conn->benefit;
	char text[ENDPOINT_TEXT_MAX];

	endpoint_text(&subflow->local, text);
	if (*why) {
		plan->benefits.counters.unjudged++;
		conn_say(conn, "the subflow from %s stays, whether it helps is not known: %s", text,
			why);
	} else {
		plan->benefits.counters.helped++;
		conn_say(conn, "the subflow from %s helps: %.1f Mbit/s before, %.1f with it", text,
			mbit(&benefit->before), mbit(&benefit->with));
	}
	news_add_subflow(&plan->news, NEWS_SUBFLOW_JUDGED, conn, subflow, conn->why);
	idle(plan, conn);
}

/* Another port may take another path, where nobody can tell. Never where others found it in vain.
 */
static bool may_replace(struct plan *plan, const struct conn *conn, const struct subflow *subflow)
{
	return conn->benefit.replaced < plan->benefits.rule.tries && !path_is_set(&subflow->path) &&
	       !refusals_find_held(&plan->in_vain, conn->key.netns, &subflow->remote, plan->now_ns);
}

static void replace(struct plan *plan, struct conn *conn)
{
	struct benefit *benefit = &conn->benefit;

	/* The rate without it is known already. */
	set_due(plan, conn, 0);
	benefit->phase = BENEFIT_BEFORE;
	benefit->serial = 0;
	benefit->joined = (struct rate_sample){};
	benefit->replaced++;
	plan->benefits.counters.replaced++;
	conn_reopen_passed(conn);
	conn->wanted_elephant++;
	conn_renew_tries(conn);
}

/* Its application, or the reader of a download, may be slow: that says nothing of the way. */
static void take_back(struct plan *plan, struct conn *conn, const struct subflow *subflow)
{
	const struct refusal none = {.reset_reason = -1};

	plan->benefits.counters.taken_back++;
	revival_waive(conn);
	if (!conn->benefit.with.is_supplied)
		conn->benefit.until_ns = plan->now_ns + plan->in_vain.rule.hold_ns;
	else
		refusals_note(
			&plan->in_vain, conn->key.netns, &subflow->remote, &none, plan->now_ns);
	idle(plan, conn);
}

static void close_in_vain(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	bool is_replaced = may_replace(plan, conn, subflow);
	struct benefit *benefit = &conn->benefit;
	char text[ENDPOINT_TEXT_MAX];

	conn_say(conn, "the subflow from %s does not help, %.1f Mbit/s before, %.1f with it: %s",
		endpoint_text(&subflow->local, text), mbit(&benefit->before), mbit(&benefit->with),
		is_replaced ? "replaced" : "taken back");
	news_add_subflow(&plan->news, NEWS_SUBFLOW_JUDGED, conn, subflow, conn->why);
	subflow->is_lost = subflow->is_in_vain = true;
	closing_begin(plan, conn, subflow);
	if (is_replaced)
		replace(plan, conn);
	else
		take_back(plan, conn, subflow);
}

/* Others come and go, or nothing else would be left. */
static bool is_unsettled(const struct conn *conn, const struct subflow *judged)
{
	const struct subflow *other;

	if (conn->benefit.is_disturbed || !conn_has_established(conn, judged))
		return true;
	TAILQ_FOREACH (other, &conn->subflows, entry) {
		if ((other->state == SUBFLOW_CLOSING || other->is_doomed) && !other->is_in_vain)
			return true;
	}
	return false;
}

/* @last: the third sample; NULL: it could not be had. */
static void conclude(struct plan *plan, struct conn *conn, const struct rate_sample *last)
{
	struct subflow *subflow = conn_find_serial(conn, conn->benefit.serial);
	struct benefit *benefit = &conn->benefit;
	const char *why;

	if (!subflow || subflow->state != SUBFLOW_ESTABLISHED || subflow->is_doomed) {
		idle(plan, conn);
		return;
	}
	benefit->with = last ? rate_between(&benefit->joined, last) : (struct rate){};
	benefit->verdict = rate_compare(
		&benefit->before, &benefit->with, plan->benefits.rule.margin_percent, &why);
	if (is_unsettled(conn, subflow))
		why = "others came or went meanwhile";
	else if (is_exempt(plan, conn, &subflow->path, subflow->serial))
		why = "its path is its own, as is known by now";
	if (*why || !plan->benefits.rule.margin_percent)
		benefit->verdict = RATE_UNKNOWN;
	benefit->has_verdict = true;
	if (benefit->verdict == RATE_STAYS)
		close_in_vain(plan, conn, subflow);
	else
		keep(plan, conn, subflow, why);
	opening_run(plan, conn, 0);
}

static struct rate_sample sample_of(const struct event *event)
{
	struct rate_sample sample = event->sample;

	sample.now_ns = event->error ? 0 : event->now_ns;
	return sample;
}

static void hear_first(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct benefit *benefit = &conn->benefit;

	benefit->begin = sample_of(event);
	if (event->error)
		set_due(plan, conn, plan->now_ns);
	else
		set_due(plan, conn, event->now_ns + window_ns(plan, &benefit->begin));
}

static void hear_joined(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct benefit *benefit = &conn->benefit;

	benefit->joined = sample_of(event);
	if (!benefit->replaced)
		benefit->before = rate_between(&benefit->begin, &benefit->joined);
	if (event->error)
		set_due(plan, conn, plan->now_ns);
	else
		set_due(plan, conn, event->now_ns + window_ns(plan, &benefit->joined));
}

void benefit_hear_measured(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct rate_sample sample = sample_of(event);

	if (event->serial != conn->benefit.asked)
		return;
	if (conn->benefit.phase == BENEFIT_BEFORE && !conn->benefit.begin.now_ns)
		hear_first(plan, conn, event);
	else if (conn->benefit.phase == BENEFIT_WITH && !conn->benefit.joined.now_ns)
		hear_joined(plan, conn, event);
	else if (conn->benefit.phase == BENEFIT_LAST)
		conclude(plan, conn, event->error ? NULL : &sample);
}

static void run_due(struct plan *plan, struct conn *conn)
{
	set_due(plan, conn, 0);
	switch (conn->benefit.phase) {
	case BENEFIT_BEFORE:
		opening_run(plan, conn, 0);
		/* What was to be opened is not wanted any more. */
		if (conn->benefit.phase == BENEFIT_BEFORE && !conn->wanted_elephant)
			idle(plan, conn);
		break;
	case BENEFIT_SETTLING:
		measure_joined(plan, conn);
		break;
	case BENEFIT_WITH:
		conn->benefit.phase = BENEFIT_LAST;
		if (conn->benefit.joined.now_ns && ask(plan, conn))
			set_due(plan, conn, plan->now_ns + LOST_NS);
		else
			conclude(plan, conn, NULL);
		break;
	case BENEFIT_LAST:
		conclude(plan, conn, NULL);
		break;
	case BENEFIT_IDLE:
	case BENEFIT_OPENING:
		break;
	}
}

void benefit_tick(struct plan *plan, uint64_t now_ns)
{
	struct agenda_entry *due;

	while ((due = agenda_find_due(&plan->benefits.agenda, now_ns)))
		run_due(plan, AGENDA_OWNER(due, struct conn, benefit.due));
}

void benefit_forget(struct plan *plan, struct conn *conn)
{
	idle(plan, conn);
}
