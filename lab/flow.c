/* SPDX-License-Identifier: MIT */
/* One flow of the traffic, out or in: its socket, how far it has come, what is told of it. */
#include "flow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/mptcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

enum { CHUNK = 1 << 18 };

static char buffer[CHUNK];

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

void flow_watch(const struct flows *flows, struct flow *flow, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = flow};

	if (epoll_ctl(flows->epoll, operation, flow->fd, &event) < 0)
		die("epoll_ctl");
}

static void report_failure(const struct flow *flow, int error)
{
	printf("{\"failed\": %" PRIu64 ", \"done\": %" PRIu64 ", \"error\": \"%s\"}\n",
		flow->header.id, flow->done, strerror(error));
}

static void drop(struct flows *flows, struct flow *flow)
{
	close(flow->fd);
	flow->fd = -1;
	if (flow->is_paused)
		TAILQ_REMOVE(&flows->paused, flow, paused);
	if (!flow->is_in)
		return; /* it stays in the plan */
	LIST_REMOVE(flow, arriving);
	free(flow);
}

/* Though the last one that had it was closed just now: who lasts until the end leaves nothing in
 * TIME-WAIT behind. */
static bool take_port(const struct flow *flow)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(flow->from)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(flow->from)};
	struct linger none = {.l_onoff = 1};
	int yes = 1;

	if (!flow->header.bytes)
		setsockopt(flow->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	setsockopt(flow->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	return bind(flow->fd,
		       flow->to.ss_family == AF_INET ? (struct sockaddr *)&four
						     : (struct sockaddr *)&six,
		       flow->to_len) == 0;
}

void flow_begin(struct flows *flows, struct flow *flow)
{
	int family = flow->to.ss_family;

	flow->header.start_ns = now_ns();
	flow->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, flow->protocol);
	if (flow->fd < 0)
		die("socket");
	if ((flow->from && !take_port(flow)) ||
		(connect(flow->fd, (struct sockaddr *)&flow->to, flow->to_len) < 0 &&
			errno != EINPROGRESS)) {
		report_failure(flow, errno);
		drop(flows, flow);
		return;
	}
	flow_watch(flows, flow, EPOLL_CTL_ADD, EPOLLOUT);
}

void flow_accept(struct flows *flows, int fd)
{
	struct flow *flow = calloc(1, sizeof(*flow));

	if (!flow)
		die("calloc");
	flow->fd = fd;
	flow->is_in = true;
	LIST_INSERT_HEAD(&flows->arriving, flow, arriving);
	flow_watch(flows, flow, EPOLL_CTL_ADD, EPOLLIN);
}

/* Bytes until this flow, which goes out, rests; 0: it does not, or has begun to. */
static uint64_t until_rest(const struct flows *flows, const struct flow *flow)
{
	uint64_t half = flow->header.bytes / 2;

	return flows->rest_ns && half > flow->done ? half - flow->done : 0;
}

static void pause_if_due(struct flows *flows, struct flow *flow)
{
	uint64_t time_ns = flow->is_in ? flows->stall_ns : flows->rest_ns;

	if (!time_ns || flow->has_paused || flow->done < flow->header.bytes / 2 ||
		flow->done >= flow->header.bytes)
		return;
	flow->has_paused = flow->is_paused = true;
	flow->resume_ns = now_ns() + time_ns;
	flow_watch(flows, flow, EPOLL_CTL_MOD, 0);
	TAILQ_INSERT_TAIL(&flows->paused, flow, paused);
}

uint64_t flow_resume(struct flows *flows, uint64_t now)
{
	struct flow *flow;

	while ((flow = TAILQ_FIRST(&flows->paused)) && flow->resume_ns <= now) {
		TAILQ_REMOVE(&flows->paused, flow, paused);
		flow->is_paused = false;
		flow_watch(flows, flow, EPOLL_CTL_MOD, flow->is_in ? EPOLLIN : EPOLLOUT);
	}
	return flow ? flow->resume_ns : 0;
}

