/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include "base/log.h"

#include "subflow.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

/* Requests, one after the other, while more come: then the path manager's events are to be heard.
 */
#define TURNS_MAX 16

/* As the kernel does. */
static size_t round_up(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

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

/* Whether no other follows on the one that is being read. */
static bool is_last(const struct hooks *hooks, size_t size)
{
	unsigned long after = *hooks->consumed + round_up(size + BPF_RINGBUF_HDR_SZ);

	return __atomic_load_n(hooks->produced, __ATOMIC_ACQUIRE) == after;
}

/*
 * While the last record counts as being read the kernel wakes nobody up for those that come, which
 * is most of what a call with a record costs: so what is to be done is done meanwhile. libbpf: an
 * error ends the reading after this record.
 */
static int read_record(void *context, void *data, size_t size)
{
	struct hooks *hooks = context;

	hear(hooks, data, size);
	if (hooks->turns && is_last(hooks, size)) {
		hooks->read(hooks->owner);
		hooks->turns--;
		if (!hooks->turns)
			return -EAGAIN;
	}
	return hooks->left-- > 1 ? 0 : -EAGAIN;
}

static void hear_walked(void *arg, const struct wide_record *record)
{
	hear(arg, record, sizeof(*record));
}

/* A full ring lost doorbells: what they were about is still in the sockets. */
static void check_losses(struct hooks *hooks)
{
	struct hook_counters counters = hooks_counters(hooks);
	int err;

	if (counters.untold != hooks->untold_seen) {
		hooks->untold_seen = counters.untold;
		hooks->missed(hooks->owner);
	}
	if (counters.lost == hooks->lost_seen)
		return;
	hooks->lost_seen = counters.lost;
	err = hooks_walk(hooks, hear_walked, hooks);
	if (err)
		log_error("cannot walk the sockets for lost requests: %s", strerror(-err));
}

/* Not more than there may be now: who fills the ring must not keep us here. */
static void drain(struct hooks *hooks, uint32_t turns)
{
	if (!hooks_are_there(hooks))
		return;
	hooks->turns = turns;
	hooks->left = hooks->ring_records;
	ring_buffer__consume(hooks->ring);
	check_losses(hooks);
}

static void read_ring(struct source *source, uint32_t events)
{
	struct hooks *hooks = SOURCE_OWNER(source, struct hooks, source);

	(void)events;
	hooks->rung(hooks->owner);
	drain(hooks, TURNS_MAX);
	hooks->read(hooks->owner);
}

void ring_drain(struct hooks *hooks)
{
	drain(hooks, 0);
}

bool ring_is_read(const struct hooks *hooks)
{
	return !hooks_are_there(hooks) ||
	       __atomic_load_n(hooks->produced, __ATOMIC_ACQUIRE) == *hooks->consumed;
}

static int map_positions(struct hooks *hooks)
{
	size_t page = sysconf(_SC_PAGESIZE);
	/* kernel/bpf/ringbuf.c: the consumer's page, the producer's, and what is in the ring. */
	void *pages = mmap(
		NULL, 2 * page, PROT_READ, MAP_SHARED, bpf_map__fd(hooks->skeleton->maps.ring), 0);

	if (pages == MAP_FAILED)
		return -errno;
	hooks->consumed = pages;
	hooks->produced = (void *)((char *)pages + page);
	return 0;
}

int ring_open(struct hooks *hooks, struct loop *loop, char *error, size_t error_size)
{
	int err;

	hooks->ring =
		ring_buffer__new(bpf_map__fd(hooks->skeleton->maps.ring), read_record, hooks, NULL);
	err = hooks->ring ? map_positions(hooks) : -errno;
	if (err) {
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

void ring_close(struct hooks *hooks)
{
	if (hooks->consumed)
		munmap((void *)hooks->consumed, 2 * sysconf(_SC_PAGESIZE));
	hooks->consumed = hooks->produced = NULL;
	ring_buffer__free(hooks->ring);
	hooks->ring = NULL;
}

int ring_hear_all(struct hooks *hooks)
{
	return hooks_walk(hooks, hear_walked, hooks);
}
