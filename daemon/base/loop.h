/* SPDX-License-Identifier: MIT */
/* The event loop: descriptors and what to call when they are ready. */
#ifndef SUBFLOW_LOOP_H
#define SUBFLOW_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop {
	int epoll_fd;
	bool is_running;
};

/* One descriptor that the loop watches. The owner keeps it in place while it is added. */
struct source {
	int fd;
	/* @events: EPOLLIN, EPOLLOUT, ... May remove any source, itself included, and free it
	 * then: the loop fetches one event at a time. */
	void (*ready)(struct source *source, uint32_t events);
};

/* The structure that a source is a @member of. */
#define SOURCE_OWNER(source, type, member)                                                         \
	((type *)(void *)((char *)(source)-offsetof(type, member)))

int loop_init(struct loop *loop);
void loop_done(struct loop *loop);

/* -errno of epoll_ctl(2). @source->fd and @source->ready are set by the caller. */
int loop_add(struct loop *loop, struct source *source, uint32_t events);
int loop_change(struct loop *loop, struct source *source, uint32_t events);
void loop_remove(struct loop *loop, struct source *source);

/* Serves sources, one at a time, until loop_stop(). */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* CLOCK_MONOTONIC, the clock of bpf_ktime_get_ns(). */
uint64_t loop_now_ns(void);

/* What the thread has used of the CPU: what something costs, however busy the machine is. */
uint64_t loop_cpu_ns(void);

#endif
