/* SPDX-License-Identifier: MIT */
/*
 * An MPTCP server whose first recv() is held within the kernel, which owns the socket meanwhile:
 * the page that it copies to is missing (userfaultfd) until a line comes from standard input.
 * Compares what it reads with 32-bit words that count from 0, and prints one JSON object.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

enum { SILENCE_S = 20 };

static size_t page_size;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void say(const char *line)
{
	puts(line);
	fflush(stdout);
}

static int accepted(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct timeval patience = {.tv_sec = SILENCE_S};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, 1) < 0)
		die("listen");
	say("listening");
	fd = accept(fd, NULL, NULL);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		die("accept");
	return fd;
}

/* A page that is missing; whoever touches it waits for `ret_faults`. The kernel, too, may wait. */
static unsigned char *missing_page(int *ret_faults)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	void *page =
		mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0)
		die("userfaultfd");
	if (page == MAP_FAILED)
		die("mmap");
	range.range.start = (uintptr_t)page;
	range.range.len = page_size;
	if (ioctl(fd, UFFDIO_REGISTER, &range) < 0)
		die("UFFDIO_REGISTER");
	*ret_faults = fd;
	return page;
}

static void *hold(void *faults)
{
	struct uffdio_zeropage zero = {0};
	struct uffd_msg fault;
	int fd = *(int *)faults;

	if (read(fd, &fault, sizeof(fault)) != sizeof(fault))
		die("read of a fault");
	say("held");
	getchar();
	zero.range.start = fault.arg.pagefault.address & ~(page_size - 1);
	zero.range.len = page_size;
	if (ioctl(fd, UFFDIO_ZEROPAGE, &zero) < 0)
		die("UFFDIO_ZEROPAGE");
	return NULL;
}

static unsigned char byte_at(uint64_t position)
{
	uint32_t word = htonl((uint32_t)(position / sizeof(word)));
	unsigned char bytes[sizeof(word)];

	memcpy(bytes, &word, sizeof(word));
	return bytes[position % sizeof(word)];
}

int main(int argc, char **argv)
{
	int64_t wrong_at = -1, at = 0;
	unsigned char *page;
	pthread_t thread;
	int fd, faults;
	ssize_t n;

	if (argc != 2) {
		fprintf(stderr, "hold PORT\n");
		return 2;
	}
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	page = missing_page(&faults);
	if (pthread_create(&thread, NULL, hold, &faults))
		die("pthread_create");
	fd = accepted((uint16_t)atoi(argv[1]));
	while ((n = recv(fd, page, page_size, 0)) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			if (wrong_at < 0 && page[i] != byte_at((uint64_t)at))
				wrong_at = at;
	printf("{\"bytes\": %ld, \"wrong_at\": %ld, \"ended\": %s}\n", at, wrong_at,
		n ? "false" : "true");
	return 0;
}
