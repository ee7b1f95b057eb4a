/* SPDX-License-Identifier: MIT */
/* What the service manager is told (sd_notify(3)). */
#include "service.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

static struct source watchdog = {.fd = -1};

static void watchdog_ready(struct source *source, uint32_t events)
{
	uint64_t expirations;

	(void)events;
	if (read(source->fd, &expirations, sizeof(expirations)) > 0)
		sd_notify(0, "WATCHDOG=1");
}

/* Twice in the time: sd_watchdog_enabled(3). */
static int watch(struct loop *loop, uint64_t limit_us)
{
	const uint64_t half_ns = limit_us * 1000 / 2;
	const struct timespec half = {
		.tv_sec = half_ns / 1000000000, .tv_nsec = half_ns % 1000000000};
	const struct itimerspec when = {.it_value = half, .it_interval = half};

	watchdog.ready = watchdog_ready;
	watchdog.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (watchdog.fd < 0 || timerfd_settime(watchdog.fd, 0, &when, NULL) < 0)
		return -errno;
	return loop_add(loop, &watchdog, EPOLLIN);
}

int service_begin(struct loop *loop)
{
	uint64_t limit_us;
	int err = 0;

	if (sd_watchdog_enabled(0, &limit_us) > 0)
		err = watch(loop, limit_us);
	if (!err)
		sd_notify(0, "READY=1");
	return err;
}

void service_end(void)
{
	sd_notify(0, "STOPPING=1");
	if (watchdog.fd >= 0)
		close(watchdog.fd);
	watchdog.fd = -1;
}
