/* SPDX-License-Identifier: MIT */
/* What the service manager is told (sd_notify(3)). */
#include "service.h"

#include "base/timer.h"

#include <errno.h>
#include <systemd/sd-daemon.h>
#include <time.h>

static struct source watchdog = {.fd = -1};

static void watchdog_ready(struct source *source, uint32_t events)
{
	(void)events;
	if (timer_has_expired(source))
		sd_notify(0, "WATCHDOG=1");
}

/* Twice in the time: sd_watchdog_enabled(3). */
static int watch(struct loop *loop, uint64_t limit_us)
{
	int err;

	watchdog.ready = watchdog_ready;
	err = timer_open(&watchdog, loop);
	return err ? err : timer_repeat(&watchdog, limit_us * 1000 / 2);
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
	timer_close(&watchdog);
}
