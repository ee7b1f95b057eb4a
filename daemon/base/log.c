/* SPDX-License-Identifier: MIT */
/* Messages for the operator: one line each, written in one write(2). */
#include "log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static bool has_journal;
static bool is_verbose;
static uint64_t lost, lost_told; /* lines */

void log_init(bool verbose)
{
	has_journal = getenv("JOURNAL_STREAM") != NULL;
	is_verbose = verbose;
}

/* A disk may be full; and a pipe that nobody reads would keep the daemon waiting. */
static bool put(const char *line, size_t len)
{
	struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&fd, 1, 0) == 1 && write(STDERR_FILENO, line, len) == (ssize_t)len;
}

static int begin_line(char *line, size_t size, int priority)
{
	if (has_journal)
		return snprintf(line, size, "<%d>", priority);
	return snprintf(line, size, "subflowd: %s",
		priority == LOG_ERR       ? "error: "
		: priority == LOG_WARNING ? "warning: "
					  : "");
}

/* False: there still is no room. */
static bool tell_of_lost(void)
{
	char line[LINE_MAX_BYTES];
	int len;

	if (lost == lost_told)
		return true;
	len = begin_line(line, sizeof(line), LOG_WARNING);
	len += snprintf(line + len, sizeof(line) - len,
		"%" PRIu64 " lines of this log could not be written\n", lost - lost_told);
	if (!put(line, len))
		return false;
	lost_told = lost;
	return true;
}

static void say(int priority, const char *format, va_list args)
{
	char line[LINE_MAX_BYTES];
	int len = begin_line(line, sizeof(line), priority), body;

	body = vsnprintf(line + len, sizeof(line) - len - 1, format, args);
	if (body < 0)
		return;
	len += body < (int)sizeof(line) - len - 1 ? body : (int)sizeof(line) - len - 2;
	line[len++] = '\n';
	if (!tell_of_lost() || !put(line, len))
		lost++;
}

uint64_t log_lost(void)
{
	return lost;
}

#define SAY(priority)                                                                              \
	do {                                                                                       \
		va_list args;                                                                      \
		va_start(args, format);                                                            \
		say(priority, format, args);                                                       \
		va_end(args);                                                                      \
	} while (0)

void log_error(const char *format, ...)
{
	SAY(LOG_ERR);
}

void log_warning(const char *format, ...)
{
	SAY(LOG_WARNING);
}

void log_info(const char *format, ...)
{
	SAY(LOG_INFO);
}

void log_debug(const char *format, ...)
{
	if (is_verbose)
		SAY(LOG_DEBUG);
}
