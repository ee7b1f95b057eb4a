/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include "base/log.h"

#include "subflow.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#define PORTION_MAX 16

static void hear(struct hooks *hooks, const void *bytes, size_t size)
{
	struct event event;

	if (event_from_record(bytes, size, &event)) {
		hooks->malformed++;
		return;
	}
	hooks->records++;
	hooks->heard(hooks->owner, &event);
}

/* libbpf: an error ends the reading after this record. */
static int read_record(void *context, void *data, size_t size)
{
	struct hooks *hooks = context;

	hear(hooks, data, size);
	return hooks->portion-- > 1 ? 0 : -EAGAIN;
}

static void hear_walked(void *arg, const struct wide_record *record)
{
	hear(arg, record, sizeof(*record));
}

/* A full ring lost doorbells: the intents themselves are still in their sockets. */
static void check_losses(struct hooks *hooks)
{
	uint64_t lost = hooks_counters(hooks).lost;
	int err;

	if (lost == hooks->lost_seen)
		return;
	hooks->lost_seen = lost;
	err = hooks_walk(hooks, hear_walked, hooks);
	if (err)
		log_error("cannot walk the sockets for lost requests: %s", strerror(-err));
}

/* Not more than there may be now: who fills the ring must not keep us here. */
static void drain(struct hooks *hooks, uint32_t portion)
{
	hooks->portion = portion;
	ring_buffer__consume(hooks->ring);
	check_losses(hooks);
}

/* In portions: the path manager's events are to be heard between. */
static void read_ring(struct source *source, uint32_t events)
{
	struct hooks *hooks = SOURCE_OWNER(source, struct hooks, source);

	(void)events;
	hooks->rung(hooks->owner);
	drain(hooks, PORTION_MAX);
}

void ring_drain(struct hooks *hooks)
{
	drain(hooks, hooks->ring_records);
}

int ring_open(struct hooks *hooks, struct loop *loop, char *error, size_t error_size)
{
	int err;

	hooks->ring =
		ring_buffer__new(bpf_map__fd(hooks->skeleton->maps.ring), read_record, hooks, NULL);
	if (!hooks->ring) {
		err = -errno;
		snprintf(error, error_size, "the ring cannot be mapped: %s", strerror(-err));
		return err;
	}
	/* Not libbpf's epoll set around it: that would be one more to be woken up in each call. */
	hooks->source.fd = bpf_map__fd(hooks->skeleton->maps.ring);
	hooks->source.ready = read_ring;
	err = loop_add(loop, &hooks->source, EPOLLIN);
	if (err)
		snprintf(error, error_size, "the ring cannot be watched: %s", strerror(-err));
	return err;
}

int ring_hear_all(struct hooks *hooks)
{
	return hooks_walk(hooks, hear_walked, hooks);
}
