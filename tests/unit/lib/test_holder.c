/* SPDX-License-Identifier: MIT */
/* The swap of a socket that several descriptors, epoll sets and threads hold: all follow, or none.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sockets.h"
#include "subflow.h"

enum { MAX = 16, DATA = 0x1234 };

/* The nth such call from now on fails with this errno; 0: none does. */
struct failure {
	int nth;
	int error;
};

static struct failure dup3_failure, add_failure, async_failure;

/* A kernel that drops these events in silence, as it does EPOLLWAKEUP without CAP_BLOCK_SUSPEND. */
static uint32_t dropped_events;

/* Another thread that uses the descriptor just before the next dup3(). */
static int (*intruder)(int fd);

int __real_dup3(int old, int new, int flags);
int __wrap_dup3(int old, int new, int flags);
int __real_epoll_ctl(int set, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int set, int op, int fd, struct epoll_event *event);
int __real_fcntl64(int fd, int command, long argument);
int __wrap_fcntl64(int fd, int command, long argument);

static bool is_injected(struct failure *failure)
{
	if (failure->nth == 0 || --failure->nth > 0)
		return false;
	errno = failure->error;
	return true;
}

int __wrap_dup3(int old, int new, int flags)
{
	if (intruder) {
		int (*intrude)(int) = intruder;

		intruder = NULL;
		assert_int_equal(intrude(new), 0);
	}
	return is_injected(&dup3_failure) ? -1 : __real_dup3(old, new, flags);
}

int __wrap_epoll_ctl(int set, int op, int fd, struct epoll_event *event)
{
	if (op == EPOLL_CTL_ADD && is_injected(&add_failure))
		return -1;
	if (event)
		event->events &= ~dropped_events;
	return __real_epoll_ctl(set, op, fd, event);
}

int __wrap_fcntl64(int fd, int command, long argument)
{
	if (command == F_SETFL && argument & O_ASYNC && is_injected(&async_failure))
		return -1;
	return __real_fcntl64(fd, command, argument);
}

static const int protocols[] = {IPPROTO_TCP, IPPROTO_MPTCP};

static int open_set(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC);

	assert_true(set >= 0);
	return set;
}

static void watch(int set, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
}

/* What the kernel shows of a set; without the inodes if these may differ. */
struct shown {
	char text[16384];
};

static struct shown show(int set, bool with_inodes)
{
	struct shown shown = {""};
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", set);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		char *inode = strstr(line, " ino:");

		if (strncmp(line, "tfd:", 4) != 0)
			continue;
		if (!with_inodes && inode)
			strcpy(inode, "\n");
		assert_true(strlen(shown.text) + strlen(line) < sizeof(shown.text));
		strcat(shown.text, line);
	}
	fclose(file);
	return shown;
}

static void expect_shown(int set, bool with_inodes, const struct shown *expected)
{
	struct shown shown = show(set, with_inodes);

	assert_string_equal(shown.text, expected->text);
}

static int count_lines(int set)
{
	struct shown shown = show(set, true);
	int n = 0;

	for (const char *at = shown.text; (at = strchr(at, '\n')); at++)
		n++;
	return n;
}

static void descriptors_follow(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++)
		for (int asked = 0; asked < MAX; asked += 5) {
			int fds[MAX], before;

			fds[0] = open_stream(AF_INET, protocols[p]);
			for (int i = 1; i < MAX; i++)
				fds[i] = fcntl(fds[0], i % 2 ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
			bind_loopback(fds[0], AF_INET, 0);
			before = count_fds();

			assert_int_equal(swap_protocol(fds[asked]), 0);
			for (int i = 0; i < MAX; i++) {
				assert_int_equal(protocol_of(fds[i]), other_protocol(protocols[p]));
				assert_int_equal(inode_of(fds[i]), inode_of(fds[0]));
				assert_int_equal(fcntl(fds[i], F_GETFD), i % 2 ? FD_CLOEXEC : 0);
			}
			assert_int_equal(count_fds(), before);
			closefrom(3);
		}
}

