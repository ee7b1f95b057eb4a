/* SPDX-License-Identifier: MIT */
/* Judgement: the elephant rule. */
#include "elephant.h"

#include "core/opening.h"

#include <stdio.h>
#include <sys/param.h>

#define MB 1000000.0

uint32_t elephant_decide(
	const struct elephant_rule *rule, uint64_t bytes, uint32_t subflows, const char **ret_why)
{
	if (bytes < rule->start_bytes) {
		*ret_why = "it is not an elephant yet";
		return 0;
	}
	if (bytes >= rule->stop_bytes) {
		*ret_why = "it has passed stop";
		return 0;
	}
	if (subflows >= rule->max_subflows) {
		*ret_why = "it has max_subflows";
		return 0;
	}
	*ret_why = "one more subflow";
	return 1;
}

uint32_t elephant_foresee(const struct elephant_rule *rule, uint64_t bytes, uint64_t *ret_threshold)
{
	uint64_t steps;

	*ret_threshold = 0;
	if (bytes < rule->start_bytes || rule->start_bytes >= rule->stop_bytes)
		return 1;
	steps = (MIN(bytes, rule->stop_bytes - 1) - rule->start_bytes) / rule->step_bytes;
	*ret_threshold = rule->start_bytes + steps * rule->step_bytes;
	return MIN(steps + 2, rule->max_subflows);
}

/* From now on it is treated as one. */
static void note_elephant(struct plan *plan, struct conn *conn)
{
	bool was_elephant = conn->is_elephant;

	conn->is_elephant = rules_of(plan, conn)->max_subflows > 1 && !forecast_forbids(conn);
	if (was_elephant)
		return;
	apart_hear_elephant(plan, conn);
	lag_expect(plan, conn);
}

/*
 * Whoever asked for these subflows. Thresholds beyond were passed while there was no daemon, or
 * came to nothing: they have their effect when they are told of.
 */
void elephant_resume(struct plan *plan, struct conn *conn)
{
	const struct elephant_rule *rule = rules_of(plan, conn);
	uint32_t had = conn_count_live(conn) + conn_count_waived(conn);
	uint64_t last, passed, led;

	elephant_foresee(rule, conn->found_bytes, &last);
	if (conn->is_server || had < 2 || !last)
		return;
	passed = (last - rule->start_bytes) / rule->step_bytes + 1;
	led = MIN(passed, had - 1);
	progress_hear(&conn->progress, rule->start_bytes + (led - 1) * rule->step_bytes, rule);
	note_elephant(plan, conn);
}

void elephant_hear(struct plan *plan, struct conn *conn, const struct event *event)
{
	uint64_t bytes = MAX(event->bytes, event->backlog_bytes ? event->threshold : 0);
	uint32_t subflows = conn_count_all(conn), waived = conn_count_waived(conn);
	const struct elephant_rule *rule = rules_of(plan, conn);
	const char *why;
	char where[64];

	if (!progress_hear(&conn->progress, event->threshold, rule))
		return;
	plan->counters.thresholds++;
	if (conn->is_server || conn->is_foreign)
		return;
	if (rules_is_never(plan, conn))
		return;
	why = forecast_denial(conn, event->threshold);
	note_elephant(plan, conn);
	snprintf(where, sizeof(where), "%g MB", event->threshold / MB);
	if (event->backlog_bytes)
		snprintf(where, sizeof(where), "%.2f MB, with %.2f MB waiting", event->bytes / MB,
			event->backlog_bytes / MB);
	if (!why && subflows < rule->max_subflows && subflows + waived >= rule->max_subflows)
		why = "its application has removed others";
	if (why || !elephant_decide(rule, bytes, subflows, &why)) {
		/* Those that it is due count, and are not there. */
		if (brake_text(conn)) {
			why = brake_text(conn);
			subflows = conn_count_live(conn);
		}
		conn_say(conn, "no more at %s: %s (%u of %u)", where, why, subflows,
			rule->max_subflows);
		news_add_threshold(&plan->news, conn, event->threshold, event->bytes);
		return;
	}
	if (conn_add_passed(conn, event->threshold, event->bytes, event->backlog_bytes))
		return;
	conn_say(conn, "%s at %s: %u of %u", why, where, subflows + 1, rule->max_subflows);
	news_add_threshold(&plan->news, conn, event->threshold, event->bytes);
	plan->counters.elephants++;
	plan->counters.backlogs += event->backlog_bytes > 0;
	conn->wanted_elephant++;
	conn_renew_tries(conn);
	opening_run(plan, conn, event->now_ns);
}
