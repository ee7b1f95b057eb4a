/* SPDX-License-Identifier: MIT */
/* Asks the daemon one question, and never waits for longer than it was told to. */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	CHUNK = 64 << 10,
	/* With less of an answer than this, whoever gives it might go on for ever. */
	PROGRESS_BYTES = 4 << 10,
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *control_path(const char *option)
{
	const char *env = getenv("SUBFLOW_SOCKET");

	if (option)
		return option;
	return env && *env ? env : CONTROL_SOCKET_DEFAULT;
}

static int open_socket(const char *path, int timeout_ms, int *ret_fd)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	int fd, error;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A full backlog cannot be polled for: the send timeout is what bounds connect(2). */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
		connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		error = errno == EAGAIN || errno == EINPROGRESS ? ETIMEDOUT : errno;
		close(fd);
		return -error;
	}
	*ret_fd = fd;
	return 0;
}

/* A daemon that refuses may hang up before it has read: what it said still counts. */
static int send_request(int fd, const char *request)
{
	size_t len = strlen(request);

	while (len > 0) {
		ssize_t n = send(fd, request, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : errno == EPIPE ? 0 : -errno;
		request += n;
		len -= (size_t)n;
	}
	return 0;
}

static int grow(char **buf, size_t *size)
{
	size_t wanted = *size ? *size * 2 : CHUNK;
	char *bigger;

	if (wanted > CONTROL_ANSWER_MAX + (size_t)CHUNK)
		wanted = CONTROL_ANSWER_MAX + (size_t)CHUNK;
	bigger = realloc(*buf, wanted);
	if (!bigger)
		return -ENOMEM;
	*buf = bigger;
	*size = wanted;
	return 0;
}

static int read_answer(int fd, int timeout_ms, char **buf, size_t *ret_len)
{
	int64_t deadline_ms = now_ms() + timeout_ms;
	size_t len = 0, size = 0, told = 0;

	for (;;) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};
		int64_t left_ms = deadline_ms - now_ms();
		ssize_t n;
		int r;

		if (left_ms <= 0)
			return -ETIMEDOUT;
		r = poll(&readable, 1, (int)left_ms);
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r <= 0)
			continue;
		if (len + 1 >= size && (r = grow(buf, &size)) < 0)
			return r;
		n = recv(fd, *buf + len, size - len - 1, MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0 && (errno != ECONNRESET || !len))
			return errno == ECONNRESET ? -ENODATA : -errno;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len - told >= PROGRESS_BYTES) {
			told = len;
			deadline_ms = now_ms() + timeout_ms;
		}
		if (len > CONTROL_ANSWER_MAX)
			return -EFBIG;
	}
	if (!len)
		return -ENODATA;
	(*buf)[len] = '\0';
	*ret_len = len;
	return 0;
}

int control_ask(
	const char *path, const char *request, int timeout_ms, char **ret_answer, size_t *ret_len)
{
	char *buf = NULL;
	int fd = -1, r;

	r = open_socket(path, timeout_ms, &fd);
	if (r < 0)
		return r;
	r = send_request(fd, request);
	if (r == 0)
		r = read_answer(fd, timeout_ms, &buf, ret_len);
	close(fd);
	if (r < 0) {
		free(buf);
		return r;
	}
	*ret_answer = buf;
	return 0;
}

static int read_lines(FILE *stream, int (*each)(void *arg, const char *line, size_t len), void *arg)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int r = 0;

	while (r == 0 && (len = getline(&line, &size, stream)) > 0)
		r = each(arg, line, (size_t)len);
	free(line);
	return r ? r : -ECONNRESET;
}

static int wait_readable(int fd, int timeout_ms)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	int64_t deadline_ms = now_ms() + timeout_ms, left_ms = timeout_ms;
	int r;

	while ((r = poll(&readable, 1, left_ms > 0 ? (int)left_ms : 0)) < 0 && errno == EINTR)
		left_ms = deadline_ms - now_ms();
	return r < 0 ? -errno : r ? 0 : -ETIMEDOUT;
}

int control_watch(const char *path, const char *request, int timeout_ms,
	int (*each)(void *arg, const char *line, size_t len), void *arg)
{
	FILE *stream;
	int fd, r;

	r = open_socket(path, timeout_ms, &fd);
	if (r < 0)
		return r;
	r = send_request(fd, request);
	if (r == 0)
		r = wait_readable(fd, timeout_ms);
	stream = r == 0 ? fdopen(fd, "r") : NULL;
	if (!stream) {
		close(fd);
		return r ? r : -ENOMEM;
	}
	r = read_lines(stream, each, arg);
	fclose(stream);
	return r;
}

void control_explain(int error, const char *path, int timeout_ms, char *ret_text, size_t size)
{
	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
		snprintf(ret_text, size,
			"subflowd is not running: nobody listens on %s. Start it as root "
			"(systemctl start subflowd, or subflowd --config FILE), or say where it "
			"listens with --socket PATH or SUBFLOW_SOCKET",
			path);
		break;
	case EACCES:
	case EPERM:
		snprintf(ret_text, size,
			"permission denied on %s: run as root, or as a user whom the owner of the "
			"socket lets in",
			path);
		break;
	case ETIMEDOUT:
		snprintf(ret_text, size,
			"subflowd did not answer on %s within %g s: it hangs or is very busy; "
			"see its log",
			path, timeout_ms / 1e3);
		break;
	case ENODATA:
		snprintf(ret_text, size, "subflowd hung up on %s without an answer; see its log",
			path);
		break;
	case ECONNRESET:
		snprintf(ret_text, size, "subflowd on %s has ended, or gave this client up", path);
		break;
	case EFBIG:
		snprintf(ret_text, size,
			"the answer on %s is longer than %d MiB: ask for one connection, or is "
			"this no subflowd?",
			path, CONTROL_ANSWER_MAX >> 20);
		break;
	default:
		snprintf(ret_text, size, "cannot ask subflowd on %s: %s", path, strerror(-error));
	}
}
