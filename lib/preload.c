/* SPDX-License-Identifier: MIT */
/* Makes the TCP sockets of an unmodified program MPTCP, and TCP_MULTIPATH_ENABLE settable there. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "subflow.h"

#define EXPORT __attribute__((visibility("default")))

/*
 * Options of the out-of-tree MPTCP for Linux 3 to 5 (include/uapi/linux/tcp.h). Mainline has
 * TCP_CC_INFO by the number of the second one, which is read only.
 */
#define OLD_MPTCP_DEBUG   10001
#define OLD_MPTCP_ENABLED 26

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

static bool is_tcp(int fd)
{
	int protocol = 0;
	socklen_t len = sizeof(protocol);

	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
	       (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP);
}

/* Whether the kernel has refused @optname as unknown, and it means something to us. */
static bool is_old_option(int fd, int optname, const void *optval, socklen_t optlen)
{
	return (errno == ENOPROTOOPT || errno == EOPNOTSUPP) &&
	       (optname == OLD_MPTCP_DEBUG || optname == OLD_MPTCP_ENABLED) && optval &&
	       optlen == sizeof(int) && is_tcp(fd);
}

EXPORT int setsockopt(int fd, int level, int optname, const void *optval, socklen_t optlen)
{
	setsockopt_function next = (setsockopt_function)find_next(&next_setsockopt, "setsockopt");
	int saved_errno = errno, r;

	if (level != IPPROTO_TCP || optname != TCP_MULTIPATH_ENABLE) {
		if (!next) {
			errno = ENOSYS;
			return -1;
		}
		r = next(fd, level, optname, optval, optlen);
		if (r == 0 || level != IPPROTO_TCP || !is_old_option(fd, optname, optval, optlen))
			return r;
	}

	r = optname == OLD_MPTCP_DEBUG ? 0 : enable(fd, optval, optlen);
	errno = r < 0 ? -r : saved_errno;
	return r < 0 ? -1 : 0;
}
