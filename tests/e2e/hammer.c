/* SPDX-License-Identifier: MIT */
/*
 * Drives both sockopt hooks through real sockets: random level, option, length and bytes from
 * many threads. Some sockets get our options only, and a model of them is kept, which they must
 * meet once all is quiet. The others get whatever there is.
 * Prints one JSON object; the exit status is 1 if something was not as it must be.
 */
#include "call.h"
#include "model.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull

enum {
	THREADS_MAX = 16,
	SOCKETS_MAX = 64,
	SETTLE_S = 20,
};

static struct subject subjects[SOCKETS_MAX];
static int n_subjects, max_subflows;
static struct sockaddr_in server4;
static struct sockaddr_in6 server6;
static uint64_t end_ns;
static atomic_ulong calls;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void pause_briefly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static struct subject *add_subject(int fd, enum kind kind)
{
	struct subject *subject = &subjects[n_subjects++];

	if (fd < 0 || n_subjects > SOCKETS_MAX)
		die("socket");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	model_init(subject, kind, fd);
	return subject;
}

static void connect_to(int fd, const void *address, socklen_t len)
{
	if (connect(fd, address, len) < 0 || send(fd, "x", 1, MSG_NOSIGNAL) != 1)
		die("connect");
}

static int connected(const void *address, socklen_t len, int protocol)
{
	int fd = socket(((const struct sockaddr *)address)->sa_family, SOCK_STREAM | SOCK_CLOEXEC,
		protocol);

	if (fd < 0)
		die("socket");
	connect_to(fd, address, len);
	return fd;
}

static int listening(int protocol, struct sockaddr_in *ret_address)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
	socklen_t len = sizeof(address);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 8) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		die("listen");
	*ret_address = address;
	return fd;
}

static void make_listed(void)
{
	int fd = connected(&server4, sizeof(server4), IPPROTO_MPTCP);
	struct sockaddr_in own;
	socklen_t len = sizeof(own);

	if (getsockname(fd, (struct sockaddr *)&own, &len) < 0)
		die("getsockname");
	call_own4[0] = own.sin_addr;
	add_subject(fd, KIND_LISTS)->from[0] = 1;
}

/* The listener stays: what joins comes to it. */
static void make_accepted(void)
{
	struct sockaddr_in own;
	int listener = listening(IPPROTO_MPTCP, &own);
	struct subject *peer = add_subject(connected(&own, sizeof(own), IPPROTO_MPTCP), KIND_PEER);

	add_subject(accept(listener, NULL, NULL), KIND_ACCEPTED)->peer = peer;
}

/* A socket of every kind that there is. */
static void make_subjects(void)
{
	struct sockaddr_in own;
	int listener, pair[2];

	for (int i = 0; i < 4; i++) {
		add_subject(connected(&server4, sizeof(server4), IPPROTO_MPTCP), KIND_NUMBERS);
		add_subject(connected(&server6, sizeof(server6), IPPROTO_MPTCP), KIND_NUMBERS);
		add_subject(
			socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP), KIND_NUMBERS)
			->is_late = true;
		make_listed();
	}
	make_accepted();
	make_accepted();
	for (int protocol = IPPROTO_TCP; protocol <= IPPROTO_MPTCP;
		protocol += IPPROTO_MPTCP - IPPROTO_TCP) {
		listener = listening(protocol, &own);
		add_subject(connected(&own, sizeof(own), protocol), KIND_ANY);
		add_subject(connected(&own, sizeof(own), IPPROTO_MPTCP), KIND_ANY);
		add_subject(accept(listener, NULL, NULL), KIND_ANY);
		add_subject(accept(listener, NULL, NULL), KIND_ANY);
		add_subject(listener, KIND_ANY);
		add_subject(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, protocol), KIND_ANY);
		/* It is refused, and closed with an error. */
		listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
		own.sin_port = htons(1);
		if (connect(listener, (struct sockaddr *)&own, sizeof(own)) == 0)
			die("a connection that must be refused");
		add_subject(listener, KIND_ANY);
	}
	add_subject(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), KIND_ANY);
	add_subject(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), KIND_ANY);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	add_subject(pair[0], KIND_ANY);
	add_subject(pair[1], KIND_ANY);
}

