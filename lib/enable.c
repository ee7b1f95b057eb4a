/* SPDX-License-Identifier: MIT */
/* Swaps the socket behind a descriptor for one of the other protocol, TCP or MPTCP. */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "carry.h"
#include "holder.h"
#include "subflow.h"

/* include/net/tcp_states.h; not in the kernel's public headers. */
enum { STATE_CLOSE = 7 };

struct identity {
	int domain;
	int protocol;
	ino_t ino;
};

static int get_number(int fd, int name, int *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(fd, SOL_SOCKET, name, ret, &len) < 0 ? -errno : 0;
}

static int identify(int fd, struct identity *ret)
{
	struct stat st;
	int type, r;

	r = get_number(fd, SO_TYPE, &type);
	if (r < 0)
		return r;
	r = get_number(fd, SO_DOMAIN, &ret->domain);
	if (r < 0)
		return r;
	r = get_number(fd, SO_PROTOCOL, &ret->protocol);
	if (r < 0)
		return r;
	if (type != SOCK_STREAM || (ret->domain != AF_INET && ret->domain != AF_INET6) ||
		(ret->protocol != IPPROTO_TCP && ret->protocol != IPPROTO_MPTCP))
		return -EINVAL;

	if (fstat(fd, &st) < 0)
		return -errno;
	ret->ino = st.st_ino;
	return 0;
}

static int check_unconnected(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN | POLLPRI | POLLRDHUP};
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	/* Of an MPTCP connection whose first subflow is gone it cannot be read. */
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
		info.tcpi_state != STATE_CLOSE)
		return -EISCONN;

	/* Closed, but a connection or an attempt left data, its end, or an error to be fetched. */
	if (poll(&poll_fd, 1, 0) < 0)
		return -errno;
	return poll_fd.revents & ~POLLHUP ? -EISCONN : 0;
}

/* The system call itself: the preload object turns libc's socket() into MPTCP. */
static int create(int domain, int protocol)
{
	int fd, got = 0, r;

	fd = (int)syscall(SYS_socket, domain, SOCK_STREAM | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return -errno;

	/* A BPF program may turn TCP into MPTCP at birth (net/mptcp: update_socket_protocol). */
	r = get_number(fd, SO_PROTOCOL, &got);
	if (r == 0 && got == protocol)
		return fd;
	close(fd);
	return r < 0 ? r : -EOPNOTSUPP;
}

static int carry(int old, int pristine, int fresh)
{
	int r;

	r = carry_options(old, pristine, fresh);
	if (r < 0)
		return r;
	r = carry_address(old, fresh);
	if (r < 0)
		return r;
	return carry_file(old, fresh);
}

/* Moves @fresh to descriptor @fd. @spare refers to the socket that is there now. */
static int replace(int fd, int fresh, int spare, ino_t ino)
{
	int descriptor_flags, status_flags, cloexec, r;
	struct stat st;

	descriptor_flags = fcntl(fd, F_GETFD);
	status_flags = fcntl(fd, F_GETFL);
	if (descriptor_flags < 0 || status_flags < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* Another thread was quicker with this number: what was carried is not of this file. */
	if (st.st_ino != ino)
		return -EBUSY;

	cloexec = descriptor_flags & FD_CLOEXEC ? O_CLOEXEC : 0;
	if (dup3(fresh, fd, cloexec) < 0)
		return -errno;
	if (status_flags & O_ASYNC && fcntl(fd, F_SETFL, status_flags) < 0) {
		r = -errno;
		dup3(spare, fd, cloexec);
		return r;
	}
	return 0;
}

static int swap(int fd, const struct identity *id, int fresh)
{
	int pristine, spare, r;

	pristine = create(id->domain, id->protocol);
	if (pristine < 0)
		return pristine;
	r = carry(fd, pristine, fresh);
	close(pristine);
	if (r < 0)
		return r;

	spare = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (spare < 0)
		return -errno;
	r = replace(fd, fresh, spare, id->ino);
	close(spare);
	return r;
}

int subflow_enable(int fd, bool on)
{
	int wanted = on ? IPPROTO_MPTCP : IPPROTO_TCP;
	struct identity id;
	int fresh, r;

	r = identify(fd, &id);
	if (r < 0)
		return r;
	if (id.protocol == wanted)
		return 0;

	r = check_unconnected(fd);
	if (r < 0)
		return r;
	r = holder_check(fd, id.ino);
	if (r < 0)
		return r;

	fresh = create(id.domain, wanted);
	if (fresh < 0)
		return fresh;
	r = swap(fd, &id, fresh);
	close(fresh);
	return r;
}
