/* SPDX-License-Identifier: MIT */
/* Judgement: what an application says of the bytes that are to come. */
#include "forecast.h"

#include "core/opening.h"

#include <stdio.h>
#include <sys/param.h>

#define MB 1000000.0

bool forecast_hear(struct conn *conn, const struct event *event)
{
	struct forecast *forecast = &conn->forecast;

	if ((int32_t)(event->generation - conn->generation) <= 0 ||
		(event->expected_bytes == forecast->expected_bytes &&
			event->purpose == forecast->purpose))
		return false;
	forecast->expected_bytes = event->expected_bytes;
	forecast->purpose = event->purpose;
	return true;
}

static bool is_to_be_left(const struct forecast *forecast)
{
	return forecast->purpose == PURPOSE_INTERACTIVE || forecast->purpose == PURPOSE_OFF;
}

static const char *reason_to_leave(const struct forecast *forecast)
{
	return forecast->purpose == PURPOSE_OFF ? "its application wants no split"
						: "its application calls it interactive";
}

/* Thresholds have their effect when they are passed. */
static void uncount(struct forecast *forecast)
{
	forecast->counted = 0;
	forecast->foreseen = 0;
}

/* What the rule has wanted and was not opened yet; what it counted beforehand counts again. */
static void leave(struct plan *plan, struct conn *conn)
{
	conn_drop_elephant(conn);
	uncount(&conn->forecast);
	conn_say(conn, "not split by the elephant rule: %s", reason_to_leave(&conn->forecast));
	news_add(&plan->news, NEWS_REQUEST, conn);
}

static void say(struct conn *conn, uint32_t more, const struct elephant_rule *rule)
{
	const struct forecast *forecast = &conn->forecast;
	char what[64] = "announced as bulk";

	if (forecast->purpose != PURPOSE_BULK)
		snprintf(what, sizeof(what), "announced %.10g MB", forecast->expected_bytes / MB);
	if (forecast->purpose != PURPOSE_BULK && forecast->expected_bytes < rule->start_bytes)
		conn_say(conn, "%s: no elephant, which begins at %.10g MB", what,
			rule->start_bytes / MB);
	else
		conn_say(conn, "%s: %u more, %u of %u", what, more, conn_count_all(conn),
			rule->max_subflows);
}

static uint64_t announced(const struct forecast *forecast)
{
	return forecast->purpose == PURPOSE_BULK ? UINT64_MAX : forecast->expected_bytes;
}

void forecast_apply(struct plan *plan, struct conn *conn, uint64_t cause_ns)
{
	struct forecast *forecast = &conn->forecast;
	const struct elephant_rule *rule = rules_of(plan, conn);
	uint64_t bytes = announced(forecast), threshold;
	uint32_t in_all, more = 0;

	if (!conn->is_established || conn->awaits_owner || conn->is_server || conn->is_foreign ||
		rules_is_never(plan, conn))
		return;
	if (is_to_be_left(forecast)) {
		leave(plan, conn);
		return;
	}
	if (!bytes) {
		uncount(forecast);
		return;
	}
	in_all = elephant_foresee(rule, bytes, &threshold);
	forecast->counted = MAX(forecast->counted, threshold);
	forecast->foreseen = MAX(forecast->foreseen, in_all);
	conn->is_elephant |= in_all > 1;
	for (uint32_t n = MAX(conn_count_all(conn), 1u) + conn_count_waived(conn); n < in_all;
		n++) {
		threshold = rule->start_bytes + (n - 1) * rule->step_bytes;
		if (conn_add_passed(conn, threshold, 0, 0))
			break;
		conn->wanted_elephant++;
		more++;
	}
	plan->counters.elephants += more;
	plan->counters.foreseen += more;
	say(conn, more, rule);
	news_add(&plan->news, NEWS_REQUEST, conn);
	if (!more)
		return;
	conn_renew_tries(conn);
	opening_run(plan, conn, cause_ns);
}

void forecast_renew(struct plan *plan, struct conn *conn)
{
	struct forecast *forecast = &conn->forecast;
	uint64_t threshold;

	if (!is_to_be_left(forecast) && elephant_foresee(rules_of(plan, conn), announced(forecast),
						&threshold) > forecast->foreseen)
		forecast_apply(plan, conn, 0);
}

bool forecast_forbids(const struct conn *conn)
{
	return is_to_be_left(&conn->forecast);
}

/* What was foreseen and did not come about is not withheld, but for what the application has
 * removed. */
const char *forecast_denial(const struct conn *conn, uint64_t threshold)
{
	const struct forecast *forecast = &conn->forecast;

	if (is_to_be_left(forecast))
		return reason_to_leave(forecast);
	return threshold <= forecast->counted &&
			       conn_count_all(conn) + conn_count_waived(conn) >= forecast->foreseen
		       ? "it was announced"
		       : NULL;
}

const char *forecast_purpose_text(enum purpose purpose)
{
	static const char *const texts[] = {
		[PURPOSE_DEFAULT] = "default",
		[PURPOSE_BULK] = "bulk",
		[PURPOSE_INTERACTIVE] = "interactive",
		[PURPOSE_OFF] = "off",
	};

	return texts[purpose];
}
