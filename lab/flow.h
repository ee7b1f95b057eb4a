/* SPDX-License-Identifier: MIT */
/* One flow of the traffic, out or in: its socket, how far it has come, what is told of it. */
#ifndef LAB_FLOW_H
#define LAB_FLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

/* The first bytes of each flow, native order: both ends are one machine. */
struct header {
	uint64_t id, start_ns, bytes;
};

struct flow {
	int fd;
	bool is_in, has_paused, is_paused;
	int protocol;  /* out */
	uint16_t from; /* out: the local port; 0 = the kernel's choice */
	struct header header;
	uint64_t done;      /* bytes, the header included */
	uint64_t delay_ns;  /* out: after `go` */
	uint64_t last_ns;   /* in: when bytes came last */
	uint64_t gap_ns;    /* in: the longest time without any */
	uint64_t resume_ns; /* when a pause ends */
	struct sockaddr_storage to;
	socklen_t to_len;
	LIST_ENTRY(flow) arriving;
	TAILQ_ENTRY(flow) paused;
};

struct flows {
	int epoll;
	bool tells_tokens;
	uint64_t rest_ns;  /* senders send nothing for so long, once half is sent */
	uint64_t stall_ns; /* receivers take nothing for so long, once half has come */
	LIST_HEAD(, flow) arriving;
	TAILQ_HEAD(, flow) paused; /* the first one ends first: all pauses are of one length */
};

uint64_t now_ns(void);
_Noreturn void die(const char *what);

/* Sets what is waited for; `operation` as of epoll_ctl(2). */
void flow_watch(const struct flows *flows, struct flow *flow, int operation, uint32_t events);

/* Out: connects. A failure is told. */
void flow_begin(struct flows *flows, struct flow *flow);

/* In: a connection that was accepted. */
void flow_accept(struct flows *flows, int fd);

/* What epoll has told of; afterwards `flow` may be gone. */
void flow_go_on(struct flows *flows, struct flow *flow);

/* Ends the pauses that are over; returns when the next one is, 0: there is none. */
uint64_t flow_resume(struct flows *flows, uint64_t now);

/* Tells how far those that arrive have come. */
void flow_sample(const struct flows *flows, uint64_t now);

#endif