static void registration_follows(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		struct sockaddr_in sin = {
			.sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		};
		int fd = open_stream(AF_INET, protocols[p]), set = open_set();
		int client = open_stream(AF_INET, IPPROTO_TCP);
		struct epoll_event event;
		struct shown before;

		watch(set, fd, EPOLLIN, UINT64_C(0xfedcba9876543210));
		before = show(set, false);
		sin.sin_port = htons(bind_loopback(fd, AF_INET, 0));
		assert_int_equal(swap_protocol(fd), 0);
		/* The old socket's has gone with it. */
		expect_shown(set, false, &before);

		assert_int_equal(listen(fd, 1), 0);
		assert_int_equal(epoll_wait(set, &event, 1, 0), 0);
		assert_int_equal(connect(client, (struct sockaddr *)&sin, sizeof(sin)), 0);
		assert_int_equal(epoll_wait(set, &event, 1, 5000), 1);
		assert_int_equal(event.events, EPOLLIN);
		assert_true(event.data.u64 == UINT64_C(0xfedcba9876543210));

		/* The program goes on with the descriptor that it knows. */
		event.events = EPOLLOUT;
		assert_int_equal(epoll_ctl(set, EPOLL_CTL_MOD, fd, &event), 0);
		assert_int_equal(epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL), 0);
		assert_int_equal(count_lines(set), 0);
		closefrom(3);
	}
}

static void every_flag_follows(void **state)
{
	static const uint32_t flags[] = {0, EPOLLIN | EPOLLPRI | EPOLLRDHUP, EPOLLET | EPOLLOUT,
		EPOLLONESHOT | EPOLLIN, EPOLLET | EPOLLONESHOT | EPOLLIN | EPOLLOUT,
		EPOLLEXCLUSIVE | EPOLLIN | EPOLLET};

	(void)state;
	for (int p = 0; p < 2; p++)
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
			int fd = open_stream(AF_INET, protocols[p]), set = open_set();
			struct shown before;

			watch(set, fd, flags[i], i);
			before = show(set, false);
			assert_int_equal(swap_protocol(fd), 0);
			expect_shown(set, false, &before);
			closefrom(3);
		}
}

static void each_set_and_descriptor_follows(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		int fd = open_stream(AF_INET, protocols[p]), copy = dup(fd), set = open_set();
		int other = open_stream(AF_INET, IPPROTO_TCP), crowd = open_set();
		struct shown before;

		/* Many others first: the set is read to its end. */
		for (int i = 0; i < 100; i++)
			watch(crowd, fcntl(other, F_DUPFD, 0), EPOLLIN, 7);
		watch(set, fd, EPOLLIN, 1);
		watch(set, copy, EPOLLOUT, 2);
		watch(crowd, copy, EPOLLET | EPOLLIN, 3);
		before = show(set, false);
		assert_int_equal(count_lines(crowd), 101);
		assert_int_equal(swap_protocol(copy), 0);
		expect_shown(set, false, &before);
		assert_int_equal(count_lines(crowd), 101);
		assert_int_equal(epoll_ctl(crowd, EPOLL_CTL_DEL, copy, NULL), 0);
		closefrom(3);
	}
}

static void set_with_two_descriptors_is_one(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		int fd = open_stream(AF_INET, protocols[p]), set = open_set();
		struct shown before;

		dup(set);
		watch(set, fd, EPOLLIN, DATA);
		before = show(set, true);
		/* The second ADD is EEXIST; the first must be undone all the same. */
		async_failure = (struct failure){1, ENOMEM};
		fcntl(fd, F_SETOWN, getpid());
		assert_int_equal(__real_fcntl64(fd, F_SETFL, O_ASYNC), 0);
		expect_refusal(fd, -ENOMEM);
		expect_shown(set, true, &before);
		assert_int_equal(__real_fcntl64(fd, F_SETFL, 0), 0);

		before = show(set, false);
		assert_int_equal(swap_protocol(fd), 0);
		expect_shown(set, false, &before);
		closefrom(3);
	}
}

