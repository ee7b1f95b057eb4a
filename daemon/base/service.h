/* SPDX-License-Identifier: MIT */
/* What the service manager is told (sd_notify(3)). Without one every call does nothing. */
#ifndef SUBFLOW_SERVICE_H
#define SUBFLOW_SERVICE_H

#include "base/loop.h"

/* The loop serves: READY=1. Begins to answer the watchdog, if the manager has set one. */
int service_begin(struct loop *loop);

/* The loop has ended: STOPPING=1. */
void service_end(void);

#endif
