/* SPDX-License-Identifier: MIT */
/* Serves one connection: reads it to its end, and answers with what it saw. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <subflow.h>
#include <unistd.h>

static int listen_mptcp(const char *port)
{
	struct sockaddr_in6 any = {
		.sin6_family = AF_INET6,
		.sin6_port = htons((in_port_t)atoi(port)),
		.sin6_addr = IN6ADDR_ANY_INIT,
	};
	int fd = socket(AF_INET6, SOCK_STREAM, IPPROTO_MPTCP), on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(fd, 16) == 0)
		return fd;
	close(fd);
	return -1;
}

static int serve(int fd)
{
	struct tcp_multipath_pair pairs[TCP_MULTIPATH_PAIRS_MAX];
	size_t subflows = 0, now;
	char block[1 << 16];
	long long bytes = 0;
	ssize_t n;

	while ((n = read(fd, block, sizeof(block))) > 0) {
		bytes += n;
		if (subflow_list(fd, pairs, TCP_MULTIPATH_PAIRS_MAX, &now) == 0 && now > subflows)
			subflows = now;
	}
	if (n < 0)
		return -1;
	return dprintf(fd, "%zu subflows, %lld bytes\n", subflows, bytes);
}

int main(int argc, char **argv)
{
	int listener, fd;

	if (argc != 2) {
		fprintf(stderr, "usage: server PORT\n");
		return 2;
	}
	listener = listen_mptcp(argv[1]);
	if (listener < 0) {
		perror("server: listen");
		return 1;
	}
	/* The listener stays open: the kernel takes further subflows through it. */
	fd = accept(listener, NULL, NULL);
	if (fd < 0 || serve(fd) < 0) {
		perror("server");
		return 1;
	}
	close(fd);
	return 0;
}
