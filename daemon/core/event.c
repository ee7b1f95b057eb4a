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
	case RECORD_BACKLOG:
		return EVENT_BACKLOG;
	case RECORD_INTENT:
		return EVENT_INTENT;
	case RECORD_FOREIGN:
		return EVENT_FOREIGN;
	case RECORD_TIMEOUT:
		return EVENT_TIMEOUT;
	case RECORD_OUTAGE:
		return EVENT_OUTAGE;
	case RECORD_BACKUP:
		return EVENT_BACKUP;
	case RECORD_BOUND:
		return EVENT_BOUND;
	case RECORD_STRANGER:
		return EVENT_STRANGER;
	case RECORD_FLOW:
		return EVENT_FLOW;
	}
	return EVENT_NONE;
}

static void read_end(
	struct endpoint *endpoint, uint16_t family, const uint32_t address[4], uint16_t port)
{
	endpoint->family = family;
	endpoint->port = port;
	memcpy(&endpoint->v6, address,
		family == AF_INET ? sizeof(endpoint->v4) : sizeof(endpoint->v6));
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
	if (kind == EVENT_INTENT && record.purpose > PURPOSE_OFF)
		return -EBADMSG;
	*ret_event = (struct event){.kind = kind,
		.now_ns = record.time_ns,
		.key = {.netns = record.netns, .token = record.token},
		.bytes = record.bytes,
		.generation = record.generation,
		.adds = record.adds,
		.removes = record.removes};
	if (kind == EVENT_INTENT || kind == EVENT_BACKUP)
		ret_event->uid = record.uid;
	else
		ret_event->threshold = record.threshold;
	ret_event->has_wishes = kind == EVENT_INTENT && size >= sizeof(struct wide_record);
	if (ret_event->has_wishes)
		memcpy(&ret_event->wishes,
			(const char *)bytes + offsetof(struct wide_record, wishes),
			sizeof(ret_event->wishes));
	if (kind == EVENT_INTENT) {
		ret_event->expected_bytes = record.bytes;
		ret_event->purpose = record.purpose;
		ret_event->totals = record.totals;
	}
	if (kind == EVENT_BACKLOG)
		ret_event->backlog_bytes = record.backlog;
	if (kind == EVENT_BACKUP)
		ret_event->is_backup = record.is_backup;
	if (kind == EVENT_BOUND)
		ret_event->device = record.device;
	if (kind == EVENT_TIMEOUT || kind == EVENT_OUTAGE || kind == EVENT_BACKUP) {
		read_end(&ret_event->local, record.family, record.local, record.local_port);
		read_end(&ret_event->remote, record.family, record.remote, record.remote_port);
	}
	return 0;
}
