/* SPDX-License-Identifier: MIT */
/* Ties ears, memory, judgement, hands and window to one loop. */
#include "daemon.h"

#include "base/log.h"
#include "base/service.h"
#include "ears.h"
#include "kernel/calibration.h"
#include "kernel/cgroup.h"
#include "kernel/claim.h"
#include "kernel/netns.h"
#include "kernel/pm.h"
#include "kernel/privilege.h"
#include "kernel/wanted.h"
#include "lock.h"
#include "parts.h"
#include "tuning.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#define ERROR_MAX 512

static void signals_ready(struct source *source, uint32_t events)
{
	struct daemon *daemon = SOURCE_OWNER(source, struct daemon, signals);
	struct signalfd_siginfo info;
	char said[TUNING_SAID_MAX] = "";

	(void)events;
	if (read(source->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo != SIGHUP)
		loop_stop(&daemon->loop);
	else if (tuning_reload(daemon, said, sizeof(said)))
		log_error("nothing was changed: %s", said);
	else
		log_info("%s", said);
}

static int start_guardian(struct daemon *daemon)
{
	return guardian_start(
		&daemon->guardian, daemon->served.claims_fd, daemon->lock_fd, &daemon->ledger);
}

static int watch_guardian(struct daemon *daemon)
{
	daemon->guardian_end.fd = daemon->guardian.fd;
	return loop_add(&daemon->loop, &daemon->guardian_end, EPOLLIN);
}

/* The guardian never speaks first: ready means that it is dead. */
static void guardian_ended(struct source *source, uint32_t events)
{
	struct daemon *daemon = SOURCE_OWNER(source, struct daemon, guardian_end);
	int err;

	(void)events;
	loop_remove(&daemon->loop, source);
	guardian_stop(&daemon->guardian);
	err = start_guardian(daemon);
	if (!err)
		err = watch_guardian(daemon);
	if (!err)
		err = served_tell_all(&daemon->served);
	if (!err) {
		log_warning("the guardian process was killed; a new one has taken its place");
		return;
	}
	log_error("the guardian process was killed and cannot be replaced: %s", strerror(-err));
	loop_stop(&daemon->loop);
}

static int watch_signals(struct daemon *daemon)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	daemon->signals.ready = signals_ready;
	daemon->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (daemon->signals.fd < 0)
		return -errno;
	return loop_add(&daemon->loop, &daemon->signals, EPOLLIN);
}

/*
 * The hooks cannot be had, as @error says. That ends the daemon, unless elephants are found without
 * them.
 */
static int go_without_hooks(struct daemon *daemon, const char *error, int err)
{
	if (settings_source(&daemon->settings) != SOURCE_DIAG || !privilege_serves()) {
		log_error("%s", error);
		return err;
	}
	log_warning("%s; with [detect] source = diag it goes on without the hooks: applications "
		    "have no socket options, what they have restricted is not known, subflows "
		    "that fall silent are left to the kernel but for those of downloads, nothing "
		    "outlives this daemon",
		error);
	hooks_go_without(&daemon->hooks);
	return 0;
}

static int load_hooks(struct daemon *daemon)
{
	const struct settings *settings = &daemon->settings;
	struct hook_config config = tuning_hook_config(settings);
	char error[ERROR_MAX];
	uint64_t mask;
	int err;

	hooks_keep(&daemon->hooks, settings->socket);
	err = hooks_load(&daemon->hooks, &config, settings->ring_bytes, settings->max_connections,
		error, sizeof(error));
	if (err)
		return go_without_hooks(daemon, error, err);
	err = calibration_run(&daemon->hooks, &mask);
	if (err) {
		snprintf(error, sizeof(error),
			"cannot find out how this kernel marks a connection that fell back to "
			"TCP: %s; `subflow doctor` tells more",
			strerror(-err));
		return go_without_hooks(daemon, error, err);
	}
	hooks_set_fallback_mask(&daemon->hooks, mask);
	return 0;
}

