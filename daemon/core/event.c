/* SPDX-License-Identifier: MIT */
/* What the hooks' records say, as events. */
#include "event.h"

#include <errno.h>
#include <string.h>

static enum event_kind kind_of(uint16_t kind)
{
	switch (kind) {
	case RECORD_THRESHOLD:
		return EVENT_THRESHOLD;
	case RECORD_INTENT:
		return EVENT_INTENT;
	case RECORD_FOREIGN:
		return EVENT_FOREIGN;
	}
	return EVENT_NONE;
}

int event_from_record(const void *bytes, size_t size, struct event *ret_event)
{
	struct record record;
	enum event_kind kind;

	if (size < sizeof(record))
		return -EBADMSG;
	memcpy(&record, bytes, sizeof(record));
	kind = kind_of(record.kind);
	if (record.version != RECORD_VERSION || kind == EVENT_NONE)
		return -EBADMSG;
	*ret_event = (struct event){.kind = kind,
		.now_ns = record.time_ns,
		.key = {.netns = record.netns, .token = record.token},
		.bytes = record.bytes,
		.threshold = record.threshold,
		.adds = record.adds,
		.removes = record.removes};
	return 0;
}
