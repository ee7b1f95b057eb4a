/* SPDX-License-Identifier: MIT */
/* Memory: how far a connection has come, for detectors that look at it now and then. */
#include "progress.h"

#include <sys/param.h>

#define SECOND_NS  1000000000ull
#define RATE_FIRST 1250000000ull /* 10 Gbit/s */
#define LEAST_NS   10000000ull   /* between two looks: a look costs some ten microseconds */
#define CALMING    4             /* what is left at each look of a rate that is not kept up */

void progress_note(struct progress *progress, uint64_t bytes, uint64_t now_ns)
{
	uint64_t more = bytes > progress->bytes ? bytes - progress->bytes : 0;
	uint64_t elapsed_ns = now_ns - progress->looked_ns;

	if (!progress->looked_ns)
		progress->rate = RATE_FIRST;
	else if (elapsed_ns)
		progress->rate = MAX(
			(uint64_t)(2.0 * more * SECOND_NS / elapsed_ns), progress->rate / CALMING);
	progress->bytes += more;
	progress->looked_ns = now_ns;
}

static uint64_t next_of(const struct progress *progress, const struct elephant_rule *rule)
{
	return progress->next ? progress->next : rule->start_bytes;
}

uint64_t progress_next(const struct progress *progress, const struct elephant_rule *rule)
{
	uint64_t next = next_of(progress, rule);

	return next < rule->stop_bytes ? next : UINT64_MAX;
}

bool progress_hear(struct progress *progress, uint64_t threshold, const struct elephant_rule *rule)
{
	if (threshold < progress->next)
		return false;
	progress->next = threshold + rule->step_bytes;
	return true;
}

uint64_t progress_pass(struct progress *progress, const struct elephant_rule *rule)
{
	uint64_t next = next_of(progress, rule);

	if (next >= rule->stop_bytes || progress->bytes < next)
		return 0;
	progress->next = next + rule->step_bytes;
	return next;
}

static uint64_t wait_of(uint64_t left, uint64_t rate, const struct progress_care *care)
{
	uint64_t wait_ns = MIN((double)care->most_ns,
		((double)left + care->late_bytes) * SECOND_NS / MAX(rate, 1u));

	return MAX(wait_ns, LEAST_NS);
}

uint64_t progress_first_wait(const struct elephant_rule *rule, const struct progress_care *care)
{
	return rule->start_bytes < rule->stop_bytes ? wait_of(rule->start_bytes, RATE_FIRST, care)
						    : 0;
}

uint64_t progress_due(const struct progress *progress, const struct elephant_rule *rule,
	const struct progress_care *care, uint64_t now_ns)
{
	uint64_t next = next_of(progress, rule);

	if (next >= rule->stop_bytes)
		return 0;
	if (!progress->looked_ns)
		return now_ns;
	return progress->looked_ns +
	       wait_of(next > progress->bytes ? next - progress->bytes : 0, progress->rate, care);
}