static int attach_hooks(struct daemon *daemon)
{
	char error[ERROR_MAX];
	int err;

	if (!hooks_are_there(&daemon->hooks))
		return 0;
	daemon->hooks.hears_strangers = wanted_has_unnamed(daemon->settings.serve);
	err = hooks_attach(
		&daemon->hooks, &daemon->loop, daemon->root, daemon->cgroup, error, sizeof(error));
	if (err == -EOPNOTSUPP)
		return go_without_hooks(daemon, error, err);
	if (err)
		log_error("%s", error);
	else
		log_info("hooks attached to %s: every getsockopt and setsockopt of the processes "
			 "there costs about half a microsecond more; [hooks] cgroup narrows it",
			daemon->cgroup);
	return err;
}

/* Ears first, hooks last: nothing is answered before everything that follows can be heard. */
static int begin(struct daemon *daemon)
{
	const struct settings *settings = &daemon->settings;
	const struct elephant_rule rule = settings_elephant(settings);
	int err;

	err = pm_resolve(&daemon->family);
	if (err) {
		log_error("this kernel has no MPTCP path manager (generic netlink family "
			  "mptcp_pm): %s; it needs CONFIG_MPTCP=y",
			strerror(-err));
		return err;
	}
	err = load_hooks(daemon);
	if (err)
		return err;
	daemon->is_made = true;
	err = plan_init(&daemon->plan, &rule, settings->max_subflows, settings->max_connections);
	if (!err)
		err = tuning_begin(daemon);
	if (!err)
		err = watch_signals(daemon);
	if (!err)
		err = ears_begin(daemon);
	if (!err)
		err = hands_init(&daemon->hands, &daemon->loop);
	if (!err)
		err = scout_init(&daemon->scout, &daemon->plan.steer.random);
	if (!err)
		err = reach_init(&daemon->reach);
	if (!err)
		err = detector_init(&daemon->detector);
	if (!err)
		err = watch_guardian(daemon);
	if (err) {
		log_error("%s", strerror(-err));
		return err;
	}
	recorder_begin(&daemon->recorder, &daemon->plan);
	err = monitor_init(&daemon->monitor, &daemon->loop, &daemon->family);
	if (err) {
		log_error("cannot listen for path-manager events: %s", strerror(-err));
		return err;
	}
	err = addresses_watch_init(&daemon->addresses, &daemon->loop);
	if (err) {
		log_error("cannot listen for changes of addresses: %s", strerror(-err));
		return err;
	}
	err = locals_init(&daemon->locals, &daemon->loop);
	if (err) {
		log_error("cannot listen for changes of local routes: %s", strerror(-err));
		return err;
	}
	err = server_init(&daemon->server, &daemon->loop, settings->socket);
	if (err) {
		log_error("[control] socket = %s: %s%s", settings->socket, strerror(-err),
			err == -EADDRINUSE ? "; another subflowd answers there" : "");
		return err;
	}
	err = attach_hooks(daemon);
	if (err)
		return err;
	if (daemon->served.claims_fd < 0)
		log_warning("%s: %s; whether another subflowd serves a namespace is not known",
			CLAIM_FILE, strerror(-daemon->served.claims_fd));
	err = served_init(&daemon->served, &daemon->loop);
	if (err) {
		log_error("cannot watch for network namespaces: %s", strerror(-err));
		return err;
	}
	daemon->has_begun = true;
	ears_resume(daemon);
	return 0;
}

static void end(struct daemon *daemon)
{
	if (daemon->has_begun) {
		quiet_end(&daemon->plan, loop_now_ns());
		hands_act(&daemon->hands);
		ears_leave(daemon);
	}
	daemon->hands.is_ending = true;
	if (daemon->is_made) {
		served_done(&daemon->served);
		server_done(&daemon->server);
		addresses_watch_done(&daemon->addresses);
		locals_done(&daemon->locals);
		monitor_done(&daemon->monitor);
		detector_done(&daemon->detector);
		reach_done(&daemon->reach);
		scout_done(&daemon->scout);
		recorder_write(&daemon->recorder);
		plan_done(&daemon->plan);
		scope_set(&daemon->inquiry.scope, NULL, 0);
		hooks_detach(&daemon->hooks);
		hooks_unpin(&daemon->hooks);
		hooks_done(&daemon->hooks);
	}
	ears_done(daemon);
	hands_done(&daemon->hands);
	if (daemon->signals.fd >= 0)
		close(daemon->signals.fd);
	loop_done(&daemon->loop);
}

