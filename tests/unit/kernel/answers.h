/* SPDX-License-Identifier: MIT */
/* The kernel's side of netlink, played: what it was asked, and the datagrams that it answers. */
#ifndef TEST_ANSWERS_H
#define TEST_ANSWERS_H

#include <libmnl/libmnl.h>
#include <stddef.h>

#define ANSWERS_MAX 32

struct answers {
	char request[8192]; /* the last one */
	size_t request_len;
	unsigned int asked;
	struct {
		const void *bytes;
		size_t len;
		int nsid;  /* of a multicast message; -1 = of the listener's own namespace */
		int error; /* errno of the receiving call; 0 = none */
	} queue[ANSWERS_MAX];
	size_t n, given;
};

extern struct answers answers;

void answers_reset(void);

/* Queues a datagram, which must live until it was given; without effect when there is no room. */
void answers_put(const void *bytes, size_t len, int nsid);
void answers_put_error(int error);

/* As the kernel ends its answers. */
struct nlmsghdr *answers_acknowledge(char *buffer, int error);
struct nlmsghdr *answers_done(char *buffer, int error);

#endif
