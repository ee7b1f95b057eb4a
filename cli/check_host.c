/* SPDX-License-Identifier: MIT */
/* Checks of Subflow itself on this host: the preload object, the daemon, the options. */
#include "answer.h"
#include "control.h"
#include "doctor.h"
#include "preload.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <subflow.h>
#include <sys/socket.h>
#include <unistd.h>

static void check_preload(struct host *host, struct finding *f)
{
	char path[PATH_MAX];

	(void)host;
	if (preload_find(path) == 0)
		doctor_found(f, STATE_OK, NULL, "%s", path);
	else
		doctor_found(f, STATE_WARN, "install Subflow's libraries, or set SUBFLOW_PRELOAD",
			"\"subflow run\" finds no preload object: %s", path);
}

/* It answers. What it could not write was lost silently, but for its counters. */
static void judge_daemon(struct json_object *root, const char *path, struct finding *f)
{
	char why[256] = "";
	struct answer_reader reader = {.why = why, .why_size = sizeof(why)};
	struct json_object *daemon = answer_get(&reader, root, "", "daemon", json_type_object);
	struct json_object *counters =
		answer_get(&reader, daemon, "daemon", "counters", json_type_object);
	uint64_t lines = answer_get_number(&reader, counters, "daemon.counters", "log_lines_lost");
	uint64_t recording =
		answer_get_number(&reader, counters, "daemon.counters", "recording_lost");
	bool has_hooks = json_object_get_boolean(
		answer_get(&reader, daemon, "daemon", "hooks", json_type_boolean));

	if (reader.has_failed)
		doctor_found(f, STATE_WARN, "restart subflowd",
			"running, and of another version: %s", why);
	else if (lines)
		doctor_found(f, STATE_WARN, "make room where its log goes, or see that it is read",
			"running, but %" PRIu64 " lines of its log could not be written", lines);
	else if (recording)
		doctor_found(f, STATE_WARN,
			"make room for it, or start subflowd with a larger --record-limit",
			"running, but its recording had no more room");
	else if (!has_hooks)
		doctor_found(f, STATE_WARN, "see its log for the reason, and mend it",
			"running without its hooks (hooks: false): there are no socket options");
	else
		doctor_found(f, STATE_OK, NULL, "running, answers on %s", path);
}

static void check_daemon(struct host *host, struct finding *f)
{
	const char *path = control_path(NULL);
	struct json_object *root = NULL;
	char *answer, why[256] = "out of memory";
	size_t len;
	int r;

	(void)host;
	r = control_ask(path, "status\n", CONTROL_TIMEOUT_MS, &answer, &len);
	if (r == -ENOENT || r == -ECONNREFUSED) {
		doctor_found(f, STATE_WARN,
			"start it as root: systemctl start subflowd, or subflowd --config FILE",
			"not running: nobody listens on %s", path);
		return;
	}
	if (r == -EACCES || r == -EPERM) {
		doctor_found(f, STATE_UNKNOWN, "run as root", "permission denied on %s", path);
		return;
	}
	if (r < 0) {
		control_explain(r, path, CONTROL_TIMEOUT_MS, why, sizeof(why));
		doctor_found(f, STATE_WARN, NULL, "%s", why);
		return;
	}
	r = answer_parse(answer, len, &root, why, sizeof(why));
	free(answer);
	if (r < 0)
		doctor_found(f, STATE_WARN, "restart subflowd", "%s", why);
	else
		judge_daemon(root, path, f);
	json_object_put(root);
}

/* What an application in this cgroup and network namespace gets. */
static void check_options(struct host *host, struct finding *f)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
	socklen_t len = sizeof(int);
	int value, error;

	(void)host;
	if (fd < 0) {
		doctor_found(f, STATE_UNKNOWN, NULL, "no MPTCP socket to ask");
		return;
	}
	error = getsockopt(fd, IPPROTO_TCP, TCP_MULTIPATH_ENABLE, &value, &len) < 0 ? errno : 0;
	close(fd);
	if (!error)
		doctor_found(f, STATE_OK, NULL, "answered for programs started from here");
	else
		doctor_found(f, STATE_WARN,
			"start subflowd; see that [hooks] cgroup includes this process",
			"not answered for programs started from here: %s", strerror(error));
}

const struct check host_checks[] = {
	{"preload-object", check_preload},
	{"subflowd", check_daemon},
	{"socket-options", check_options},
	{0},
};
