/* SPDX-License-Identifier: MIT */
/* The client's end of the daemon's control socket. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stddef.h>

#define CONTROL_SOCKET_DEFAULT "/run/subflow/control"

enum {
	CONTROL_TIMEOUT_MS = 5000,
	/* Some 400,000 connections; parsing takes several times as much memory. */
	CONTROL_ANSWER_MAX = 256 << 20,
};

/* @option if not NULL, else SUBFLOW_SOCKET from the environment, else the default. */
const char *control_path(const char *option);

/*
 * Sends the line @request to the daemon at @path and reads its answer until
 * EOF; some of it has to come in each @timeout_ms. *@ret_answer is followed by a NUL byte that
 * *@ret_len does not count; the caller frees it.
 *
 * -ENOENT, -ECONNREFUSED  nobody listens there
 * -EACCES, -EPERM         the socket is not for this user
 * -ETIMEDOUT              connected, but too little came in that time
 * -ENODATA                the daemon hung up without a word
 * -EFBIG                  the answer is longer than CONTROL_ANSWER_MAX
 * -ENAMETOOLONG           @path does not fit a socket address
 * others                  from socket(2), connect(2), send(2), recv(2)
 */
int control_ask(
	const char *path, const char *request, int timeout_ms, char **ret_answer, size_t *ret_len);

/*
 * Sends the line @request, and calls @each with each line of the answer, its newline included, as
 * it comes. @timeout_ms is for the first one. Returns what @each returned when that was not 0, or
 * as control_ask(); -ECONNRESET: the daemon has ended.
 */
int control_watch(const char *path, const char *request, int timeout_ms,
	int (*each)(void *arg, const char *line, size_t len), void *arg);

/* Writes what the error of control_ask() or control_watch() means and what to do next, as one line.
 */
void control_explain(int error, const char *path, int timeout_ms, char *ret_text, size_t size);

#endif
