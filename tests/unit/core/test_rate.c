/* SPDX-License-Identifier: MIT */
/* What two rates say: it has become faster, it has not, or nothing. */
#include "core/rate.h"

#include "../unit.h"

#define MS 1000000ull

/* @ms later, so many bytes sent and received on, busy for so much of the time. */
static struct rate_sample later(
	struct rate_sample sample, uint64_t ms, uint64_t acked, uint64_t received, uint64_t busy_ms)
{
	sample.now_ns += ms * MS;
	sample.bytes_acked += acked;
	sample.bytes_received += received;
	sample.busy_us += busy_ms * 1000;
	return sample;
}

static const struct rate_sample start = {
	.now_ns = 5 * MS, .bytes_acked = 77, .bytes_received = 88, .busy_us = 99};

static struct rate sent(uint64_t bytes, uint64_t busy_ms)
{
	struct rate_sample end = later(start, 200, bytes, 0, busy_ms);

	return rate_between(&start, &end);
}

static struct rate received(uint64_t bytes)
{
	struct rate_sample end = later(start, 200, 500, bytes, 0);

	return rate_between(&start, &end);
}

static enum rate_verdict judge(struct rate before, struct rate with)
{
	const char *why;
	enum rate_verdict verdict = rate_compare(&before, &with, 10, &why);

	assert_int_equal(verdict == RATE_UNKNOWN, *why != '\0');
	return verdict;
}

/* Nothing follows from them, for this reason. */
static void proves_nothing(struct rate before, struct rate with, const char *expected)
{
	const char *why;

	assert_int_equal(rate_compare(&before, &with, 10, &why), RATE_UNKNOWN);
	assert_string_equal(why, expected);
}

static void a_rate_is_of_bytes_and_time(void **state)
{
	struct rate rate = sent(1000000, 200);

	(void)state;
	assert_true(rate.is_known && rate.is_busy && !rate.is_received);
	assert_int_equal(rate.bytes_per_s, 5000000);
	rate = received(2000000);
	assert_true(rate.is_known && rate.is_received);
	assert_int_equal(rate.bytes_per_s, 10002500);
}

static void what_is_missing_or_runs_backwards_is_no_rate(void **state)
{
	struct rate_sample none = {}, end = later(start, 200, 1, 1, 1), fewer = end;

	(void)state;
	assert_false(rate_between(&none, &end).is_known);
	assert_false(rate_between(&start, &none).is_known);
	assert_false(rate_between(&end, &start).is_known);
	assert_false(rate_between(&start, &start).is_known);
	fewer.bytes_acked = 0;
	assert_false(rate_between(&start, &fewer).is_known);
	fewer = end;
	fewer.bytes_received = 0;
	assert_false(rate_between(&start, &fewer).is_known);
	fewer = end;
	fewer.busy_us = 0;
	assert_false(rate_between(&start, &fewer).is_known);
}

static void the_margin_decides(void **state)
{
	(void)state;
	assert_int_equal(judge(sent(1000000, 200), sent(1100000, 200)), RATE_RISES);
	assert_int_equal(judge(sent(1000000, 200), sent(1099000, 200)), RATE_STAYS);
	/* One that slows its connection down, all the more. */
	assert_int_equal(judge(sent(1000000, 200), sent(300000, 200)), RATE_STAYS);
	assert_int_equal(judge(received(1000000), received(1200000)), RATE_RISES);
	assert_int_equal(judge(received(1000000), received(1000000)), RATE_STAYS);
}

static void without_evidence_there_is_no_verdict(void **state)
{
	struct rate none = {};

	(void)state;
	proves_nothing(none, sent(1000000, 200), "the kernel did not tell what was carried");
	proves_nothing(sent(1000000, 200), none, "the kernel did not tell what was carried");
	/* Idle. */
	proves_nothing(sent(1000000, 200), sent(0, 0), "too little was carried");
	proves_nothing(sent(50000, 200), sent(1000000, 200), "too little was carried");
	/* The application has too little to send for a quarter of the time. */
	proves_nothing(
		sent(1000000, 200), sent(1000000, 140), "its application had too little to send");
	proves_nothing(
		sent(1000000, 140), sent(1000000, 200), "its application had too little to send");
	assert_int_equal(judge(sent(1000000, 150), sent(1000000, 150)), RATE_STAYS);
	/* It sent, and now receives; its peer sends less. */
	proves_nothing(sent(1000000, 200), received(1000000), "too little was carried");
	proves_nothing(received(1000000), received(400000), "its peer sent much less");
}

