/* SPDX-License-Identifier: MIT */
/*
 * Mice: short requests over one connection, and short connections, one after the other.
 * `ask` prints rates as JSON. And an elephant, by the piece: `push`; one elephant after the other:
 * `pour`; and a message every millisecond: `stream`.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <subflow.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull

enum { REQUEST = 128, ANSWER = 1024, CHUNK = 1 << 16, MESSAGE = 4096, SERVERS = 3, SLICES = 50 };

/* The first byte of a request: after the answer the server stays, ends the connection, takes
 * whatever comes, takes what was announced and answers again, or takes messages and then says how
 * long the slowest one took. */
enum { STAY = 's', LEAVE = 'l', PUSH = 'p', POUR = 'q', STREAM = 't' };

/* Where a request says how many bytes are announced; native order: both ends are one machine. */
enum { ANNOUNCED = 8 };

static void die(const char *what)
{
	fprintf(stderr, "mice: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int open_socket(const char *protocol)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM,
			    strcmp(protocol, "mptcp") ? IPPROTO_TCP : IPPROTO_MPTCP);

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		die("socket");
	return fd;
}

static void put(int fd, const char *bytes, size_t size)
{
	if (send(fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size)
		die("send");
}

static void put_many(int fd, uint64_t left)
{
	static char chunk[CHUNK];
	ssize_t n;

	for (; left; left -= n) {
		n = send(fd, chunk, left < CHUNK ? left : CHUNK, MSG_NOSIGNAL);
		if (n < 0)
			die("send");
	}
}

/* One answer or request, whole; false at the end of the connection. */
static bool take(int fd, char *bytes, size_t size)
{
	return recv(fd, bytes, size, MSG_WAITALL) == (ssize_t)size;
}

static void swallow(int fd)
{
	static char chunk[CHUNK];

	while (recv(fd, chunk, sizeof(chunk), 0) > 0)
		;
}

static void swallow_announced(int fd, const char *request)
{
	static char chunk[CHUNK];
	uint64_t left;
	ssize_t n;

	memcpy(&left, request + ANNOUNCED, sizeof(left));
	for (; left; left -= n) {
		n = recv(fd, chunk, left < CHUNK ? left : CHUNK, 0);
		if (n <= 0)
			return;
	}
}

/* A message begins with the time at which it was sent. */
static uint64_t slowest_message_ns(int fd)
{
	char message[MESSAGE];
	uint64_t sent_ns, took_ns, slowest_ns = 0;

	while (take(fd, message, sizeof(message))) {
		memcpy(&sent_ns, message, sizeof(sent_ns));
		took_ns = now_ns() - sent_ns;
		if (took_ns > slowest_ns)
			slowest_ns = took_ns;
	}
	return slowest_ns;
}

static void answer(int fd, const char *request)
{
	char answer[ANSWER] = "";
	uint64_t ns;

	if (send(fd, answer, sizeof(answer), MSG_NOSIGNAL) < 0)
		return;
	if (*request == PUSH)
		swallow(fd);
	if (*request == POUR) {
		swallow_announced(fd, request);
		send(fd, answer, sizeof(answer), MSG_NOSIGNAL);
	}
	if (*request == STREAM) {
		ns = slowest_message_ns(fd);
		memcpy(answer, &ns, sizeof(ns));
		send(fd, answer, sizeof(answer), MSG_NOSIGNAL);
	}
}

static void serve(const char *protocol, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int on = 1, listener = open_socket(protocol), fd;
	char request[REQUEST];

	if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(listener, 64) < 0)
		die("listen");
	for (int i = 1; i < SERVERS; i++)
		if (fork() == 0)
			break;
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		while (take(fd, request, sizeof(request))) {
			answer(fd, request);
			if (*request == LEAVE)
				break;
		}
		close(fd);
	}
	die("accept");
}

static int dial(const char *protocol, const struct sockaddr_in *address, int subflows)
{
	int fd = open_socket(protocol);

	if (subflows > 1 && setsockopt(fd, IPPROTO_TCP, TCP_MULTIPATH_NDIFFPORTS, &subflows,
				    sizeof(subflows)) < 0)
		die("NDIFFPORTS");
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		die("connect");
	return fd;
}

static void request(int fd)
{
	char request[REQUEST] = {STAY}, answer[ANSWER];

	put(fd, request, sizeof(request));
	if (!take(fd, answer, sizeof(answer)))
		die("hung up");
}

