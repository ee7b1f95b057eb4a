/* SPDX-License-Identifier: MIT */
/* Messages for the operator: one line each, written in one write(2). */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static bool has_journal;
static bool is_verbose;

void log_init(bool verbose)
{
	has_journal = getenv("JOURNAL_STREAM") != NULL;
	is_verbose = verbose;
}

static void say(int priority, const char *format, va_list args)
{
	char line[LINE_MAX_BYTES];
	int len = 0, body;

	if (has_journal)
		len = snprintf(line, sizeof(line), "<%d>", priority);
	else
		len = snprintf(line, sizeof(line), "subflowd: %s",
			priority == LOG_ERR       ? "error: "
			: priority == LOG_WARNING ? "warning: "
						  : "");
	body = vsnprintf(line + len, sizeof(line) - len - 1, format, args);
	if (body < 0)
		return;
	len += body < (int)sizeof(line) - len - 1 ? body : (int)sizeof(line) - len - 2;
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nowhere left to complain */
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
