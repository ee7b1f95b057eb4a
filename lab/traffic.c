/* SPDX-License-Identifier: MIT */
/* The traffic of one host of a lab: flows out and in, told by lines, told of in JSON lines. */
#include "flow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, LINE = 4096, NARROW = 1 << 18, NS_PER_MS = 1000000 };

static struct {
	struct flows flows;
	int protocol;
	uint64_t sample_ns, next_sample_ns, origin_ns;
	struct flow **planned; /* out; from `go` on sorted by delay */
	size_t n_planned, n_started, room;
} traffic = {.flows.epoll = -1, .flows.paused = TAILQ_HEAD_INITIALIZER(traffic.flows.paused)};

static void accept_all(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		flow_accept(&traffic.flows, fd);
	if (errno != EAGAIN && errno != ECONNABORTED)
		die("accept");
}

static struct flow *open_listener(int family, uint16_t port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct flow *listener = calloc(1, sizeof(*listener));
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, traffic.protocol);
	int yes = 1, narrow = NARROW;

	if (fd < 0 || !listener)
		die("socket");
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	/* Room for all that is to come would never let the window shut. */
	if (traffic.flows.stall_ns)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &narrow, sizeof(narrow));
	if (bind(fd, family == AF_INET ? (struct sockaddr *)&four : (struct sockaddr *)&six,
		    family == AF_INET ? sizeof(four) : sizeof(six)) < 0 ||
		listen(fd, 4096) < 0)
		die("listen");
	listener->fd = fd;
	flow_watch(&traffic.flows, listener, EPOLL_CTL_ADD, EPOLLIN);
	return listener;
}

/* `flow ID DELAY_NS FROM ADDRESS PORT BYTES [tcp]`; FROM: its local port, 0: the kernel's choice.
 * 0 bytes: until the end. tcp: plain, whatever the others are. */
static void plan(const char *line)
{
	struct flow *flow = calloc(1, sizeof(*flow));
	struct sockaddr_in6 *six;
	struct sockaddr_in *four;
	char address[INET6_ADDRSTRLEN], kind[4] = "";
	uint16_t port;

	if (!flow)
		die("calloc");
	six = (struct sockaddr_in6 *)&flow->to;
	four = (struct sockaddr_in *)&flow->to;
	flow->fd = -1;
	flow->protocol = traffic.protocol;
	if (sscanf(line,
		    "flow %" SCNu64 " %" SCNu64 " %" SCNu16 " %45s %" SCNu16 " %" SCNu64 " %3s",
		    &flow->header.id, &flow->delay_ns, &flow->from, address, &port,
		    &flow->header.bytes, kind) < 6 ||
		(*kind && strcmp(kind, "tcp") != 0) ||
		(flow->header.bytes && flow->header.bytes < sizeof(flow->header))) {
		fprintf(stderr, "traffic: cannot read: %s\n", line);
		exit(2);
	}
	if (*kind)
		flow->protocol = IPPROTO_TCP;
	if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		flow->to_len = sizeof(*four);
	} else if (inet_pton(AF_INET6, address, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		flow->to_len = sizeof(*six);
	} else {
		fprintf(stderr, "traffic: no address: %s\n", address);
		exit(2);
	}
	if (traffic.n_planned == traffic.room) {
		traffic.room = traffic.room ? 2 * traffic.room : 64;
		traffic.planned =
			reallocarray(traffic.planned, traffic.room, sizeof(*traffic.planned));
		if (!traffic.planned)
			die("reallocarray");
	}
	traffic.planned[traffic.n_planned++] = flow;
}

static int by_delay(const void *a, const void *b)
{
	uint64_t x = (*(struct flow *const *)a)->delay_ns;
	uint64_t y = (*(struct flow *const *)b)->delay_ns;

	return (x > y) - (x < y);
}

static void obey(const char *line)
{
	if (strncmp(line, "flow ", 5) == 0) {
		plan(line);
	} else if (sscanf(line, "go %" SCNu64, &traffic.origin_ns) == 1) {
		if (traffic.n_planned)
			qsort(traffic.planned, traffic.n_planned, sizeof(*traffic.planned),
				by_delay);
		traffic.next_sample_ns = traffic.sample_ns ? traffic.origin_ns : 0;
	} else if (strcmp(line, "end") == 0) {
		flow_sample(&traffic.flows, now_ns());
		exit(0);
	} else {
		fprintf(stderr, "traffic: cannot read: %s\n", line);
		exit(2);
	}
}

