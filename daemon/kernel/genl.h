/* SPDX-License-Identifier: MIT */
/* A small generic netlink layer over libmnl: resolve, ask, listen. */
#ifndef SUBFLOW_GENL_H
#define SUBFLOW_GENL_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GENL_BUFFER_BYTES 8192

struct genl_family {
	uint16_t id;
	uint32_t events_group; /* multicast group, 0 = none of that name */
};

/* Opens a netlink socket of @protocol in the caller's namespace. -errno. */
int genl_open(int protocol, struct mnl_socket **ret_socket);

/* Looks @name up, and its multicast group @group. -ENOENT when the kernel has none. */
int genl_resolve(struct mnl_socket *socket, const char *name, const char *group,
	struct genl_family *ret_family);

/*
 * Whether a datagram is whole messages one after the other, as the kernel pads them. To be
 * asked before libmnl reads it: that takes a length beyond INT_MAX for a negative one, and
 * believes that every message is followed by its padding.
 */
bool genl_is_sound(const void *bytes, size_t len);

/* Starts a request in @buffer, which holds GENL_BUFFER_BYTES. */
struct nlmsghdr *genl_begin(
	char *buffer, const struct genl_family *family, uint8_t command, uint16_t flags);

/* Sends the request; *@ret_sequence is what its answer is known by. -errno. */
int genl_send(struct mnl_socket *socket, struct nlmsghdr *request, uint32_t *ret_sequence);

/*
 * Reads the next datagram of an answer: @each (or NULL) is called for each message of it. 1 = the
 * answer goes on; 0 = that was its end, or the kernel's -errno.
 */
int genl_read(struct mnl_socket *socket, uint32_t sequence, mnl_cb_t each, void *arg);

/* Sends the request and reads the answer up to its end. 0 or -errno. */
int genl_ask(struct mnl_socket *socket, struct nlmsghdr *request, mnl_cb_t each, void *arg);

/* Has the socket hear @n multicast groups, of each namespace that has an id here. -errno. */
int genl_listen(struct mnl_socket *socket, const unsigned int *groups, size_t n);

/* What genl_hear() calls our own namespace. */
#define GENL_HOME (-1)

/*
 * Reads one datagram of a socket that listens, of the namespace with the id *@ret_nsid
 * (NETLINK_LISTEN_ALL_NSID). 1 = there was one, *@ret_len 0 = it is not the kernel's or too long;
 * 0 = there is none; -ENOBUFS: some were lost.
 */
int genl_hear(struct mnl_socket *socket, char *buffer, size_t size, size_t *ret_len, int *ret_nsid);

#define GENL_MANY           64
#define GENL_DATAGRAM_BYTES 1024

/* As genl_hear() tells of one. */
struct genl_datagram {
	char bytes[GENL_DATAGRAM_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	size_t len;
	int nsid;
};

/*
 * Reads as many datagrams as are there, GENL_MANY at most, by one system call. How many; 0 = there
 * is none; -ENOBUFS: some were lost.
 */
int genl_hear_many(struct mnl_socket *socket, struct genl_datagram datagrams[GENL_MANY]);

#endif
