/* SPDX-License-Identifier: MIT */
/* The swap of a socket: what it keeps, what it refuses, and that a failure leaves no trace. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
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

static const int domains[] = {AF_INET, AF_INET6};
static const int protocols[] = {IPPROTO_TCP, IPPROTO_MPTCP};

static void swaps_in_both_directions(void **state)
{
	(void)state;
	for (int d = 0; d < 2; d++) {
		int fd = open_stream(domains[d], IPPROTO_TCP), fds = count_fds();

		for (int i = 0; i < 10; i++) {
			bool on = i % 2 == 0;

			assert_int_equal(subflow_enable(fd, on), 0);
			assert_int_equal(protocol_of(fd), on ? IPPROTO_MPTCP : IPPROTO_TCP);
			assert_int_equal(get_int(fd, SOL_SOCKET, SO_DOMAIN), domains[d]);
		}
		assert_int_equal(count_fds(), fds);
		close(fd);
	}
}

static void same_protocol_does_nothing(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		int fd = open_stream(AF_INET, protocols[p]);
		ino_t inode = inode_of(fd);

		assert_int_equal(subflow_enable(fd, protocols[p] == IPPROTO_MPTCP), 0);
		assert_int_equal(inode_of(fd), inode);
		/* Nothing done is nothing to refuse. */
		assert_int_equal(listen(fd, 1), 0);
		assert_int_equal(subflow_enable(fd, protocols[p] == IPPROTO_MPTCP), 0);
		assert_int_equal(inode_of(fd), inode);
		close(fd);
	}
}

static void swapped_socket_connects(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		int listener = open_stream(AF_INET, protocols[p]);
		int client = open_stream(AF_INET, protocols[p]), server;
		struct sockaddr_in sin = {
			.sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		};
		char byte = 0;

		sin.sin_port = htons(bind_loopback(listener, AF_INET, 0));
		assert_int_equal(swap_protocol(listener), 0);
		assert_int_equal(swap_protocol(client), 0);
		assert_int_equal(listen(listener, 1), 0);
		assert_int_equal(connect(client, (struct sockaddr *)&sin, sizeof(sin)), 0);
		server = accept(listener, NULL, NULL);
		assert_true(server >= 0);
		assert_int_equal(protocol_of(server), other_protocol(protocols[p]));
		assert_int_equal(write(client, "x", 1), 1);
		assert_int_equal(read(server, &byte, 1), 1);
		assert_int_equal(byte, 'x');
		close(server);
		close(client);
		close(listener);
	}
}

static int try_bind(int domain, in_port_t port, bool is_reuse)
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

static void port_is_kept_from_others(void **state)
{
	(void)state;
	for (int d = 0; d < 2; d++)
		for (int p = 0; p < 2; p++) {
			int fd = open_stream(domains[d], protocols[p]);
			in_port_t port = bind_loopback(fd, domains[d], 0);

			assert_int_equal(swap_protocol(fd), 0);
			assert_int_equal(get_int(fd, SOL_SOCKET, SO_REUSEADDR), 0);
			assert_int_equal(try_bind(domains[d], port, false), -EADDRINUSE);
			assert_int_equal(try_bind(domains[d], port, true), -EADDRINUSE);
			/* And by one that is gone again, the port is free. */
			close(fd);
			assert_int_equal(try_bind(domains[d], port, false), 0);
		}
}

static void reuse_of_the_address_is_kept(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		int fd = open_stream(AF_INET, protocols[p]);
		in_port_t port;

		set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
		port = bind_loopback(fd, AF_INET, 0);
		assert_int_equal(swap_protocol(fd), 0);
		assert_int_equal(get_int(fd, SOL_SOCKET, SO_REUSEADDR), 1);
		assert_int_equal(try_bind(AF_INET, port, true), 0);
		close(fd);
	}
}

