/* SPDX-License-Identifier: MIT */
/* subflow_wait(), against a kernel and a clock that the test plays. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "sockets.h"
#include "subflow.h"

enum { FD = 77 };

static struct {
	int64_t now_ns;
	int64_t ready_ns; /* when the subflows beside the first are there */
	int64_t longest_ns;
	size_t n_before, n; /* how many there are before, and then */
	int looks, error, sleep_error;
} kernel;

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_nanosleep(
	clockid_t clock, int flags, const struct timespec *pause, struct timespec *left);

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	size_t n = kernel.now_ns >= kernel.ready_ns ? kernel.n : kernel.n_before;

	assert_int_equal(fd, FD);
	assert_int_equal(level, IPPROTO_TCP);
	if (kernel.error) {
		errno = kernel.error;
		return -1;
	}
	if (name == TCP_MULTIPATH_CONNID) {
		assert_int_equal(*len, sizeof(uint32_t));
		memset(value, 0x55, sizeof(uint32_t));
		return 0;
	}
	assert_int_equal(name, TCP_MULTIPATH_SUBFLOWS);
	kernel.looks++;
	if (!n) {
		errno = ENOTCONN;
		return -1;
	}
	memset(value, 0, n * sizeof(struct tcp_multipath_pair));
	*len = (socklen_t)(n * sizeof(struct tcp_multipath_pair));
	return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	assert_int_equal(clock, CLOCK_MONOTONIC);
	*now = (struct timespec){kernel.now_ns / 1000000000, kernel.now_ns % 1000000000};
	return 0;
}

int __wrap_clock_nanosleep(
	clockid_t clock, int flags, const struct timespec *pause, struct timespec *left)
{
	int64_t ns = pause->tv_sec * 1000000000 + pause->tv_nsec;

	(void)left;
	assert_int_equal(clock, CLOCK_MONOTONIC);
	assert_int_equal(flags, 0);
	assert_true(ns > 0);
	if (ns > kernel.longest_ns)
		kernel.longest_ns = ns;
	kernel.now_ns += ns;
	return kernel.sleep_error;
}

static int64_t ms(int64_t n)
{
	return n * 1000000;
}

static int reset(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.now_ns = ms(12345678);
	kernel.ready_ns = INT64_MAX;
	kernel.n_before = 1;
	kernel.n = 4;
	return 0;
}

static void what_is_there_is_not_waited_for(void **state)
{
	int64_t begin_ns = kernel.now_ns;

	(void)state;
	assert_int_equal(subflow_wait(FD, 1, 1000), 0);
	assert_int_equal(subflow_wait(FD, 0, 1000), 0);
	assert_int_equal(subflow_wait(FD, -1, 1000), 0);
	assert_int_equal(subflow_wait(FD, 1, 0), 0);
	assert_int_equal(subflow_wait(FD, 2, 0), -ETIMEDOUT);
	assert_int_equal(kernel.now_ns, begin_ns);
	assert_int_equal(kernel.looks, 5);
}

static void pauses_double(void **state)
{
	(void)state;
	/* After 1, 3, 7 and 15 ms. */
	kernel.ready_ns = kernel.now_ns + ms(10);
	assert_int_equal(subflow_wait(FD, 4, 1000), 0);
	assert_int_equal(kernel.looks, 5);
	assert_int_equal(kernel.now_ns, kernel.ready_ns + ms(5));
	assert_int_equal(kernel.longest_ns, ms(8));
}

static void pauses_have_a_limit(void **state)
{
	(void)state;
	kernel.ready_ns = kernel.now_ns + ms(3600000);
	assert_int_equal(subflow_wait(FD, 4, -1), 0);
	assert_int_equal(kernel.longest_ns, ms(50));
	assert_in_range(kernel.looks, 72000, 72010);
}

static void more_than_asked_for_is_enough(void **state)
{
	(void)state;
	kernel.ready_ns = kernel.now_ns + ms(1);
	assert_int_equal(subflow_wait(FD, 2, 1000), 0);
}

/* Its last subflow has gone, and another is to take its place. */
static void a_connection_without_subflows_is_waited_for(void **state)
{
	(void)state;
	kernel.n_before = 0;
	kernel.n = 1;
	kernel.ready_ns = kernel.now_ns + ms(10);
	assert_int_equal(subflow_wait(FD, 0, 0), 0);
	assert_int_equal(subflow_wait(FD, 1, 5), -ETIMEDOUT);
	assert_int_equal(subflow_wait(FD, 1, -1), 0);
	assert_true(kernel.now_ns >= kernel.ready_ns);
	kernel.error = ENOTCONN;
	assert_int_equal(subflow_wait(FD, 1, -1), -ENOTCONN);
}

static void time_runs_out(void **state)
{
	int64_t begin_ns = kernel.now_ns;

	(void)state;
	assert_int_equal(subflow_wait(FD, 2, 100), -ETIMEDOUT);
	/* Not a pause later. */
	assert_int_equal(kernel.now_ns, begin_ns + ms(100));
	begin_ns = kernel.now_ns;
	assert_int_equal(subflow_wait(FD, INT_MAX, INT_MAX / 1000), -ETIMEDOUT);
	assert_int_equal(kernel.now_ns, begin_ns + ms(INT_MAX / 1000));
}

static void errors_end_it(void **state)
{
	(void)state;
	kernel.error = ENOTCONN;
	assert_int_equal(subflow_wait(FD, 2, -1), -ENOTCONN);
	kernel.error = 0;
	kernel.sleep_error = EINTR;
	assert_int_equal(subflow_wait(FD, 2, -1), -EINTR);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_there_is_not_waited_for, reset),
		cmocka_unit_test_setup(pauses_double, reset),
		cmocka_unit_test_setup(pauses_have_a_limit, reset),
		cmocka_unit_test_setup(more_than_asked_for_is_enough, reset),
		cmocka_unit_test_setup(a_connection_without_subflows_is_waited_for, reset),
		cmocka_unit_test_setup(time_runs_out, reset),
		cmocka_unit_test_setup(errors_end_it, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
