/* SPDX-License-Identifier: MIT */
/* Messages for the operator, on stderr; with journald's priorities under systemd. */
#ifndef SUBFLOW_LOG_H
#define SUBFLOW_LOG_H

#include <stdbool.h>
#include <stdint.h>

/* Whether log_debug() prints. */
void log_init(bool verbose);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Lines that could not be written: no room, nobody who reads. None is waited for. */
uint64_t log_lost(void);

#endif
