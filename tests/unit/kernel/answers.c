/* SPDX-License-Identifier: MIT */
/* The kernel's side of netlink, played; linked with --wrap of the calls that are defined here. */
#include "answers.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *socket, const void *bytes, size_t len);
ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *socket, void *buffer, size_t size);
ssize_t __wrap_recvmsg(int fd, struct msghdr *header, int flags);
int __wrap_recvmmsg(
	int fd, struct mmsghdr *headers, unsigned int n, int flags, struct timespec *timeout);

struct answers answers;

void answers_reset(void)
{
	memset(&answers, 0, sizeof(answers));
}

void answers_put(const void *bytes, size_t len, int nsid)
{
	if (answers.n == ANSWERS_MAX)
		return;
	answers.queue[answers.n].bytes = bytes;
	answers.queue[answers.n].len = len;
	answers.queue[answers.n++].nsid = nsid;
}

void answers_put_error(int error)
{
	if (answers.n < ANSWERS_MAX)
		answers.queue[answers.n++].error = error;
}

static struct nlmsghdr *end(char *buffer, uint16_t type, int error)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nlmsgerr *body = mnl_nlmsg_put_extra_header(message, sizeof(*body));

	message->nlmsg_type = type;
	body->error = error;
	return message;
}

struct nlmsghdr *answers_acknowledge(char *buffer, int error)
{
	return end(buffer, NLMSG_ERROR, error);
}

struct nlmsghdr *answers_done(char *buffer, int error)
{
	return end(buffer, NLMSG_DONE, error);
}

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *socket, const void *bytes, size_t len)
{
	(void)socket;
	answers.asked++;
	answers.request_len = len < sizeof(answers.request) ? len : sizeof(answers.request);
	memcpy(answers.request, bytes, answers.request_len);
	return len;
}

/* As recv(2): the end of a datagram that does not fit is lost. */
static ssize_t give(void *buffer, size_t size, int *ret_nsid)
{
	size_t len;

	if (answers.given == answers.n) {
		errno = EAGAIN;
		return -1;
	}
	if (answers.queue[answers.given].error) {
		errno = answers.queue[answers.given++].error;
		return -1;
	}
	len = answers.queue[answers.given].len;
	*ret_nsid = answers.queue[answers.given].nsid;
	memcpy(buffer, answers.queue[answers.given++].bytes, len < size ? len : size);
	return len;
}

ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *socket, void *buffer, size_t size)
{
	int nsid;
	ssize_t len = give(buffer, size, &nsid);

	(void)socket;
	if (len > (ssize_t)size) {
		errno = ENOSPC;
		return -1;
	}
	return len;
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *header, int flags)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(header);
	size_t size = header->msg_iov[0].iov_len;
	int nsid = -1;
	ssize_t len = give(header->msg_iov[0].iov_base, size, &nsid);

	(void)fd;
	(void)flags;
	header->msg_flags = len > (ssize_t)size ? MSG_TRUNC : 0;
	header->msg_controllen = 0;
	if (len >= 0 && nsid >= 0 && control) {
		control->cmsg_level = SOL_NETLINK;
		control->cmsg_type = NETLINK_LISTEN_ALL_NSID;
		control->cmsg_len = CMSG_LEN(sizeof(nsid));
		memcpy(CMSG_DATA(control), &nsid, sizeof(nsid));
		header->msg_controllen = CMSG_SPACE(sizeof(nsid));
	}
	return len > (ssize_t)size ? (ssize_t)size : len;
}

/* An error after a datagram is told by the next call. */
int __wrap_recvmmsg(
	int fd, struct mmsghdr *headers, unsigned int n, int flags, struct timespec *timeout)
{
	unsigned int i;
	ssize_t len;

	(void)timeout;
	for (i = 0; i < n; i++) {
		if (i && answers.given < answers.n && answers.queue[answers.given].error)
			break;
		len = __wrap_recvmsg(fd, &headers[i].msg_hdr, flags);
		if (len < 0)
			return i ? (int)i : -1;
		headers[i].msg_len = len;
	}
	return (int)i;
}
