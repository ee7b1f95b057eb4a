/* SPDX-License-Identifier: MIT */
/* Real sockets on loopback, and what the tests of libsubflow look at in them. */
#include "sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "subflow.h"

bool kernel_has_mptcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int open_stream(int domain, int protocol)
{
	int fd = socket(domain, SOCK_STREAM, protocol);

	assert_true(fd >= 0);
	assert_int_equal(protocol_of(fd), protocol);
	return fd;
}

int protocol_of(int fd)
{
	return get_int(fd, SOL_SOCKET, SO_PROTOCOL);
}

ino_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

int get_int(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

void set_int(int fd, int level, int name, int value)
{
	assert_int_equal(setsockopt(fd, level, name, &value, sizeof(value)), 0);
}

bool has_option(int domain, int protocol, int level, int name)
{
	int fd = open_stream(domain, protocol), value;
	socklen_t len = sizeof(value);
	bool is_known = getsockopt(fd, level, name, &value, &len) == 0;

	close(fd);
	return is_known;
}

in_port_t bind_loopback(int fd, int domain, in_port_t port)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr_in6 sin6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	socklen_t len = domain == AF_INET ? sizeof(sin) : sizeof(sin6);
	struct sockaddr *sa = domain == AF_INET ? (void *)&sin : (void *)&sin6;

	assert_int_equal(bind(fd, sa, len), 0);
	assert_int_equal(getsockname(fd, sa, &len), 0);
	return ntohs(domain == AF_INET ? sin.sin_port : sin6.sin6_port);
}

int try_bind(int domain, in_port_t port, bool is_reuse)
{
	struct sockaddr_in6 sin6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = open_stream(domain, IPPROTO_TCP), r;

	set_int(fd, SOL_SOCKET, SO_REUSEADDR, is_reuse);
	r = domain == AF_INET ? bind(fd, (struct sockaddr *)&sin, sizeof(sin))
			      : bind(fd, (struct sockaddr *)&sin6, sizeof(sin6));
	r = r < 0 ? -errno : 0;
	close(fd);
	return r;
}

int other_protocol(int protocol)
{
	return protocol == IPPROTO_TCP ? IPPROTO_MPTCP : IPPROTO_TCP;
}

int swap_protocol(int fd)
{
	return subflow_enable(fd, protocol_of(fd) == IPPROTO_TCP);
}

void expect_refusal(int fd, int error)
{
	int protocol = protocol_of(fd), fds = count_fds();
	ino_t inode = inode_of(fd);

	assert_int_equal(subflow_enable(fd, protocol == IPPROTO_TCP), error);
	assert_int_equal(protocol_of(fd), protocol);
	assert_int_equal(inode_of(fd), inode);
	assert_int_equal(count_fds(), fds);
}
