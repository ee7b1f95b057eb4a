/* SPDX-License-Identifier: MIT */
/* The daemon whole: ears, memory, judgement, hands and window, tied to one loop. */
#ifndef SUBFLOW_DAEMON_H
#define SUBFLOW_DAEMON_H

#include <stdint.h>

struct daemon_options {
	const char *config_path; /* NULL: the defaults */
	const char *record_path; /* NULL: nothing is recorded */
	uint64_t record_bytes;   /* at most */
};

/*
 * Runs until SIGTERM or SIGINT. Says on stderr what is wrong and what to do. Returns the exit
 * status.
 */
int daemon_run(const struct daemon_options *options);

/* Only reads the configuration, and says what is wrong with it. Returns the exit status. */
int daemon_test(const char *config_path);

#endif
