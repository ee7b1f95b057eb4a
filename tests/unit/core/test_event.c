/* SPDX-License-Identifier: MIT */
/* Records of the hooks as events. */
#include "core/event.h"

#include "../unit.h"

#include <errno.h>
#include <string.h>

static struct record record_of(uint16_t kind)
{
	return (struct record){.version = RECORD_VERSION,
		.kind = kind,
		.token = 11,
		.netns = 4711,
		.time_ns = 12345,
		.bytes = 100000001,
		.threshold = 1000,
		.adds = 3,
		.removes = 2};
}

static void decodes_every_kind(void **state)
{
	static const struct {
		uint16_t kind;
		enum event_kind event;
	} kinds[] = {{RECORD_THRESHOLD, EVENT_THRESHOLD}, {RECORD_INTENT, EVENT_INTENT},
		{RECORD_FOREIGN, EVENT_FOREIGN}, {RECORD_BOUND, EVENT_BOUND}};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct record record = record_of(kinds[i].kind);
		struct event event;

		assert_int_equal(event_from_record(&record, sizeof(record), &event), 0);
		assert_int_equal(event.kind, kinds[i].event);
		assert_int_equal(event.key.token, 11);
		assert_int_equal(event.key.netns, 4711);
		assert_int_equal(event.key.zero, 0);
		assert_int_equal(event.now_ns, 12345);
		assert_int_equal(event.bytes, 100000001);
		/* Whose request it is stands in its place. */
		assert_int_equal(event.uid, kinds[i].kind == RECORD_INTENT ? 1000 : 0);
		assert_int_equal(event.threshold, kinds[i].kind == RECORD_INTENT ? 0 : 1000);
		assert_int_equal(event.adds, 3);
		assert_int_equal(event.removes, 2);
	}
}

static void decodes_the_device_of_one_that_is_bound(void **state)
{
	struct record record = record_of(RECORD_BOUND);
	struct event event;

	(void)state;
	record.device = 3;
	assert_int_equal(event_from_record(&record, sizeof(record), &event), 0);
	assert_int_equal(event.device, 3);
	record.kind = RECORD_BACKLOG;
	assert_int_equal(event_from_record(&record, sizeof(record), &event), 0);
	assert_int_equal(event.device, 0);
}

static void decodes_the_ends_of_a_silent_subflow(void **state)
{
	struct record record = record_of(RECORD_TIMEOUT);
	struct event event;

	(void)state;
	record.family = AF_INET;
	record.local_port = 40000;
	record.remote_port = 80;
	record.local[0] = htonl(0x0a000001);
	record.remote[0] = htonl(0x0a000002);
	assert_int_equal(event_from_record(&record, sizeof(record), &event), 0);
	assert_int_equal(event.kind, EVENT_TIMEOUT);
	assert_int_equal(event.local.family, AF_INET);
	assert_int_equal(event.local.port, 40000);
	assert_int_equal(event.local.v4.s_addr, htonl(0x0a000001));
	assert_int_equal(event.remote.port, 80);
	assert_int_equal(event.remote.v4.s_addr, htonl(0x0a000002));

	record.kind = RECORD_OUTAGE;
	record.family = AF_INET6;
	record.remote[3] = htonl(1);
	assert_int_equal(event_from_record(&record, sizeof(record), &event), 0);
	assert_int_equal(event.kind, EVENT_OUTAGE);
	assert_int_equal(event.remote.family, AF_INET6);
	assert_memory_equal(&event.remote.v6, record.remote, sizeof(record.remote));
}

static void decodes_what_is_expected(void **state)
{
	struct record record = record_of(RECORD_INTENT);
	struct event event;

	(void)state;
	record.purpose = PURPOSE_BULK;
	record.totals = 3;
	assert_int_equal(event_from_record(&record, sizeof(record), &event), 0);
	assert_int_equal(event.expected_bytes, 100000001);
	assert_int_equal(event.purpose, PURPOSE_BULK);
	assert_int_equal(event.totals, 3);
	assert_false(event.is_backup);
	record.kind = RECORD_BACKLOG;
	record.backlog = 4000000;
	assert_int_equal(event_from_record(&record, sizeof(record), &event), 0);
	assert_int_equal(event.kind, EVENT_BACKLOG);
	assert_int_equal(event.backlog_bytes, 4000000);
	assert_int_equal(event.bytes, 100000001);
	record.kind = RECORD_THRESHOLD;
	assert_int_equal(event_from_record(&record, sizeof(record), &event), 0);
	assert_int_equal(event.backlog_bytes, 0);
	record.kind = RECORD_BACKUP;
	assert_int_equal(event_from_record(&record, sizeof(record), &event), 0);
	assert_int_equal(event.uid, 1000);
	assert_int_equal(event.expected_bytes, 0);
	assert_int_equal(event.purpose, PURPOSE_DEFAULT);
	assert_true(event.is_backup);
}

/* The ring rounds sizes up. */
static void more_bytes_do_no_harm(void **state)
{
	struct {
		struct record record;
		uint64_t more;
	} bytes = {.record = record_of(RECORD_INTENT), .more = ~0ull};
	struct event event;

	(void)state;
	assert_int_equal(event_from_record(&bytes, sizeof(bytes), &event), 0);
	assert_int_equal(event.kind, EVENT_INTENT);
}

static void bad_records_are_refused(void **state)
{
	struct record record = record_of(RECORD_INTENT);
	struct event event = {.serial = 77};

	(void)state;
	assert_int_equal(event_from_record(&record, sizeof(record) - 1, &event), -EBADMSG);
	assert_int_equal(event_from_record(&record, 0, &event), -EBADMSG);
	record.version++;
	assert_int_equal(event_from_record(&record, sizeof(record), &event), -EBADMSG);
	record = record_of(0);
	assert_int_equal(event_from_record(&record, sizeof(record), &event), -EBADMSG);
	record = record_of(RECORD_INTENT);
	record.purpose = PURPOSE_OFF + 1;
	assert_int_equal(event_from_record(&record, sizeof(record), &event), -EBADMSG);
	record = record_of(0xffff);
	assert_int_equal(event_from_record(&record, sizeof(record), &event), -EBADMSG);
	assert_int_equal(event.serial, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_every_kind),
		cmocka_unit_test(decodes_the_device_of_one_that_is_bound),
		cmocka_unit_test(decodes_the_ends_of_a_silent_subflow),
		cmocka_unit_test(decodes_what_is_expected),
		cmocka_unit_test(more_bytes_do_no_harm),
		cmocka_unit_test(bad_records_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
