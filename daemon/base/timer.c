/* SPDX-License-Identifier: MIT */
/* A source of the loop that is ready when its time has come. */
#include "timer.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SECOND_NS 1000000000

int timer_open(struct source *timer, struct loop *loop)
{
	timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return timer->fd < 0 ? -errno : loop_add(loop, timer, EPOLLIN);
}

void timer_close(struct source *timer)
{
	if (timer->fd >= 0)
		close(timer->fd);
	timer->fd = -1;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){.tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS};
}

int timer_arm(struct source *timer, uint64_t at_ns)
{
	struct itimerspec when = {.it_value = timespec_of(at_ns)};

	return timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &when, NULL) < 0 ? -errno : 0;
}

int timer_repeat(struct source *timer, uint64_t period_ns)
{
	struct timespec period = timespec_of(period_ns);
	struct itimerspec when = {.it_value = period, .it_interval = period};

	return timerfd_settime(timer->fd, 0, &when, NULL) < 0 ? -errno : 0;
}

bool timer_has_expired(struct source *timer)
{
	uint64_t expirations;

	return read(timer->fd, &expirations, sizeof(expirations)) > 0;
}
