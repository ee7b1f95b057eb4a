/* SPDX-License-Identifier: MIT */
/* The traffic of one host of a lab: flows out and in, told by lines, told of in JSON lines. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/mptcp.h>
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

#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

enum { EVENTS = 256, LINE = 4096, CHUNK = 1 << 18, NS_PER_MS = 1000000 };

/* The first bytes of each flow, native order: both ends are one machine. */
struct header {
	uint64_t id, start_ns, bytes;
};

struct flow {
	int fd;
	bool is_in;
	int protocol; /* out */
	struct header header;
	uint64_t done;     /* bytes, the header included */
	uint64_t delay_ns; /* out: after `go` */
	uint64_t last_ns;  /* in: when bytes came last */
	uint64_t gap_ns;   /* in: the longest time without any */
	struct sockaddr_storage to;
	socklen_t to_len;
	struct flow *next, *previous; /* in: the list of those that are alive */
};

static struct {
	int epoll, protocol;
	bool tells_tokens;
	uint64_t sample_ns, next_sample_ns, origin_ns;
	struct flow **planned; /* out; from `go` on sorted by delay */
	size_t n_planned, n_started, room;
	struct flow arriving; /* head of the list */
} traffic = {.epoll = -1};

static char buffer[CHUNK];

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void watch(struct flow *flow, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = flow};

	if (epoll_ctl(traffic.epoll, operation, flow->fd, &event) < 0)
		die("epoll_ctl");
}

static void report_failure(const struct flow *flow, int error)
{
	printf("{\"failed\": %" PRIu64 ", \"done\": %" PRIu64 ", \"error\": \"%s\"}\n",
		flow->header.id, flow->done, strerror(error));
}

static void drop(struct flow *flow)
{
	close(flow->fd);
	flow->fd = -1;
	if (!flow->is_in)
		return; /* it stays in the plan */
	flow->next->previous = flow->previous;
	flow->previous->next = flow->next;
	free(flow);
}

static void begin(struct flow *flow)
{
	int family = flow->to.ss_family;

	flow->header.start_ns = now_ns();
	flow->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, flow->protocol);
	if (flow->fd < 0)
		die("socket");
	if (connect(flow->fd, (struct sockaddr *)&flow->to, flow->to_len) < 0 &&
		errno != EINPROGRESS) {
		report_failure(flow, errno);
		drop(flow);
		return;
	}
	watch(flow, EPOLL_CTL_ADD, EPOLLOUT);
}

/* 0: the connection is not, or no longer, one of MPTCP. */
static uint32_t token_of(const struct flow *flow)
{
	struct mptcp_info info = {0};
	socklen_t size = sizeof(info);

	return getsockopt(flow->fd, SOL_MPTCP, MPTCP_INFO, &info, &size) ? 0 : info.mptcpi_token;
}

/* One chunk an event: thousands of flows take turns. */
static void push(struct flow *flow)
{
	const struct header *header = &flow->header;
	uint64_t left = header->bytes ? header->bytes - flow->done : sizeof(buffer);
	const char *from = buffer;
	ssize_t n;

	if (flow->done < sizeof(*header)) {
		from = (const char *)header + flow->done;
		left = sizeof(*header) - flow->done;
	}
	n = send(flow->fd, from, left < sizeof(buffer) ? left : sizeof(buffer), MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN) {
		report_failure(flow, errno);
		drop(flow);
		return;
	}
	flow->done += n > 0 ? (uint64_t)n : 0;
	if (header->bytes && flow->done == header->bytes) {
		if (traffic.tells_tokens)
			printf("{\"sent\": %" PRIu64 ", \"token\": %" PRIu32 "}\n", header->id,
				token_of(flow));
		shutdown(flow->fd, SHUT_WR);
		watch(flow, EPOLL_CTL_MOD, EPOLLIN); /* until the receiver has closed as well */
	}
}

static void finish_out(struct flow *flow)
{
	char byte;
	ssize_t n = recv(flow->fd, &byte, 1, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		report_failure(flow, errno);
	drop(flow);
}

static void take(struct flow *flow)
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
		return;
	}
	if (n < 0 || !flow->header.bytes || flow->done != flow->header.bytes)
		report_failure(flow, n < 0 ? errno : ENODATA);
	else
		printf("{\"flow\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"start_ns\": %" PRIu64
		       ", \"end_ns\": %" PRIu64 ", \"gap_ns\": %" PRIu64 "}\n",
			flow->header.id, flow->done, flow->header.start_ns, flow->last_ns,
			flow->gap_ns);
	drop(flow);
}

static void accept_all(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct flow *flow = calloc(1, sizeof(*flow));

		if (!flow)
			die("calloc");
		flow->fd = fd;
		flow->is_in = true;
		flow->next = traffic.arriving.next;
		flow->previous = &traffic.arriving;
		flow->next->previous = traffic.arriving.next = flow;
		watch(flow, EPOLL_CTL_ADD, EPOLLIN);
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		die("accept");
}

