/* SPDX-License-Identifier: MIT */
/* The swap of a socket, and what it keeps. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sockets.h"
#include "subflow.h"

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
	};

	if (!kernel_has_mptcp())
		return EXIT_SKIP;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
