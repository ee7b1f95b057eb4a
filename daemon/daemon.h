/* SPDX-License-Identifier: MIT */
/* The daemon whole: ears, memory, judgement, hands and window, tied to one loop. */
#ifndef SUBFLOW_DAEMON_H
#define SUBFLOW_DAEMON_H

#include <stdbool.h>

/*
 * Runs until SIGTERM or SIGINT. @config_path NULL: the defaults. Says on stderr
 * what is wrong and what to do. Returns the exit status.
 */
int daemon_run(const char *config_path);

/* Only reads the configuration, and says what is wrong with it. Returns the exit status. */
int daemon_test(const char *config_path);

#endif