static void spent_registration_is_refused(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		int fd = open_stream(AF_INET, protocols[p]), set = open_set();
		struct epoll_event event;
		struct shown before;

		watch(set, fd, EPOLLIN | EPOLLONESHOT, DATA);
		/* An unconnected socket hangs up. */
		assert_int_equal(epoll_wait(set, &event, 1, 5000), 1);
		before = show(set, true);
		expect_refusal(fd, -EBUSY);
		expect_shown(set, true, &before);
		assert_int_equal(epoll_wait(set, &event, 1, 0), 0);
		event.events = EPOLLIN | EPOLLONESHOT;
		assert_int_equal(epoll_ctl(set, EPOLL_CTL_MOD, fd, &event), 0);
		assert_int_equal(swap_protocol(fd), 0);
		closefrom(3);
	}
}

static void registration_of_a_closed_descriptor_is_refused(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		int fd = open_stream(AF_INET, protocols[p]), copy = dup(fd), set = open_set();
		struct shown before;

		watch(set, copy, EPOLLIN, DATA);
		close(copy);
		before = show(set, true);
		expect_refusal(fd, -EBUSY);
		/* And if the number is another file's by now. */
		assert_int_equal(open_stream(AF_INET, IPPROTO_TCP), copy);
		expect_refusal(fd, -EBUSY);
		expect_shown(set, true, &before);
		closefrom(3);
	}
}

static void too_many_are_refused(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		int fd = open_stream(AF_INET, protocols[p]), copies[MAX];

		for (int i = 0; i < MAX; i++)
			copies[i] = dup(fd);
		expect_refusal(fd, -EBUSY);
		close(copies[0]);
		assert_int_equal(swap_protocol(fd), 0);

		for (int i = 0; i < MAX + 1; i++)
			watch(open_set(), fd, EPOLLIN, DATA);
		expect_refusal(fd, -EBUSY);
		closefrom(3);
	}
}

/* si_fd of the signal is a descriptor number, and the kernel does not tell which. */
static void asynchronous_duplicate_is_refused(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		int fd = open_stream(AF_INET, protocols[p]), copy = dup(fd);

		fcntl(fd, F_SETFL, O_ASYNC);
		expect_refusal(fd, -EBUSY);
		expect_refusal(copy, -EBUSY);
		assert_int_equal(fcntl(fd, F_GETFL), O_RDWR | O_ASYNC);
		closefrom(3);
	}
}

static void expect_no_trace(struct failure *failure, int error, int calls)
{
	for (int p = 0; p < 2; p++)
		for (int nth = 1; nth <= calls; nth++) {
			int fd = open_stream(AF_INET, protocols[p]), copy, set = open_set();
			int second = open_set();
			struct shown before, second_before;
			ino_t inode = inode_of(fd);

			copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
			watch(set, fd, EPOLLIN | EPOLLET, 1);
			watch(set, copy, EPOLLOUT | EPOLLONESHOT, 2);
			watch(second, fd, EPOLLIN, 3);
			before = show(set, true);
			second_before = show(second, true);

			*failure = (struct failure){nth, error};
			expect_refusal(fd, -error);
			assert_int_equal(failure->nth, 0);
			assert_int_equal(inode_of(copy), inode);
			assert_int_equal(fcntl(fd, F_GETFD), 0);
			assert_int_equal(fcntl(copy, F_GETFD), FD_CLOEXEC);
			expect_shown(set, true, &before);
			expect_shown(second, true, &second_before);

			assert_int_equal(swap_protocol(fd), 0);
			closefrom(3);
		}
}

static void failures_leave_no_trace(void **state)
{
	(void)state;
	expect_no_trace(&dup3_failure, EMFILE, 2);
	expect_no_trace(&add_failure, ENOSPC, 3);
}

