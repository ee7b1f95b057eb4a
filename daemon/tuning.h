/* SPDX-License-Identifier: MIT */
/* What is set takes effect, at the start and while the daemon runs. */
#ifndef SUBFLOW_TUNING_H
#define SUBFLOW_TUNING_H

#include "record.h"
#include "settings.h"

#include <stddef.h>

#define TUNING_SAID_MAX 812 /* bytes of what may be said */

struct daemon;

struct hook_config tuning_hook_config(const struct settings *settings);

/* For the first time, but for the hooks' part; -ENOMEM. */
int tuning_begin(struct daemon *daemon);

/* Reads the configuration again. @ret_said: what came of it. On error nothing has changed. */
int tuning_reload(struct daemon *daemon, char *ret_said, size_t size);

/* The same of one value, named as settings_set() has it. */
int tuning_set(
	struct daemon *daemon, const char *key, const char *value, char *ret_said, size_t size);

#endif
