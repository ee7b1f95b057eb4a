/* SPDX-License-Identifier: MIT */
/* Makes the TCP sockets of an unmodified program MPTCP, and TCP_MULTIPATH_ENABLE settable there. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "subflow.h"

#define EXPORT __attribute__((visibility("default")))

typedef int (*socket_function)(int, int, int);
typedef int (*setsockopt_function)(int, int, int, const void *, socklen_t);

/* Looked up at each first use, not in a constructor: other constructors may open sockets. */
static _Atomic(void *) next_socket, next_setsockopt;

/* Another preloaded object may stand between us and libc: do not go past it. */
static void *find_next(_Atomic(void *) *cache, const char *name)
{
	void *function = atomic_load_explicit(cache, memory_order_relaxed);

	if (!function) {
		function = dlsym(RTLD_NEXT, name);
		atomic_store_explicit(cache, function, memory_order_relaxed);
	}
	return function;
}

static bool is_plain_tcp(int domain, int type, int protocol)
{
	return (domain == AF_INET || domain == AF_INET6) &&
	       (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_STREAM &&
	       (protocol == 0 || protocol == IPPROTO_TCP);
}

EXPORT int socket(int domain, int type, int protocol)
{
	socket_function next = (socket_function)find_next(&next_socket, "socket");
	int saved_errno = errno, fd;

	if (!next) {
		errno = ENOSYS;
		return -1;
	}
	if (!is_plain_tcp(domain, type, protocol))
		return next(domain, type, protocol);

	fd = next(domain, type, IPPROTO_MPTCP);
	if (fd >= 0)
		return fd;
	/*
	 * Whatever the reason: not built, switched off, denied. If it was none of
	 * MPTCP's, the program gets to see it from the call that it made.
	 */
	errno = saved_errno;
	return next(domain, type, protocol);
}

static int enable(int fd, const void *optval, socklen_t optlen)
{
	int type, on;
	socklen_t type_len = sizeof(type);

	/* EBADF and ENOTSOCK come before any fault of the arguments, as in the kernel. */
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) < 0)
		return -errno;
	if (optlen != sizeof(on))
		return -EINVAL;
	if (!optval)
		return -EFAULT;
	memcpy(&on, optval, sizeof(on));
	if (on != 0 && on != 1)
		return -EINVAL;
	return subflow_enable(fd, on == 1);
}

EXPORT int setsockopt(int fd, int level, int optname, const void *optval, socklen_t optlen)
{
	int saved_errno = errno, r;

	if (level != IPPROTO_TCP || optname != TCP_MULTIPATH_ENABLE) {
		setsockopt_function next =
			(setsockopt_function)find_next(&next_setsockopt, "setsockopt");

		if (next)
			return next(fd, level, optname, optval, optlen);
		errno = ENOSYS;
		return -1;
	}

	r = enable(fd, optval, optlen);
	errno = r < 0 ? -r : saved_errno;
	return r < 0 ? -1 : 0;
}
