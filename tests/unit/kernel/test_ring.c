/* SPDX-License-Identifier: MIT */
/* Records that are none of ours: dropped, and counted. */
#include "kernel/ring.h"

#include "../unit.h"

#include <stdint.h>
#include <string.h>

static struct wide_record records[8];
static size_t n_records;
static unsigned int heard;

/* The hooks, of which there is the walk alone. */
int hooks_walk(
	struct hooks *hooks, void (*each)(void *arg, const struct wide_record *record), void *arg)
{
	(void)hooks;
	for (size_t i = 0; i < n_records; i++)
		each(arg, &records[i]);
	return 0;
}

bool hooks_are_there(const struct hooks *hooks)
{
	(void)hooks;
	return false;
}

struct hook_counters hooks_counters(const struct hooks *hooks)
{
	(void)hooks;
	return (struct hook_counters){};
}

static void hear(void *owner, const struct event *event)
{
	(void)owner;
	assert_int_equal(event->key.token, 42);
	heard++;
}

static struct record *add(void)
{
	struct wide_record *record = &records[n_records++];

	memset(record, 0, sizeof(*record));
	record->record.version = RECORD_VERSION;
	record->record.kind = RECORD_INTENT;
	record->record.token = 42;
	return &record->record;
}

static void what_is_not_of_the_form_is_dropped_and_counted(void **state)
{
	struct hooks hooks = {.heard = hear};

	(void)state;
	add();
	add()->version = RECORD_VERSION + 1;
	add()->kind = UINT16_MAX;
	add()->purpose = UINT8_MAX;
	add();
	assert_int_equal(ring_hear_all(&hooks), 0);
	assert_int_equal(heard, 2);
	assert_int_equal(hooks.records, 2);
	assert_int_equal(hooks.malformed, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_of_the_form_is_dropped_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
