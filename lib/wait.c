/* SPDX-License-Identifier: MIT */
/* Waits for subflows to be established. */
#include <errno.h>
#include <time.h>

#include "subflow.h"

#define NS_PER_MS     INT64_C(1000000)
#define NS_PER_S      INT64_C(1000000000)
#define FIRST_NS      (1 * NS_PER_MS)
#define LONGEST_NS    (50 * NS_PER_MS)
#define WITHOUT_LIMIT INT64_MAX

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int sleep_ns(int64_t ns)
{
	struct timespec pause = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};

	return -clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

/* None of them: the last one is being replaced. Of a connection that has gone there is no id. */
static int count_subflows(int fd, size_t *ret_n)
{
	struct tcp_multipath_pair pairs[TCP_MULTIPATH_PAIRS_MAX];
	int r = subflow_list(fd, pairs, TCP_MULTIPATH_PAIRS_MAX, ret_n);
	uint32_t connid;

	if (r != -ENOTCONN)
		return r;
	r = subflow_connid(fd, &connid);
	if (r == 0)
		*ret_n = 0;
	return r;
}

/*
 * The events of the path manager, which would wake us up, need CAP_NET_ADMIN;
 * poll(2) may or may not return when a subflow is established, and does for
 * every byte that arrives.
 */
int subflow_wait(int fd, int n, int timeout_ms)
{
	int64_t end_ns = timeout_ms < 0 ? WITHOUT_LIMIT : now_ns() + timeout_ms * NS_PER_MS;
	int64_t pause_ns = FIRST_NS;

	for (;;) {
		int64_t left_ns;
		size_t have;
		int r;

		r = count_subflows(fd, &have);
		if (r < 0)
			return r;
		if (n <= 0 || have >= (size_t)n)
			return 0;

		left_ns = end_ns - now_ns();
		if (left_ns <= 0)
			return -ETIMEDOUT;
		r = sleep_ns(pause_ns < left_ns ? pause_ns : left_ns);
		if (r < 0)
			return r;
		pause_ns = 2 * pause_ns < LONGEST_NS ? 2 * pause_ns : LONGEST_NS;
	}
}
