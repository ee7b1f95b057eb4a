/* SPDX-License-Identifier: MIT */
/* The swap of a socket: what it refuses, and leaves as it is. */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sockets.h"
#include "subflow.h"

static const int protocols[] = {IPPROTO_TCP, IPPROTO_MPTCP};

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_stream_socket_is_refused),
		cmocka_unit_test(listener_is_refused),
		cmocka_unit_test(connection_is_refused),
		cmocka_unit_test(attempt_to_connect_is_refused),
		cmocka_unit_test(error_to_be_fetched_is_refused),
		cmocka_unit_test(socket_may_be_swapped_after_a_refused_connection),
		cmocka_unit_test(socket_of_another_namespace_is_refused),
	};

	if (!kernel_has_mptcp())
		return EXIT_SKIP;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
