/* SPDX-License-Identifier: MIT */
/* Judgement: how fast a connection moves bytes, and whether it has become faster. */
#include "rate.h"

#include <sys/param.h>

#define LEAST      100000 /* bytes: who moves less in the time is idle */
#define QUEUED     65536  /* bytes that wait beyond those under way: there is enough to send */
#define WAITING    16384  /* the same, where something always is under way */
#define BUSY_TIMES 4 / 3  /* idle for a quarter of the time: there may be too little */

/* What its sender has under way is up to a round trip's worth. */
static double under_way(
	const struct rate_sample *from, const struct rate_sample *to, const struct rate *rate)
{
	return rate->bytes_per_s * 1e-6 * MAX(from->srtt_us, to->srtt_us);
}

/* A subflow may be idle all the same, where the connection waits for what is sent again. */
static bool has_enough(
	const struct rate_sample *from, const struct rate_sample *to, const struct rate *rate)
{
	if ((to->busy_us - from->busy_us) * 1000 * BUSY_TIMES >= to->now_ns - from->now_ns)
		return true;
	return MIN(from->queued, to->queued) > QUEUED + 1.5 * under_way(from, to, rate);
}

/* Something is always under way of one that sends little but often, too: nothing waits there. */
static bool has_more(
	const struct rate_sample *from, const struct rate_sample *to, const struct rate *rate)
{
	return MIN(from->queued, to->queued) > WAITING + 1.25 * under_way(from, to, rate);
}

struct rate rate_between(const struct rate_sample *from, const struct rate_sample *to)
{
	uint64_t acked, received, time_ns;
	struct rate rate = {};

	if (!from->now_ns || to->now_ns <= from->now_ns || to->bytes_acked < from->bytes_acked ||
		to->bytes_received < from->bytes_received || to->busy_us < from->busy_us)
		return rate;
	acked = to->bytes_acked - from->bytes_acked;
	received = to->bytes_received - from->bytes_received;
	time_ns = to->now_ns - from->now_ns;
	rate.is_known = true;
	rate.is_received = received > acked;
	rate.bytes = acked + received;
	rate.bytes_per_s = rate.bytes * 1e9 / time_ns;
	rate.is_busy = rate.is_received || has_enough(from, to, &rate);
	rate.is_supplied = !rate.is_received && rate.is_busy && has_more(from, to, &rate);
	return rate;
}

enum rate_verdict rate_compare(const struct rate *before, const struct rate *with,
	uint32_t margin_percent, const char **ret_why)
{
	*ret_why = "";
	if (!before->is_known || !with->is_known)
		*ret_why = "the kernel did not tell what was carried";
	else if (before->bytes < LEAST || with->bytes < LEAST ||
		 before->is_received != with->is_received)
		*ret_why = "too little was carried";
	else if (!before->is_busy || !with->is_busy)
		*ret_why = "its application had too little to send";
	/* What the sender had to send, its other end alone knows. */
	else if (with->is_received && with->bytes_per_s < before->bytes_per_s / 2)
		*ret_why = "its peer sent much less";
	if (**ret_why)
		return RATE_UNKNOWN;
	return with->bytes_per_s * 100 >= before->bytes_per_s * (100 + margin_percent) ? RATE_RISES
										       : RATE_STAYS;
}

uint64_t rate_while_busy(const struct rate_sample *from, const struct rate_sample *to)
{
	if (to->own_acked < from->own_acked || to->busy_us <= from->busy_us)
		return 0;
	return (to->own_acked - from->own_acked) * 1e6 / (to->busy_us - from->busy_us);
}

enum rate_limit rate_find_limit(const struct rate_sample *from, const struct rate_sample *to)
{
	if (to->held_us > from->held_us &&
		(to->held_us - from->held_us) * 2 >= to->busy_us - from->busy_us)
		return RATE_LIMIT_PEER;
	return to->unsent > WAITING ? RATE_LIMIT_PATH : RATE_LIMIT_SENDER;
}