static void event_that_the_kernel_drops_is_refused(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		int fd = open_stream(AF_INET, protocols[p]), set = open_set();
		struct shown before;

		watch(set, fd, EPOLLIN | EPOLLPRI, DATA);
		before = show(set, true);
		dropped_events = EPOLLPRI;
		expect_refusal(fd, -EBUSY);
		dropped_events = 0;
		expect_shown(set, true, &before);
		closefrom(3);
	}
}

static int listener = -1;

static int connect_to_listener(int fd)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	getsockname(listener, (struct sockaddr *)&sin, &len);
	return connect(fd, (struct sockaddr *)&sin, sizeof(sin));
}

static void connection_of_a_quicker_thread_stays(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		int fd = open_stream(AF_INET, protocols[p]), copy = dup(fd), set = open_set();
		ino_t inode = inode_of(fd);
		struct shown before;
		char byte = 0;

		listener = open_stream(AF_INET, IPPROTO_TCP);
		bind_loopback(listener, AF_INET, 0);
		assert_int_equal(listen(listener, 1), 0);
		watch(set, fd, EPOLLIN, DATA);
		before = show(set, true);

		intruder = connect_to_listener;
		assert_int_equal(swap_protocol(fd), -EBUSY);
		assert_int_equal(inode_of(fd), inode);
		assert_int_equal(inode_of(copy), inode);
		expect_shown(set, true, &before);
		assert_int_equal(write(fd, "x", 1), 1);
		assert_int_equal(read(accept(listener, NULL, NULL), &byte, 1), 1);
		assert_int_equal(byte, 'x');
		closefrom(3);
	}
}

static void *enable(void *argument)
{
	return (void *)(intptr_t)subflow_enable(*(int *)argument, true);
}

static void threads_swap_one_socket_once(void **state)
{
	(void)state;
	for (int round = 0; round < 50; round++) {
		int fd = open_stream(AF_INET, IPPROTO_TCP), fds = count_fds();
		in_port_t port = bind_loopback(fd, AF_INET, 0);
		struct sockaddr_in sin;
		socklen_t len = sizeof(sin);
		pthread_t threads[4];

		for (int i = 0; i < 4; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, enable, &fd), 0);
		for (int i = 0; i < 4; i++) {
			void *r;

			pthread_join(threads[i], &r);
			assert_int_equal((intptr_t)r, 0);
		}
		assert_int_equal(protocol_of(fd), IPPROTO_MPTCP);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
		assert_int_equal(ntohs(sin.sin_port), port);
		assert_int_equal(count_fds(), fds);
		close(fd);
	}
}

static volatile bool is_over;

static void *swap_until_it_is_over(void *argument)
{
	(void)argument;
	while (!is_over) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		subflow_enable(fd, true);
		close(fd);
	}
	return NULL;
}

static void child_of_a_busy_process_can_swap(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, swap_until_it_is_over, NULL), 0);
	for (int i = 0; i < 50; i++) {
		pid_t child = fork();
		int status = 0;

		if (child == 0) {
			alarm(10);
			_exit(subflow_enable(socket(AF_INET, SOCK_STREAM, 0), true) != 0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	is_over = true;
	pthread_join(thread, NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_follow),
		cmocka_unit_test(registration_follows),
		cmocka_unit_test(every_flag_follows),
		cmocka_unit_test(each_set_and_descriptor_follows),
		cmocka_unit_test(set_with_two_descriptors_is_one),
		cmocka_unit_test(spent_registration_is_refused),
		cmocka_unit_test(registration_of_a_closed_descriptor_is_refused),
		cmocka_unit_test(too_many_are_refused),
		cmocka_unit_test(asynchronous_duplicate_is_refused),
		cmocka_unit_test(failures_leave_no_trace),
		cmocka_unit_test(event_that_the_kernel_drops_is_refused),
		cmocka_unit_test(connection_of_a_quicker_thread_stays),
		cmocka_unit_test(threads_swap_one_socket_once),
		cmocka_unit_test(child_of_a_busy_process_can_swap),
	};

	if (!kernel_has_mptcp())
		return EXIT_SKIP;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
