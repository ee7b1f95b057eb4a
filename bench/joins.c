/* SPDX-License-Identifier: MIT */
/*
 * What one subflow more takes where nobody decides about it. `joins NAMESPACE ADDRESS` connects to
 * ADDRESS in the namespace of that path, where as in its own the path manager is a program, and
 * opens 1000 subflows, one after the other: each from the request until its event, SUB_ESTABLISHED,
 * is read. It prints the median and the slowest as one JSON object. It is the daemon's own code.
 */
#include "core/event.h"
#include "kernel/genl.h"
#include "kernel/netns.h"
#include "kernel/pm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { JOINS = 1000, PATIENCE_MS = 10000 };

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	errno = -r;
	perror(what);
	exit(EXIT_FAILURE);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* Of a system call: what it returns. */
static int call(int r, const char *what)
{
	check(r < 0 ? -errno : 0, what);
	return r;
}

static int open_socket(void)
{
	return call(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP), "socket");
}

/* At a port that the kernel chooses. It takes joins while anybody hears of them, as we do. */
static int serve(const char *namespace, struct sockaddr_in *address)
{
	socklen_t len = sizeof(*address);
	int fd;

	check(netns_enter(namespace, 0), namespace);
	fd = open_socket();
	call(bind(fd, (const void *)address, len), "bind");
	call(listen(fd, 1), "listen");
	call(getsockname(fd, (void *)address, &len), "port");
	netns_leave();
	return fd;
}

/* The next event of that kind at this end; others are passed over. */
static struct event hear(struct mnl_socket *events, enum event_kind kind)
{
	struct pollfd ready = {.fd = mnl_socket_get_fd(events), .events = POLLIN};
	char buffer[GENL_BUFFER_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct event event;
	size_t len;
	int r, nsid;

	for (;;) {
		r = genl_hear(events, buffer, sizeof(buffer), &len, &nsid);
		check(r, "events");
		if (!r)
			check(poll(&ready, 1, PATIENCE_MS) == 1 ? 0 : -ETIME, "an event");
		else if (nsid == GENL_HOME && len && genl_is_sound(buffer, len) &&
			 !pm_decode((const struct nlmsghdr *)buffer, &event) && event.kind == kind)
			return event;
	}
}

static uint64_t join(struct mnl_socket *commands, struct mnl_socket *events,
	const struct genl_family *family, const struct event *conn)
{
	struct endpoint local = conn->local;
	uint64_t began_ns, took_ns;
	struct event event;

	local.port = 0;
	began_ns = now_ns();
	check(pm_create(commands, family, conn->key.token, &local, &conn->remote, 0, 0, false),
		"create");
	event = hear(events, EVENT_SUBFLOW_ESTABLISHED);
	took_ns = now_ns() - began_ns;
	check(pm_destroy(commands, family, conn->key.token, &event.local, &event.remote),
		"destroy");
	hear(events, EVENT_SUBFLOW_CLOSED);
	return took_ns;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct mnl_socket *commands, *events;
	static uint64_t took_ns[JOINS];
	struct genl_family family;
	int listener, near, far;
	struct event conn;
	char byte = 0;

	if (argc != 3 || inet_pton(AF_INET, argv[2], &address.sin_addr) != 1) {
		fprintf(stderr, "usage: joins NAMESPACE ADDRESS\n");
		return 2;
	}
	check(netns_init(), "namespace");
	check(pm_resolve(&family), "mptcp_pm");
	check(genl_open(NETLINK_GENERIC, &commands), "netlink");
	check(genl_open(NETLINK_GENERIC, &events), "netlink");
	check(genl_listen(events, &family.events_group, 1), "events");
	listener = serve(argv[1], &address);
	near = open_socket();
	call(connect(near, (const void *)&address, sizeof(address)), "connect");
	far = call(accept(listener, NULL, NULL), "accept");
	check(write(near, &byte, 1) == 1 && read(far, &byte, 1) == 1 ? 0 : -EIO, "the first byte");
	conn = hear(events, EVENT_ESTABLISHED);
	for (int i = 0; i < JOINS; i++)
		took_ns[i] = join(commands, events, &family, &conn);
	qsort(took_ns, JOINS, sizeof(*took_ns), compare);
	printf("{\"joins\": %d, \"median_us\": %.2f, \"slowest_us\": %.2f}\n", JOINS,
		took_ns[JOINS / 2] / 1e3, took_ns[JOINS - 1] / 1e3);
	close(far);
	close(near);
	close(listener);
	mnl_socket_close(events);
	mnl_socket_close(commands);
	netns_done();
	return EXIT_SUCCESS;
}
