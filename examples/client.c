/* SPDX-License-Identifier: MIT */
/* Sends one mebibyte over one connection of four subflows. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <subflow.h>
#include <unistd.h>

enum { SUBFLOWS = 4, BYTES = 1 << 20, TIMEOUT_MS = 10000 };

static int connect_mptcp(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	int fd = -1, r;

	r = getaddrinfo(host, port, &hints, &found);
	if (r) {
		fprintf(stderr, "client: %s: %s\n", host, gai_strerror(r));
		return -1;
	}
	for (const struct addrinfo *at = found; at && fd < 0; at = at->ai_next) {
		fd = socket(at->ai_family, SOCK_STREAM, IPPROTO_MPTCP);
		if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) < 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(found);
	if (fd < 0)
		perror("client: connect");
	return fd;
}

static int split(int fd)
{
	struct tcp_multipath_pair pairs[TCP_MULTIPATH_PAIRS_MAX], *pair;
	size_t n;
	int r;

	r = subflow_add(fd, SUBFLOWS - 1);
	if (r == 0)
		r = subflow_wait(fd, SUBFLOWS, TIMEOUT_MS);
	if (r == 0)
		r = subflow_list(fd, pairs, TCP_MULTIPATH_PAIRS_MAX, &n);
	if (r < 0) {
		fprintf(stderr, "client: subflows: %s\n", strerror(-r));
		return r;
	}
	subflow_for_each (pair, pairs, n)
		/* The port is at the same place in both families. */
		printf("subflow from port %u\n", ntohs(pair->local.sin.sin_port));
	return 0;
}

static int send_bytes(int fd, size_t left)
{
	static const char block[1 << 16];

	while (left > 0) {
		ssize_t n = write(fd, block, left < sizeof(block) ? left : sizeof(block));

		if (n < 0) {
			perror("client: write");
			return -1;
		}
		left -= (size_t)n;
	}
	return 0;
}

int main(int argc, char **argv)
{
	char answer[256];
	ssize_t n;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: client HOST PORT\n");
		return 2;
	}
	fd = connect_mptcp(argv[1], argv[2]);
	/* A byte first: subflows come once the server has acknowledged something. */
	if (fd < 0 || send_bytes(fd, 1) < 0 || split(fd) < 0 || send_bytes(fd, BYTES - 1) < 0)
		return 1;
	shutdown(fd, SHUT_WR);
	n = read(fd, answer, sizeof(answer));
	if (n <= 0)
		return 1;
	printf("the server saw %.*s", (int)n, answer);
	close(fd);
	return 0;
}