/* The server closes first: what waits there keeps no port of the client's busy. */
static void visit(const char *protocol, const struct sockaddr_in *address)
{
	char request[REQUEST] = {LEAVE}, answer[ANSWER];
	int fd = dial(protocol, address, 1);

	put(fd, request, sizeof(request));
	if (!take(fd, answer, sizeof(answer)) || take(fd, answer, sizeof(answer)))
		die("hung up too soon or too late");
	close(fd);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * Requests a second on @fd, or visits where it is negative: the upper decile of short slices,
 * because neighbours on the machine only ever take time away.
 */
static double measure(
	const char *protocol, const struct sockaddr_in *address, int fd, uint64_t length_ns)
{
	double rates[SLICES];
	uint64_t began_ns, passed_ns;
	unsigned int count;

	for (int i = 0; i < SLICES; i++) {
		began_ns = now_ns();
		count = 0;
		do {
			if (fd >= 0)
				request(fd);
			else
				visit(protocol, address);
			count++;
			passed_ns = now_ns() - began_ns;
		} while (passed_ns < length_ns / SLICES);
		rates[i] = count * 1e9 / passed_ns;
	}
	qsort(rates, SLICES, sizeof(*rates), compare);
	return rates[SLICES * 9 / 10];
}

/* Sends as many bytes as each line of standard input says, and a line when they are on their way.
 */
static void push(const char *protocol, const struct sockaddr_in *address)
{
	char request[REQUEST] = {PUSH}, answer[ANSWER], line[32];
	int fd = dial(protocol, address, 1);

	put(fd, request, sizeof(request));
	if (!take(fd, answer, sizeof(answer)))
		die("hung up");
	while (fgets(line, sizeof(line), stdin)) {
		put_many(fd, strtoull(line, NULL, 10));
		printf("done\n");
		fflush(stdout);
	}
}

/*
 * A connection of so many subflows for each line of standard input, with so many bytes; the
 * nanoseconds from connect(2) until the server has them all.
 */
static void pour(const char *protocol, const struct sockaddr_in *address, int subflows)
{
	char request[REQUEST] = {POUR}, answer[ANSWER], line[32];
	uint64_t began_ns, size;
	int fd;

	while (fgets(line, sizeof(line), stdin)) {
		size = strtoull(line, NULL, 10);
		memcpy(request + ANNOUNCED, &size, sizeof(size));
		began_ns = now_ns();
		fd = dial(protocol, address, subflows);
		put(fd, request, sizeof(request));
		if (!take(fd, answer, sizeof(answer)))
			die("hung up");
		put_many(fd, size);
		if (!take(fd, answer, sizeof(answer)))
			die("hung up");
		printf("%llu\n", (unsigned long long)(now_ns() - began_ns));
		fflush(stdout);
		close(fd);
	}
}

/* A message every millisecond until there is a line on standard input; then how many nanoseconds
 * the slowest one took. */
static void stream(const char *protocol, const struct sockaddr_in *address)
{
	char request[REQUEST] = {STREAM}, answer[ANSWER], message[MESSAGE] = "";
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	int fd = dial(protocol, address, 1);
	uint64_t ns;

	put(fd, request, sizeof(request));
	if (!take(fd, answer, sizeof(answer)))
		die("hung up");
	while (poll(&input, 1, 1) == 0) {
		ns = now_ns();
		memcpy(message, &ns, sizeof(ns));
		put(fd, message, sizeof(message));
	}
	shutdown(fd, SHUT_WR);
	if (!take(fd, answer, sizeof(answer)))
		die("hung up");
	memcpy(&ns, answer, sizeof(ns));
	printf("%llu\n", (unsigned long long)ns);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	uint64_t length_ns;
	int fd;

	if (argc == 4 && !strcmp(argv[1], "serve"))
		serve(argv[2], atoi(argv[3]));
	if (argc < 5 || inet_pton(AF_INET, argv[3], &address.sin_addr) != 1 ||
		!((argc == 6 && (!strcmp(argv[1], "ask") || !strcmp(argv[1], "pour"))) ||
			(argc == 5 && (!strcmp(argv[1], "push") || !strcmp(argv[1], "stream"))))) {
		fprintf(stderr, "mice serve tcp|mptcp PORT\n"
				"mice ask tcp|mptcp ADDRESS PORT SECONDS\n"
				"mice push tcp|mptcp ADDRESS PORT\n"
				"mice pour tcp|mptcp ADDRESS PORT SUBFLOWS\n"
				"mice stream tcp|mptcp ADDRESS PORT\n");
		return 2;
	}
	address.sin_port = htons(atoi(argv[4]));
	if (argc == 5) {
		(strcmp(argv[1], "push") ? stream : push)(argv[2], &address);
		return 0;
	}
	if (!strcmp(argv[1], "pour")) {
		pour(argv[2], &address, atoi(argv[5]));
		return 0;
	}
	length_ns = atof(argv[5]) * NS_PER_S;
	fd = dial(argv[2], &address, 1);
	printf("{\"requests\": %f, ", measure(argv[2], &address, fd, length_ns));
	close(fd);
	printf("\"connects\": %f}\n", measure(argv[2], &address, -1, length_ns));
	return 0;
}