static void port_shared_with_another_socket_is_kept(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		int fd = open_stream(AF_INET, protocols[p]);
		int listener = open_stream(AF_INET, IPPROTO_TCP);
		in_port_t port;

		set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
		set_int(listener, SOL_SOCKET, SO_REUSEPORT, 1);
		port = bind_loopback(listener, AF_INET, 0);
		assert_int_equal(listen(listener, 1), 0);
		bind_loopback(fd, AF_INET, port);
		assert_int_equal(swap_protocol(fd), 0);
		assert_int_equal(listen(fd, 1), 0);
		close(fd);
		close(listener);
	}
}

static void expect_address(int domain, const char *text, in_port_t port, bool is_without_port)
{
	for (int p = 0; p < 2; p++) {
		struct sockaddr_storage was = {.ss_family = (sa_family_t)domain}, is = {0};
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&was;
		struct sockaddr_in *sin = (struct sockaddr_in *)&was;
		socklen_t len = domain == AF_INET ? sizeof(*sin) : sizeof(*sin6);
		int fd = open_stream(domain, protocols[p]);

		inet_pton(domain, text,
			domain == AF_INET ? (void *)&sin->sin_addr : &sin6->sin6_addr);
		/* The port is at the same place in both. */
		sin->sin_port = htons(port);
		if (is_without_port)
			set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
		assert_int_equal(bind(fd, (struct sockaddr *)&was, len), 0);
		/* Whoever set it for bind() may take it back. */
		if (is_without_port)
			set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&was, &len), 0);
		assert_true(is_without_port == (sin->sin_port == 0));

		assert_int_equal(swap_protocol(fd), 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&is, &len), 0);
		assert_memory_equal(&is, &was, len);
		if (is_without_port)
			assert_int_equal(get_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), 0);
		close(fd);
	}
}

/* Before Linux 6.13 MPTCP sockets cannot be bound to an address without a port. */
static bool can_bind_without_port(void)
{
	return has_option(AF_INET, IPPROTO_MPTCP, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
}

static void address_without_port_is_kept_or_refused(void **state)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd;

	(void)state;
	if (can_bind_without_port()) {
		expect_address(AF_INET, "127.0.0.2", 0, true);
		expect_address(AF_INET6, "::1", 0, true);
		expect_address(AF_INET6, "::ffff:127.0.0.2", 0, true);
		return;
	}
	fd = open_stream(AF_INET, IPPROTO_TCP);
	set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 0);
	expect_refusal(fd, -EOPNOTSUPP);
	close(fd);
}

static void address_is_kept(void **state)
{
	(void)state;
	expect_address(AF_INET, "127.0.0.1", 0, false);
	expect_address(AF_INET, "127.0.0.2", 0, false);
	expect_address(AF_INET, "0.0.0.0", 0, false);
	expect_address(AF_INET6, "::1", 0, false);
	expect_address(AF_INET6, "::", 0, false);
	expect_address(AF_INET6, "::ffff:127.0.0.2", 0, false);
}

static void unbound_socket_stays_unbound(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		struct sockaddr_in sin = {0};
		socklen_t len = sizeof(sin);
		int fd = open_stream(AF_INET, protocols[p]);

		assert_int_equal(swap_protocol(fd), 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
		assert_int_equal(sin.sin_port, 0);
		close(fd);
	}
}

static void flags_are_kept(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++)
		for (int i = 0; i < 4; i++) {
			int nonblock = i & 1 ? O_NONBLOCK : 0, cloexec = i & 2 ? FD_CLOEXEC : 0;
			int fd = open_stream(AF_INET, protocols[p]);

			fcntl(fd, F_SETFL, nonblock);
			fcntl(fd, F_SETFD, cloexec);
			assert_int_equal(swap_protocol(fd), 0);
			assert_int_equal(fcntl(fd, F_GETFL), O_RDWR | nonblock);
			assert_int_equal(fcntl(fd, F_GETFD), cloexec);
			close(fd);
		}
}