/* At the start an empty file undoes nothing: better the defaults than no daemon. */
static int read_settings(struct settings *settings, const char *path)
{
	char error[ERROR_MAX];
	int err = settings_read(settings, path, error, sizeof(error));

	if (err == -ENODATA) {
		log_warning("%s; for now every key has it", error);
		return 0;
	}
	if (err)
		log_error("%s", error);
	return err;
}

static int configure(struct daemon *daemon)
{
	int err = settings_init(&daemon->settings);

	if (err) {
		log_error("%s", strerror(-err));
		return err;
	}
	return daemon->config_path ? read_settings(&daemon->settings, daemon->config_path) : 0;
}

static int prepare(struct daemon *daemon, const struct daemon_options *options)
{
	char error[ERROR_MAX];
	int err = 0;

	if (options->record_path)
		err = recorder_open(&daemon->recorder, options->record_path, options->record_bytes,
			error, sizeof(error));
	if (err) {
		log_error("%s", error);
		return err;
	}
	err = privilege_drop(wanted_has_unnamed(daemon->settings.serve));
	if (err) {
		log_error(
			"cannot give up the capabilities that are not needed: %s", strerror(-err));
		return err;
	}
	err = cgroup_find_root("/proc/self/mounts", daemon->root, sizeof(daemon->root));
	if (err) {
		log_error("no cgroup2 file system is mounted, which the hooks attach to: mount -t "
			  "cgroup2 none /sys/fs/cgroup/unified (inside `ip netns exec` it is "
			  "hidden: use nsenter --net=FILE)");
		return err;
	}
	snprintf(daemon->cgroup, sizeof(daemon->cgroup), "%s",
		*daemon->settings.cgroup ? daemon->settings.cgroup : daemon->root);
	err = lock_take(daemon->settings.socket, &daemon->lock_fd, error, sizeof(error));
	if (err) {
		log_error("%s%s", error, err == -EACCES ? ": run subflowd as root" : "");
		return err;
	}
	err = netns_init();
	if (!err)
		err = loop_init(&daemon->loop);
	daemon->served.claims_fd = claim_open(CLAIM_FILE);
	ledger_open(&daemon->ledger, daemon->settings.socket);
	/* Before there is anything else that it could inherit. */
	if (!err) {
		guardian_make_up(&daemon->ledger, daemon->served.claims_fd);
		err = start_guardian(daemon);
	}
	if (err)
		log_error("%s", strerror(-err));
	return err;
}

int daemon_test(const char *config_path)
{
	struct settings settings;
	char error[ERROR_MAX] = "";
	int err = settings_init(&settings);

	if (err) {
		log_error("%s", strerror(-err));
		return EXIT_FAILURE;
	}
	if (config_path)
		err = settings_read(&settings, config_path, error, sizeof(error));
	settings_done(&settings);
	if (err)
		log_error("%s", error);
	else
		printf("%s: subflowd takes it\n", config_path ? config_path : "the defaults");
	return err || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int daemon_run(const struct daemon_options *options)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));
	int err, status = EXIT_FAILURE;

	if (!daemon)
		return EXIT_FAILURE;
	parts_init(daemon);
	daemon->config_path = options->config_path;
	daemon->guardian_end.ready = guardian_ended;
	daemon->started_ns = loop_now_ns();

	err = configure(daemon);
	if (err)
		status = EX_CONFIG;
	else
		err = prepare(daemon, options);
	if (!err) {
		err = begin(daemon);
		if (!err) {
			log_info("ready, version %s", SUBFLOW_VERSION);
			err = service_begin(&daemon->loop);
			if (err)
				log_error("cannot answer the service manager's watchdog: %s",
					strerror(-err));
			else
				err = loop_run(&daemon->loop);
			log_info("ending");
			service_end();
		}
		end(daemon);
		guardian_stop(&daemon->guardian);
		netns_done();
	}
	ledger_close(&daemon->ledger);
	if (daemon->lock_fd >= 0)
		close(daemon->lock_fd);
	recorder_close(&daemon->recorder);
	settings_done(&daemon->settings);
	free(daemon);
	return err ? status : EXIT_SUCCESS;
}
