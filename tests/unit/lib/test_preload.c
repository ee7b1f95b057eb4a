/* SPDX-License-Identifier: MIT */
/* The preload object's socket() and setsockopt(), linked into this program before those of libc. */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sockets.h"
#include "subflow.h"

static int protocol_made(int domain, int type, int protocol)
{
	int fd = socket(domain, type, protocol), made;

	assert_true(fd >= 0);
	made = protocol_of(fd);
	close(fd);
	return made;
}

static void tcp_becomes_mptcp(void **state)
{
	static const int domains[] = {AF_INET, AF_INET6};

	(void)state;
	for (int d = 0; d < 2; d++)
		for (int protocol = 0; protocol <= IPPROTO_TCP; protocol += IPPROTO_TCP) {
			assert_int_equal(
				protocol_made(domains[d], SOCK_STREAM, protocol), IPPROTO_MPTCP);
			assert_int_equal(
				protocol_made(domains[d],
					SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol),
				IPPROTO_MPTCP);
		}
}

static void flags_reach_the_socket(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

static void others_stay_what_they_are(void **state)
{
	(void)state;
	assert_int_equal(protocol_made(AF_INET, SOCK_DGRAM, 0), IPPROTO_UDP);
	assert_int_equal(protocol_made(AF_INET6, SOCK_DGRAM, 0), IPPROTO_UDP);
	assert_int_equal(protocol_made(AF_UNIX, SOCK_STREAM, 0), 0);
	assert_int_equal(protocol_made(AF_INET, SOCK_STREAM, IPPROTO_MPTCP), IPPROTO_MPTCP);
}

static void errors_are_those_of_the_call(void **state)
{
	(void)state;
	assert_int_equal(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), -1);
	assert_int_equal(errno, EPROTONOSUPPORT);
	assert_int_equal(socket(9999, SOCK_STREAM, 0), -1);
	assert_int_equal(errno, EAFNOSUPPORT);
}

static void success_leaves_errno_alone(void **state)
{
	int off = 0, fd;

	(void)state;
	errno = 4711;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(errno, 4711);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_MULTIPATH_ENABLE, &off, sizeof(off)), 0);
	assert_int_equal(errno, 4711);
	close(fd);
}

struct without_mptcp {
	bool is_off;
	int protocol;
	int error;
};

static void *open_without_mptcp(void *argument)
{
	struct without_mptcp *result = argument;
	int fd, sysctl;

	if (unshare(CLONE_NEWNET) < 0)
		return NULL;
	/* /proc/sys/net shows the namespace of the thread that opens it. */
	sysctl = open("/proc/sys/net/mptcp/enabled", O_WRONLY);
	result->is_off = write(sysctl, "0", 1) == 1;
	close(sysctl);
	errno = 0;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	result->error = errno;
	result->protocol = fd < 0 ? -1 : protocol_of(fd);
	close(fd);
	return NULL;
}

static void kernel_without_mptcp_gives_tcp(void **state)
{
	struct without_mptcp result = {0};
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, open_without_mptcp, &result), 0);
	pthread_join(thread, NULL);
	if (!result.is_off)
		skip();
	assert_int_equal(result.protocol, IPPROTO_TCP);
	assert_int_equal(result.error, 0);
}

static void enable_is_set_both_ways(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	for (int i = 0; i < 6; i++) {
		int on = i % 2;

		assert_int_equal(
			setsockopt(fd, IPPROTO_TCP, TCP_MULTIPATH_ENABLE, &on, sizeof(on)), 0);
		/* Off is really TCP: the library's own sockets are not turned again. */
		assert_int_equal(protocol_of(fd), on ? IPPROTO_MPTCP : IPPROTO_TCP);
	}
	close(fd);
}

static void expect_error(int fd, const void *value, socklen_t len, int error)
{
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_MULTIPATH_ENABLE, value, len), -1);
	assert_int_equal(errno, error);
}

static void malformed_enable_changes_nothing(void **state)
{
	static const int bad_values[] = {-1, 2, 1000000, 256};
	char bytes[4097] = {0};
	int fd = socket(AF_INET, SOCK_STREAM, 0), off = 0;
	ino_t inode = inode_of(fd);

	(void)state;
	for (size_t i = 0; i < sizeof(bad_values) / sizeof(bad_values[0]); i++)
		expect_error(fd, &bad_values[i], sizeof(int), EINVAL);
	expect_error(fd, bytes, 0, EINVAL);
	expect_error(fd, bytes, 3, EINVAL);
	expect_error(fd, bytes, 5, EINVAL);
	expect_error(fd, bytes, 4097, EINVAL);
	expect_error(fd, bytes, (socklen_t)-1, EINVAL);
	expect_error(fd, NULL, sizeof(int), EFAULT);
	expect_error(-1, &off, sizeof(int), EBADF);
	expect_error(-1, bytes, 3, EBADF);
	assert_int_equal(inode_of(fd), inode);

	/* What the library refuses arrives as errno. */
	bind_loopback(fd, AF_INET, 0);
	assert_int_equal(listen(fd, 1), 0);
	expect_error(fd, &off, sizeof(int), EISCONN);
	assert_int_equal(inode_of(fd), inode);
	close(fd);
}

static void other_options_pass(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	(void)state;
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	assert_int_equal(get_int(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	/* The number alone is not ours. */
	assert_int_equal(setsockopt(fd, SOL_SOCKET, TCP_MULTIPATH_ENABLE, &on, sizeof(on)), -1);
	assert_true(errno == ENOPROTOOPT || errno == EOPNOTSUPP);
	close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_becomes_mptcp),
		cmocka_unit_test(flags_reach_the_socket),
		cmocka_unit_test(others_stay_what_they_are),
		cmocka_unit_test(errors_are_those_of_the_call),
		cmocka_unit_test(success_leaves_errno_alone),
		cmocka_unit_test(kernel_without_mptcp_gives_tcp),
		cmocka_unit_test(enable_is_set_both_ways),
		cmocka_unit_test(malformed_enable_changes_nothing),
		cmocka_unit_test(other_options_pass),
	};

	if (!kernel_has_mptcp())
		return EXIT_SKIP;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