/* The signal must name the descriptor that the program knows. */
static void asynchronous_owner_is_kept(void **state)
{
	struct timespec deadline = {.tv_sec = 5};
	sigset_t set;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);

	for (int p = 0; p < 2; p++) {
		struct f_owner_ex owner = {.type = F_OWNER_PID, .pid = getpid()}, is;
		struct sockaddr_in sin = {
			.sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		};
		int fd = open_stream(AF_INET, protocols[p]);
		int client = open_stream(AF_INET, IPPROTO_TCP);
		siginfo_t info;

		assert_int_equal(fcntl(fd, F_SETOWN_EX, &owner), 0);
		assert_int_equal(fcntl(fd, F_SETSIG, SIGUSR1), 0);
		assert_int_equal(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK), 0);
		assert_int_equal(swap_protocol(fd), 0);
		assert_int_equal(fcntl(fd, F_GETFL), O_RDWR | O_ASYNC | O_NONBLOCK);
		assert_int_equal(fcntl(fd, F_GETSIG), SIGUSR1);
		assert_int_equal(fcntl(fd, F_GETOWN_EX, &is), 0);
		assert_int_equal(is.type, owner.type);
		assert_int_equal(is.pid, owner.pid);

		sin.sin_port = htons(bind_loopback(fd, AF_INET, 0));
		assert_int_equal(listen(fd, 1), 0);
		assert_int_equal(connect(client, (struct sockaddr *)&sin, sizeof(sin)), 0);
		assert_int_equal(sigtimedwait(&set, &info, &deadline), SIGUSR1);
		assert_int_equal(info.si_fd, fd);
		close(client);
		close(fd);
	}
	while (sigtimedwait(&set, NULL, &(struct timespec){0}) > 0)
		;
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void no_stream_socket_is_refused(void **state)
{
	int pipe_fds[2], udp, local;

	(void)state;
	assert_int_equal(subflow_enable(-1, true), -EBADF);
	assert_int_equal(subflow_enable(9999, true), -EBADF);

	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(subflow_enable(pipe_fds[0], true), -ENOTSOCK);
	close(pipe_fds[0]);
	close(pipe_fds[1]);

	udp = socket(AF_INET, SOCK_DGRAM, 0);
	local = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(subflow_enable(udp, true), -EINVAL);
	assert_int_equal(subflow_enable(udp, false), -EINVAL);
	assert_int_equal(subflow_enable(local, true), -EINVAL);
	assert_int_equal(subflow_enable(local, false), -EINVAL);
	close(udp);
	close(local);
}

static void listener_is_refused(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		int fd = open_stream(AF_INET, protocols[p]);

		bind_loopback(fd, AF_INET, 0);
		assert_int_equal(listen(fd, 1), 0);
		expect_refusal(fd, -EISCONN);
		close(fd);
	}
}

static void connection_is_refused(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		struct sockaddr_in sin = {
			.sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		};
		int listener = open_stream(AF_INET, protocols[p]);
		int client = open_stream(AF_INET, protocols[p]), server;

		sin.sin_port = htons(bind_loopback(listener, AF_INET, 0));
		assert_int_equal(listen(listener, 1), 0);
		assert_int_equal(connect(client, (struct sockaddr *)&sin, sizeof(sin)), 0);
		server = accept(listener, NULL, NULL);
		expect_refusal(client, -EISCONN);
		expect_refusal(server, -EISCONN);

		/* What the peer left to be read would be lost. */
		assert_int_equal(write(server, "x", 1), 1);
		close(server);
		expect_refusal(client, -EISCONN);
		close(client);
		close(listener);
	}
}

/* A listener with a full queue drops SYNs: the second connection stays in SYN_SENT. */
static void attempt_to_connect_is_refused(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		struct sockaddr_in sin = {
			.sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		};
		int listener = open_stream(AF_INET, IPPROTO_TCP), clients[3];

		sin.sin_port = htons(bind_loopback(listener, AF_INET, 0));
		assert_int_equal(listen(listener, 0), 0);
		for (int i = 0; i < 3; i++) {
			clients[i] = open_stream(AF_INET, protocols[p]);
			fcntl(clients[i], F_SETFL, O_NONBLOCK);
			assert_int_equal(
				connect(clients[i], (struct sockaddr *)&sin, sizeof(sin)), -1);
			assert_int_equal(errno, EINPROGRESS);
		}
		expect_refusal(clients[2], -EISCONN);
		for (int i = 0; i < 3; i++)
			close(clients[i]);
		close(listener);
	}
}