static struct flow *open_listener(int family, uint16_t port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct flow *listener = calloc(1, sizeof(*listener));
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, traffic.protocol);
	int yes = 1;

	if (fd < 0 || !listener)
		die("socket");
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, family == AF_INET ? (struct sockaddr *)&four : (struct sockaddr *)&six,
		    family == AF_INET ? sizeof(four) : sizeof(six)) < 0 ||
		listen(fd, 4096) < 0)
		die("listen");
	listener->fd = fd;
	watch(listener, EPOLL_CTL_ADD, EPOLLIN);
	return listener;
}

/* `flow ID DELAY_NS ADDRESS PORT BYTES [tcp]`; 0 bytes: until the end. tcp: plain, whatever the
 * others are. */
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
	if (sscanf(line, "flow %" SCNu64 " %" SCNu64 " %45s %" SCNu16 " %" SCNu64 " %3s",
		    &flow->header.id, &flow->delay_ns, address, &port, &flow->header.bytes,
		    kind) < 5 ||
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

static void sample(uint64_t now)
{
	for (struct flow *f = traffic.arriving.next; f != &traffic.arriving; f = f->next) {
		/* A gap that has not ended counts as well. */
		uint64_t silent = f->last_ns && now > f->last_ns ? now - f->last_ns : 0;

		if (f->done < sizeof(f->header))
			continue;
		printf("{\"sample_ns\": %" PRIu64 ", \"flow\": %" PRIu64 ", \"bytes\": %" PRIu64
		       ", \"gap_ns\": %" PRIu64 "}\n",
			now, f->header.id, f->done, f->gap_ns > silent ? f->gap_ns : silent);
	}
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
		sample(now_ns());
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

/* Starts and samples what is due; returns when something will be, 0: nothing. */
static uint64_t attend(void)
{
	uint64_t now = now_ns(), due = 0;

	if (!traffic.origin_ns)
		return 0;
	while (traffic.n_started < traffic.n_planned) {
		struct flow *flow = traffic.planned[traffic.n_started];

		due = traffic.origin_ns + flow->delay_ns;
		if (due > now)
			break;
		traffic.n_started++;
		begin(flow);
		due = 0;
	}
	if (traffic.next_sample_ns && traffic.next_sample_ns <= now) {
		sample(now);
		while (traffic.next_sample_ns <= now)
			traffic.next_sample_ns += traffic.sample_ns;
	}
	if (traffic.next_sample_ns && (!due || traffic.next_sample_ns < due))
		due = traffic.next_sample_ns;
	return due;
}

static void turn(struct flow *const listeners[2], struct flow *orders)
{
	struct epoll_event events[EVENTS];
	uint64_t due = attend(), now = now_ns();
	uint64_t wait = due > now ? due - now : 0;
	struct timespec timeout = {(time_t)(wait / 1000000000), (long)(wait % 1000000000)};
	int n;

	fflush(stdout);
	n = epoll_pwait2(traffic.epoll, events, EVENTS, due ? &timeout : NULL, NULL);
	if (n < 0 && errno != EINTR)
		die("epoll_pwait2");
	for (int i = 0; i < n; i++) {
		struct flow *flow = events[i].data.ptr;

		if (flow == orders)
			listen_to_orders();
		else if (flow == listeners[0] || flow == listeners[1])
			accept_all(flow->fd);
		else if (flow->is_in)
			take(flow);
		else if (flow->header.bytes && flow->done == flow->header.bytes)
			finish_out(flow);
		else
			push(flow);
	}
}

static void usage(void)
{
	fprintf(stderr, "usage: traffic [--mptcp] [--sample MS] [--tokens] PORT\n"
			"Standard input: flow ID DELAY_NS ADDRESS PORT BYTES [tcp]; go NS; end.\n"
			"Standard output: JSON lines. Times are of CLOCK_MONOTONIC.\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"mptcp", no_argument, NULL, 'm'},
		{"sample", required_argument, NULL, 's'},
		{"tokens", no_argument, NULL, 't'},
		{0},
	};
	struct rlimit limit;
	struct flow *listeners[2], orders = {.fd = STDIN_FILENO};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'm')
			traffic.protocol = IPPROTO_MPTCP;
		else if (c == 't')
			traffic.tells_tokens = true;
		else if (c == 's')
			traffic.sample_ns = (uint64_t)atoi(optarg) * NS_PER_MS;
		else
			usage();
	}
	if (optind + 1 != argc)
		usage();
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	traffic.arriving.next = traffic.arriving.previous = &traffic.arriving;
	traffic.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (traffic.epoll < 0)
		die("epoll_create1");
	listeners[0] = open_listener(AF_INET, (uint16_t)atoi(argv[optind]));
	listeners[1] = open_listener(AF_INET6, (uint16_t)atoi(argv[optind]));
	watch(&orders, EPOLL_CTL_ADD, EPOLLIN);
	printf("{\"ready\": true}\n");
	for (;;)
		turn(listeners, &orders);
}
