/* SPDX-License-Identifier: MIT */
/* The swap of a socket: a failure leaves no trace, and no other thread is disturbed. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sockets.h"
#include "subflow.h"

/* The next such call fails with this errno. */
static int bind_error, dup3_error, async_error;

/* Another thread that is quicker: at the next bind(), this socket takes over that descriptor. */
static int intruder = -1, intruded = -1;

/* A BPF program of the host that makes every TCP socket MPTCP at its birth. */
static bool is_tcp_turned;

int __real_bind(int fd, const struct sockaddr *sa, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len);
int __real_dup3(int old, int new, int flags);
int __wrap_dup3(int old, int new, int flags);
int __real_fcntl64(int fd, int command, long argument);
int __wrap_fcntl64(int fd, int command, long argument);

long __real_syscall(long number, long domain, long type, long protocol);
long __wrap_syscall(long number, long domain, long type, long protocol);

static bool is_injected(int *error)
{
	bool is = *error != 0;

	if (is)
		errno = *error;
	*error = 0;
	return is;
}

int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	if (intruder >= 0) {
		assert_int_equal(dup2(intruder, intruded), intruded);
		intruder = -1;
	}
	return is_injected(&bind_error) ? -1 : __real_bind(fd, sa, len);
}

long __wrap_syscall(long number, long domain, long type, long protocol)
{
	if (number == SYS_socket && is_tcp_turned && protocol == IPPROTO_TCP)
		protocol = IPPROTO_MPTCP;
	return __real_syscall(number, domain, type, protocol);
}

int __wrap_dup3(int old, int new, int flags)
{
	return is_injected(&dup3_error) ? -1 : __real_dup3(old, new, flags);
}

int __wrap_fcntl64(int fd, int command, long argument)
{
	if (command == F_SETFL && argument & O_ASYNC && is_injected(&async_error))
		return -1;
	return __real_fcntl64(fd, command, argument);
}

static const int protocols[] = {IPPROTO_TCP, IPPROTO_MPTCP};

/* Failures at each point where a descriptor is needed, with all that can be undone set. */
static void lack_of_descriptors_leaves_no_trace(void **state)
{
	struct rlimit was, limit;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &was);
	for (int p = 0; p < 2; p++) {
		int fd = open_stream(AF_INET, protocols[p]), fds = count_fds(), failures = 0, r;
		in_port_t port = bind_loopback(fd, AF_INET, 0);
		ino_t inode = inode_of(fd);

		for (rlim_t room = 1; room < 20; room++, failures++) {
			limit = (struct rlimit){
				.rlim_cur = (rlim_t)fd + room, .rlim_max = was.rlim_max};
			setrlimit(RLIMIT_NOFILE, &limit);
			r = swap_protocol(fd);
			setrlimit(RLIMIT_NOFILE, &was);
			assert_int_equal(count_fds(), fds);
			if (r == 0)
				break;
			assert_int_equal(r, -EMFILE);
			assert_int_equal(inode_of(fd), inode);
			assert_int_equal(get_int(fd, SOL_SOCKET, SO_REUSEADDR), 0);
			assert_int_equal(try_bind(AF_INET, port, true), -EADDRINUSE);
		}
		/* The list of descriptors, the fresh socket, the pristine or the spare one. */
		assert_int_equal(failures, 2);
		close(fd);
	}
}

static void injected_failures_leave_no_trace(void **state)
{
	int *errors[] = {&bind_error, &dup3_error, &async_error};

	(void)state;
	for (int p = 0; p < 2; p++) {
		int fd = open_stream(AF_INET, protocols[p]);
		in_port_t port = bind_loopback(fd, AF_INET, 0);

		fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK);
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
			*errors[i] = ENOMEM;
			expect_refusal(fd, -ENOMEM);
			assert_int_equal(*errors[i], 0);
			assert_int_equal(fcntl(fd, F_GETFL), O_RDWR | O_ASYNC | O_NONBLOCK);
			assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
			assert_int_equal(get_int(fd, SOL_SOCKET, SO_REUSEADDR), 0);
			assert_int_equal(try_bind(AF_INET, port, true), -EADDRINUSE);
		}
		assert_int_equal(swap_protocol(fd), 0);
		close(fd);
	}
}

static void quicker_thread_keeps_its_socket(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		int fd = open_stream(AF_INET, protocols[p]),
		    other = open_stream(AF_INET, IPPROTO_TCP);
		ino_t inode = inode_of(other);
		int fds = count_fds();

		bind_loopback(fd, AF_INET, 0);
		intruder = other;
		intruded = fd;
		assert_int_equal(swap_protocol(fd), -EBUSY);
		assert_int_equal(inode_of(fd), inode);
		assert_int_equal(count_fds(), fds);
		close(other);
		close(fd);
	}
}

static void host_that_turns_tcp_into_mptcp_is_an_error(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		int fd = open_stream(AF_INET, protocols[p]);

		is_tcp_turned = true;
		expect_refusal(fd, -EOPNOTSUPP);
		is_tcp_turned = false;
		close(fd);
	}
}

static void *swap_many_times(void *argument)
{
	intptr_t failures = 0;

	(void)argument;
	for (int i = 0; i < 50; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, protocols[i % 2]);

		failures += subflow_enable(fd, i % 2 == 0) != 0;
		close(fd);
	}
	return (void *)failures;
}

static void threads_do_not_disturb_each_other(void **state)
{
	pthread_t threads[8];
	int fds = count_fds();

	(void)state;
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, swap_many_times, NULL), 0);
	for (int i = 0; i < 8; i++) {
		void *failures;

		pthread_join(threads[i], &failures);
		assert_null(failures);
	}
	assert_int_equal(count_fds(), fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lack_of_descriptors_leaves_no_trace),
		cmocka_unit_test(injected_failures_leave_no_trace),
		cmocka_unit_test(quicker_thread_keeps_its_socket),
		cmocka_unit_test(host_that_turns_tcp_into_mptcp_is_an_error),
		cmocka_unit_test(threads_do_not_disturb_each_other),
	};

	if (!kernel_has_mptcp())
		return EXIT_SKIP;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
