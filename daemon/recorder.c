/* SPDX-License-Identifier: MIT */
/* The file of `subflowd --record`. */
#include "recorder.h"

#include "base/log.h"
#include "core/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MB 1000000u

static const char full[] = "full\n";

int recorder_open(struct recorder *recorder, const char *path, uint64_t most_bytes, char *error,
	size_t error_size)
{
	char old[PATH_MAX];
	struct stat there;
	int err = 0;

	*recorder = (struct recorder){.fd = -1, .path = path, .most_bytes = most_bytes};
	if (!lstat(path, &there)) {
		if (!S_ISREG(there.st_mode))
			err = -EINVAL;
		else if (snprintf(old, sizeof(old), "%s.old", path) >= (int)sizeof(old))
			err = -ENAMETOOLONG;
		else if (rename(path, old) < 0)
			err = -errno;
	}
	if (!err)
		recorder->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (!err && recorder->fd < 0)
		err = -errno;
	if (err)
		snprintf(error, error_size, "--record %s: %s", path,
			err == -EINVAL ? "it is there, and is no file" : strerror(-err));
	return err;
}

void recorder_begin(struct recorder *recorder, struct plan *plan)
{
	if (recorder->fd < 0)
		return;
	recorder->plan = plan;
	tape_begin(&recorder->tape, plan, "subflowd " SUBFLOW_VERSION);
	recorder_write(recorder);
}

static int write_all(int fd, const char *bytes, size_t length)
{
	ssize_t written;

	while (length) {
		written = write(fd, bytes, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written ? -errno : -ENOSPC;
		bytes += written;
		length -= written;
	}
	return 0;
}

void recorder_close(struct recorder *recorder)
{
	if (recorder->plan)
		recorder->plan->tape = NULL;
	recorder->plan = NULL;
	tape_done(&recorder->tape);
	if (recorder->fd >= 0)
		close(recorder->fd);
	recorder->fd = -1;
}

/* Half a line is none. On a full disk the last whole one has to make room. */
static void cut(struct recorder *recorder)
{
	ssize_t length = strlen(full);

	if (recorder->written_bytes &&
		pwrite(recorder->fd, full, length, recorder->last_line) == length)
		recorder->written_bytes = recorder->last_line + length;
	if (ftruncate(recorder->fd, recorder->written_bytes) < 0)
		return; /* the player reports it */
}

static uint64_t find_last_line(const struct recorder *recorder)
{
	const struct text *text = &recorder->tape.text;
	const char *end = memrchr(text->bytes, '\n', text->length - 1);

	return recorder->written_bytes + (end ? end + 1 - text->bytes : 0);
}

void recorder_write(struct recorder *recorder)
{
	struct text *text = &recorder->tape.text;
	int err = text->is_cut ? -ENOMEM : 0;

	if (recorder->fd < 0 || (!text->length && !err))
		return;
	if (!err && recorder->written_bytes + text->length + strlen(full) > recorder->most_bytes) {
		log_warning("the recording %s is full at %" PRIu64
			    " MB: what follows is not recorded; --record-limit allows more",
			recorder->path, recorder->most_bytes / MB);
		err = write_all(recorder->fd, full, strlen(full));
		recorder->is_short = true;
		recorder_close(recorder);
		return;
	}
	if (!err)
		err = write_all(recorder->fd, text->bytes, text->length);
	if (err) {
		log_warning("the recording %s ends here: %s", recorder->path, strerror(-err));
		cut(recorder);
		recorder->is_short = true;
		recorder_close(recorder);
		return;
	}
	recorder->last_line = find_last_line(recorder);
	recorder->written_bytes += text->length;
	text_clear(text);
}