/* While the connection waits for what is sent again its subflows are idle, and it is not. */
static void who_has_enough_waiting_is_busy(void **state)
{
	struct rate_sample from = start, to;

	(void)state;
	from.queued = 200000;
	from.srtt_us = 10000;
	to = later(from, 200, 1000000, 0, 0);
	assert_true(rate_between(&from, &to).is_busy);
	to.queued = 65536 + 75000; /* one and a half round trips of 50000 */
	assert_false(rate_between(&from, &to).is_busy);
	to.queued++;
	assert_true(rate_between(&from, &to).is_busy);
	from.queued = 0;
	assert_false(rate_between(&from, &to).is_busy);
}

/* It sends little and often: something is always under way, and nothing waits. */
static void who_sends_now_and_then_is_busy_and_not_supplied(void **state)
{
	struct rate_sample from = start, to;

	(void)state;
	from.queued = 16384 + 62500; /* a round trip of 50000, and a quarter */
	from.srtt_us = 10000;
	to = later(from, 200, 1000000, 0, 200);
	assert_true(rate_between(&from, &to).is_busy);
	assert_false(rate_between(&from, &to).is_supplied);
	from.queued = ++to.queued;
	assert_true(rate_between(&from, &to).is_supplied);
	from.queued = 0;
	assert_false(rate_between(&from, &to).is_supplied);
	/* Of what it receives nobody here can tell. */
	from = to;
	to = later(from, 200, 0, 1000000, 200);
	assert_true(rate_between(&from, &to).is_busy);
	assert_false(rate_between(&from, &to).is_supplied);
}

/* So much of its own was acknowledged, in a time in which it was busy and its peer's window shut.
 */
static struct rate_sample carried(
	uint64_t acked, uint64_t busy_us, uint64_t held_us, uint32_t unsent)
{
	struct rate_sample sample = start;

	sample.own_acked += acked;
	sample.busy_us += busy_us;
	sample.held_us += held_us;
	sample.unsent = unsent;
	return sample;
}

static void while_it_is_idle_a_subflow_is_not_slow(void **state)
{
	struct rate_sample end = carried(1000000, 2000, 0, 0);

	(void)state;
	assert_int_equal(rate_while_busy(&start, &end), 500000000);
	assert_int_equal(rate_while_busy(&start, &start), 0);
	assert_int_equal(rate_while_busy(&end, &start), 0);
}

static void what_waits_at_the_sender_waits_for_the_path(void **state)
{
	struct rate_sample sender = carried(1000000, 2000, 999, 16384),
			   path = carried(1000000, 2000, 999, 16385),
			   peer = carried(1000000, 2000, 1000, 16385);

	(void)state;
	assert_int_equal(rate_find_limit(&start, &sender), RATE_LIMIT_SENDER);
	assert_int_equal(rate_find_limit(&start, &path), RATE_LIMIT_PATH);
	assert_int_equal(rate_find_limit(&start, &peer), RATE_LIMIT_PEER);
	/* Nothing has moved since. */
	assert_int_equal(rate_find_limit(&path, &path), RATE_LIMIT_PATH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rate_is_of_bytes_and_time),
		cmocka_unit_test(what_is_missing_or_runs_backwards_is_no_rate),
		cmocka_unit_test(who_has_enough_waiting_is_busy),
		cmocka_unit_test(who_sends_now_and_then_is_busy_and_not_supplied),
		cmocka_unit_test(the_margin_decides),
		cmocka_unit_test(while_it_is_idle_a_subflow_is_not_slow),
		cmocka_unit_test(what_waits_at_the_sender_waits_for_the_path),
		cmocka_unit_test(without_evidence_there_is_no_verdict),
	};

	return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