static void listen_to_orders(void)
{
	static char line[LINE];
	static size_t used;
	ssize_t n = read(STDIN_FILENO, line + used, sizeof(line) - 1 - used);
	char *end;

	if (n <= 0)
		exit(n ? 1 : 0);
	used += (size_t)n;
	line[used] = '\0';
	while ((end = strchr(line, '\n'))) {
		*end = '\0';
		obey(line);
		used -= (size_t)(end + 1 - line);
		memmove(line, end + 1, used + 1);
	}
	if (used == sizeof(line) - 1) {
		fprintf(stderr, "traffic: line too long\n");
		exit(2);
	}
}

/* The sooner of two times of which 0 is never. */
static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a && (!b || a < b) ? a : b;
}

/* Starts, resumes and samples what is due; returns when something will be, 0: nothing. */
static uint64_t attend(void)
{
	uint64_t now = now_ns(), due = 0, resume = flow_resume(&traffic.flows, now);

	if (!traffic.origin_ns)
		return resume;
	while (traffic.n_started < traffic.n_planned) {
		struct flow *flow = traffic.planned[traffic.n_started];

		due = traffic.origin_ns + flow->delay_ns;
		if (due > now)
			break;
		traffic.n_started++;
		flow_begin(&traffic.flows, flow);
		due = 0;
	}
	if (traffic.next_sample_ns && traffic.next_sample_ns <= now) {
		flow_sample(&traffic.flows, now);
		while (traffic.next_sample_ns <= now)
			traffic.next_sample_ns += traffic.sample_ns;
	}
	return sooner(resume, sooner(traffic.next_sample_ns, due));
}

static void turn(struct flow *const listeners[2], struct flow *orders)
{
	struct epoll_event events[EVENTS];
	uint64_t due = attend(), now = now_ns();
	uint64_t wait = due > now ? due - now : 0;
	struct timespec timeout = {(time_t)(wait / 1000000000), (long)(wait % 1000000000)};
	int n;

	fflush(stdout);
	n = epoll_pwait2(traffic.flows.epoll, events, EVENTS, due ? &timeout : NULL, NULL);
	if (n < 0 && errno != EINTR)
		die("epoll_pwait2");
	for (int i = 0; i < n; i++) {
		struct flow *flow = events[i].data.ptr;

		if (flow == orders)
			listen_to_orders();
		else if (flow == listeners[0] || flow == listeners[1])
			accept_all(flow->fd);
		else
			flow_go_on(&traffic.flows, flow);
	}
}

static void usage(void)
{
	fprintf(stderr,
		"usage: traffic [--mptcp] [--sample MS] [--tokens] [--rest MS] [--stall MS]"
		" PORT\n"
		"Standard input: flow ID DELAY_NS FROM ADDRESS PORT BYTES [tcp]; go NS; end.\n"
		"Standard output: JSON lines. Times are of CLOCK_MONOTONIC.\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"mptcp", no_argument, NULL, 'm'},
		{"sample", required_argument, NULL, 's'},
		{"tokens", no_argument, NULL, 't'},
		{"rest", required_argument, NULL, 'r'},
		{"stall", required_argument, NULL, 'S'},
		{0},
	};
	struct rlimit limit;
	struct flow *listeners[2], orders = {.fd = STDIN_FILENO};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'm')
			traffic.protocol = IPPROTO_MPTCP;
		else if (c == 't')
			traffic.flows.tells_tokens = true;
		else if (c == 's')
			traffic.sample_ns = (uint64_t)atoi(optarg) * NS_PER_MS;
		else if (c == 'r')
			traffic.flows.rest_ns = (uint64_t)atoi(optarg) * NS_PER_MS;
		else if (c == 'S')
			traffic.flows.stall_ns = (uint64_t)atoi(optarg) * NS_PER_MS;
		else
			usage();
	}
	if (optind + 1 != argc)
		usage();
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	traffic.flows.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (traffic.flows.epoll < 0)
		die("epoll_create1");
	listeners[0] = open_listener(AF_INET, (uint16_t)atoi(argv[optind]));
	listeners[1] = open_listener(AF_INET6, (uint16_t)atoi(argv[optind]));
	flow_watch(&traffic.flows, &orders, EPOLL_CTL_ADD, EPOLLIN);
	printf("{\"ready\": true}\n");
	for (;;)
		turn(listeners, &orders);
}