/* The program has yet to learn how its attempt ended: a fresh socket could not tell. */
static void error_to_be_fetched_is_refused(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		struct sockaddr_in sin = {
			.sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		};
		int closed = open_stream(AF_INET, IPPROTO_TCP);
		int fd = open_stream(AF_INET, protocols[p]);

		/* Bound, not listening: connections are refused, and nobody else gets the port. */
		sin.sin_port = htons(bind_loopback(closed, AF_INET, 0));
		fcntl(fd, F_SETFL, O_NONBLOCK);
		assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), -1);
		assert_int_equal(errno, EINPROGRESS);
		expect_refusal(fd, -EISCONN);
		assert_int_equal(get_int(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
		close(fd);
		close(closed);
	}
}

/* The attempt leaves its segment size behind, which must not become one that was set. */
static void socket_may_be_swapped_after_a_refused_connection(void **state)
{
	bool can_maxseg = has_option(AF_INET, IPPROTO_MPTCP, IPPROTO_TCP, TCP_MAXSEG);

	(void)state;
	for (int p = 0; p < 2; p++) {
		struct sockaddr_in sin = {
			.sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		};
		int closed = open_stream(AF_INET, IPPROTO_TCP);
		int fd = open_stream(AF_INET, protocols[p]);
		int untouched = open_stream(AF_INET, protocols[p]);

		sin.sin_port = htons(bind_loopback(closed, AF_INET, 0));
		assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), -1);
		assert_int_equal(errno, ECONNREFUSED);
		/* And back: nothing that the kernel chose for itself is in the way. */
		for (int i = 0; i < 2 && (protocols[p] == IPPROTO_TCP || can_maxseg); i++)
			assert_int_equal(swap_protocol(fd), 0);
		if (can_maxseg)
			assert_int_equal(get_int(fd, IPPROTO_TCP, TCP_MAXSEG),
				get_int(untouched, IPPROTO_TCP, TCP_MAXSEG));
		close(fd);
		close(closed);
		close(untouched);
	}
}

struct other_namespace {
	int fd;
	int unshared;
};

static void *open_in_other_namespace(void *argument)
{
	struct other_namespace *other = argument;

	other->unshared = unshare(CLONE_NEWNET);
	if (other->unshared == 0)
		other->fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
	return NULL;
}

/* A fresh socket would be of this thread's namespace. */
static void socket_of_another_namespace_is_refused(void **state)
{
	struct other_namespace other;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, open_in_other_namespace, &other), 0);
	pthread_join(thread, NULL);
	if (other.unshared < 0)
		skip();
	expect_refusal(other.fd, -EOPNOTSUPP);
	close(other.fd);
}

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
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(swaps_in_both_directions),
		cmocka_unit_test(same_protocol_does_nothing),
		cmocka_unit_test(swapped_socket_connects),
		cmocka_unit_test(port_is_kept_from_others),
		cmocka_unit_test(reuse_of_the_address_is_kept),
		cmocka_unit_test(port_shared_with_another_socket_is_kept),
		cmocka_unit_test(address_is_kept),
		cmocka_unit_test(address_without_port_is_kept_or_refused),
		cmocka_unit_test(unbound_socket_stays_unbound),
		cmocka_unit_test(flags_are_kept),
		cmocka_unit_test(asynchronous_owner_is_kept),
		cmocka_unit_test(no_stream_socket_is_refused),
		cmocka_unit_test(listener_is_refused),
		cmocka_unit_test(connection_is_refused),
		cmocka_unit_test(attempt_to_connect_is_refused),
		cmocka_unit_test(error_to_be_fetched_is_refused),
		cmocka_unit_test(socket_may_be_swapped_after_a_refused_connection),
		cmocka_unit_test(socket_of_another_namespace_is_refused),
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