/* Until the socket has what is wanted; what it lacks in the end, model_judge() finds. */
static void await_wanted(struct subject *subject)
{
	uint64_t deadline_ns = now_ns() + NS_PER_S;

	while (!model_is_met(subject) && now_ns() < deadline_ns && now_ns() < end_ns)
		pause_briefly();
}

static void make(struct subject *subject, struct call *call)
{
	void *value = call->is_null ? NULL : call->value;
	socklen_t len = call->len;
	int r;

	errno = 0;
	if (call->is_set)
		r = setsockopt(subject->fd, call->level, call->name, value, call->len);
	else
		r = getsockopt(subject->fd, call->level, call->name, value, &len);
	atomic_fetch_add(&calls, 1);
	if (call_is_ours(call))
		model_hear(subject, call, max_subflows, r < 0 ? errno : 0, len);
}

static void *storm(void *arg)
{
	uint64_t seed = *(uint64_t *)arg;
	struct call *call = calloc(1, sizeof(*call));
	struct subject *subject;

	if (!call)
		die("calloc");
	while (now_ns() < end_ns) {
		subject = &subjects[draw(&seed, n_subjects)];
		call_choose(&seed, subject->kind, subject->fd, call);
		model_lock(subject, call);
		if (model_needs_quiet(subject, call))
			await_wanted(subject);
		make(subject, call);
		if (model_needs_quiet(subject, call))
			await_wanted(subject);
		model_unlock(subject, call);
	}
	free(call);
	return NULL;
}

/* Whether every modelled socket has the subflows that were accepted. */
static bool is_settled(void)
{
	for (int i = 0; i < n_subjects; i++)
		if (!model_is_met(&subjects[i]))
			return false;
	return true;
}

static void settle(void)
{
	uint64_t deadline_ns = now_ns() + SETTLE_S * NS_PER_S;
	struct subject *subject;

	for (int i = 0; i < n_subjects; i++) {
		subject = &subjects[i];
		if (!subject->is_late)
			continue;
		fcntl(subject->fd, F_SETFL, 0);
		connect_to(subject->fd, &server4, sizeof(server4));
	}
	while (!is_settled() && now_ns() < deadline_ns)
		pause_briefly();
	for (int i = 0; i < n_subjects; i++)
		model_judge(&subjects[i], i, max_subflows);
}

int main(int argc, char **argv)
{
	uint64_t seeds[THREADS_MAX];
	pthread_t threads[THREADS_MAX];
	int n_threads;

	if (argc != 9) {
		fprintf(stderr,
			"hammer ADDRESS4 ADDRESS6 OWN4 PORT MAX_SUBFLOWS SECONDS THREADS SEED\n");
		return 2;
	}
	server4.sin_family = AF_INET;
	server6.sin6_family = AF_INET6;
	server4.sin_port = server6.sin6_port = htons(atoi(argv[4]));
	if (inet_pton(AF_INET, argv[1], &server4.sin_addr) != 1 ||
		inet_pton(AF_INET6, argv[2], &server6.sin6_addr) != 1 ||
		inet_pton(AF_INET, argv[3], &call_own4[1]) != 1)
		return 2;
	max_subflows = atoi(argv[5]);
	n_threads = atoi(argv[7]) < THREADS_MAX ? atoi(argv[7]) : THREADS_MAX;
	make_subjects();
	end_ns = now_ns() + atoi(argv[6]) * NS_PER_S;
	for (int i = 0; i < n_threads; i++) {
		seeds[i] = strtoull(argv[8], NULL, 10) * 0x9e3779b97f4a7c15ull + i + 1;
		if (pthread_create(&threads[i], NULL, storm, &seeds[i]))
			die("pthread_create");
	}
	for (int i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	settle();
	printf("{\"calls\": %lu, ", calls);
	model_print();
	printf("}\n");
	return model_violations() ? 1 : 0;
}