/* 0: the connection is not, or no longer, one of MPTCP. */
static uint32_t token_of(const struct flow *flow)
{
	struct mptcp_info info = {0};
	socklen_t size = sizeof(info);

	return getsockopt(flow->fd, SOL_MPTCP, MPTCP_INFO, &info, &size) ? 0 : info.mptcpi_token;
}

/* One chunk an event: thousands of flows take turns. */
static void push(struct flows *flows, struct flow *flow)
{
	const struct header *header = &flow->header;
	uint64_t left = header->bytes ? header->bytes - flow->done : sizeof(buffer);
	uint64_t first = until_rest(flows, flow);
	const char *from = buffer;
	ssize_t n;

	if (first && first < left)
		left = first;
	if (flow->done < sizeof(*header)) {
		from = (const char *)header + flow->done;
		left = sizeof(*header) - flow->done;
	}
	n = send(flow->fd, from, left < sizeof(buffer) ? left : sizeof(buffer), MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN) {
		report_failure(flow, errno);
		drop(flows, flow);
		return;
	}
	flow->done += n > 0 ? (uint64_t)n : 0;
	if (header->bytes && flow->done == header->bytes) {
		if (flows->tells_tokens)
			printf("{\"sent\": %" PRIu64 ", \"token\": %" PRIu32 "}\n", header->id,
				token_of(flow));
		shutdown(flow->fd, SHUT_WR);
		/* Until the receiver has closed as well. */
		flow_watch(flows, flow, EPOLL_CTL_MOD, EPOLLIN);
		return;
	}
	pause_if_due(flows, flow);
}

static void finish_out(struct flows *flows, struct flow *flow)
{
	char byte;
	ssize_t n = recv(flow->fd, &byte, 1, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		report_failure(flow, errno);
	drop(flows, flow);
}

static void take(struct flows *flows, struct flow *flow)
{
	bool has_header = flow->done >= sizeof(flow->header);
	char *to = has_header ? buffer : (char *)&flow->header + flow->done;
	size_t room = has_header ? sizeof(buffer) : sizeof(flow->header) - flow->done;
	ssize_t n = recv(flow->fd, to, room, 0);
	uint64_t now = now_ns();

	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0) {
		if (flow->last_ns && now - flow->last_ns > flow->gap_ns)
			flow->gap_ns = now - flow->last_ns;
		flow->last_ns = now;
		flow->done += (uint64_t)n;
		pause_if_due(flows, flow);
		return;
	}
	if (n < 0 || !flow->header.bytes || flow->done != flow->header.bytes)
		report_failure(flow, n < 0 ? errno : ENODATA);
	else
		printf("{\"flow\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"start_ns\": %" PRIu64
		       ", \"end_ns\": %" PRIu64 ", \"gap_ns\": %" PRIu64 "}\n",
			flow->header.id, flow->done, flow->header.start_ns, flow->last_ns,
			flow->gap_ns);
	drop(flows, flow);
}

void flow_go_on(struct flows *flows, struct flow *flow)
{
	if (flow->is_in)
		take(flows, flow);
	else if (flow->header.bytes && flow->done == flow->header.bytes)
		finish_out(flows, flow);
	else
		push(flows, flow);
}

void flow_sample(const struct flows *flows, uint64_t now)
{
	const struct flow *f;

	LIST_FOREACH (f, &flows->arriving, arriving) {
		/* A gap that has not ended counts as well. */
		uint64_t silent = f->last_ns && now > f->last_ns ? now - f->last_ns : 0;

		if (f->done < sizeof(f->header))
			continue;
		printf("{\"sample_ns\": %" PRIu64 ", \"flow\": %" PRIu64 ", \"bytes\": %" PRIu64
		       ", \"gap_ns\": %" PRIu64 "}\n",
			now, f->header.id, f->done, f->gap_ns > silent ? f->gap_ns : silent);
	}
}
