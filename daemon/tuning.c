/* SPDX-License-Identifier: MIT */
/* What is set takes effect, at the start and while the daemon runs. */
#include "tuning.h"

#include "parts.h"

#include "base/loop.h"
#include "core/opening.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>

/* Below this no connection has a threshold. */
static uint64_t find_gate(const struct settings *settings)
{
	uint64_t gate = settings->start_bytes;

	for (uint32_t i = 0; i < settings->n_rules; i++) {
		if (settings->rules[i].start_bytes)
			gate = MIN(gate, settings->rules[i].start_bytes);
	}
	return gate;
}

/* 0: it matters for no connection what waits to be sent. */
static uint64_t find_least_backlog(const struct settings *settings)
{
	uint64_t least = settings->backlog_bytes, one;

	for (uint32_t i = 0; i < settings->n_rules; i++) {
		one = settings->rules[i].backlog_bytes;
		if (one && (!least || one < least))
			least = one;
	}
	return least;
}

struct hook_config tuning_hook_config(const struct settings *settings)
{
	uint64_t gate = find_gate(settings), least_backlog = find_least_backlog(settings);

	return (struct hook_config){
		.gate = gate,
		.sent_gate = least_backlog ? 0 : gate / 2,
		.backlog = settings->backlog_bytes,
		.least_backlog = least_backlog,
		.has_rules = settings->n_rules,
		.start = settings->start_bytes,
		.step = settings->step_bytes,
		.stop = settings->stop_bytes,
		.downloads = settings->downloads,
		.detects = settings_source(settings) == SOURCE_BPF,
		.plain_tcp = settings->plain_tcp && settings_source(settings) == SOURCE_BPF,
		.max_subflows = settings->max_subflows,
		.applications = settings->applications,
		.calls_per_second = settings->calls_per_second,
		.calls_per_second_of_user = settings->calls_per_second_of_user,
		.rto_min_us = settings->rto_min_ms * 1000,
		.couples = settings->coupled,
		.unsent = settings->unsent_bytes,
	};
}

/* What may change while the daemon runs, but for the hooks' part; also at the start. */
static void apply_settings(struct daemon *daemon)
{
	const struct settings *settings = &daemon->settings;

	daemon->plan.rule = settings_elephant(settings);
	daemon->plan.policy =
		(struct policy){.ndiffports = settings->ndiffports, .fullmesh = settings->fullmesh};
	daemon->plan.refusals.rule = (struct refusals_rule){
		.most = settings->refusals, .hold_ns = settings->hold_s * 1000000000ull};
	daemon->plan.full.rule = daemon->plan.refusals.rule;
	daemon->plan.benefits.rule =
		(struct benefit_rule){.margin_percent = settings->margin_percent,
			.time_rtts = settings->time_rtts,
			.time_min_ns = settings->time_min_ms * 1000000ull,
			.tries = settings->tries,
			.judges_own = settings->own_paths};
	daemon->plan.aparts.rule = (struct apart_rule){.moves = settings->moves,
		.hold_ns = settings->moved_hold_s * 1000000000ull,
		.delay_ns = settings->delay_ms * 1000000ull};
	daemon->plan.brakes.rule.fast_bytes_per_s = settings->fast_mbit * 125000ull;
	daemon->plan.lags.rule.slow_percent = settings->slow_percent;
	daemon->plan.lasthops.rule = (struct lasthop_rule){
		.is_on = settings->last_hop, .hold_ns = settings->last_hop_hold_s * 1000000000ull};
	daemon->plan.quiets.rule.time_ns = settings->quiet_ms * 1000000ull;
	daemon->plan.in_vain.rule.hold_ns = settings->left_alone_s * 1000000000ull;
	daemon->plan.does_repair = settings->rto_min_ms;
	daemon->plan.steer.hold_ns = settings->shunned_s * 1000000000ull;
	daemon->hands.rto_min_ms = settings->rto_min_ms;
	daemon->plan.max_subflows = settings->max_subflows;
	daemon->plan.steer.mode = settings_placement(settings);
	daemon->scout.probes_per_second = settings->probes_per_second;
	daemon->scout.quota.per_second = settings->probes_per_second_of_user;
	prefixes_read(settings->probe_prefixes, &daemon->scout.prefixes);
	detector_tune(&daemon->detector);
	daemon->server.group = settings_group(settings);
	daemon->served.wanted = settings->serve;
	daemon->served.take_over = settings->take_over;
}

/* Before the hooks are told that there are rules: they wait for those of each connection. */
static void apply_rules(struct daemon *daemon, struct rule *rules, uint32_t count)
{
	struct scope_rule scopes[RULES_MAX] = {};

	for (uint32_t i = 0; i < count; i++)
		scopes[i] = (struct scope_rule){.netns = daemon->settings.rules[i].netns,
			.interface = daemon->settings.rules[i].interface,
			.cgroup = daemon->settings.rules[i].cgroup};
	scope_set(&daemon->inquiry.scope, scopes, count);
	rules_set(&daemon->plan, rules, count);
	if (!count)
		return;
	inquiry_find_owners(&daemon->inquiry);
	hands_act(&daemon->hands);
}

int tuning_begin(struct daemon *daemon)
{
	struct rule *rules = NULL;
	uint32_t n_rules = 0;
	int err;

	apply_settings(daemon);
	err = settings_rules(&daemon->settings, &rules, &n_rules);
	if (!err)
		apply_rules(daemon, rules, n_rules);
	return err;
}

/* Whether the hooks are to count for connections for which they may have left off. */
static bool is_counting_more(const struct settings *now, const struct settings *next)
{
	return next->stop_bytes > now->stop_bytes || (next->downloads && !now->downloads) ||
	       now->n_rules || next->n_rules;
}

/*
 * Takes @next over. @is_reload: what was left alone is looked at again. @ret_said: what cannot
 * change while the daemon runs, or is empty.
 */
static int change_settings(
	struct daemon *daemon, struct settings *next, bool is_reload, char *ret_said, size_t size)
{
	bool is_served_otherwise = strcmp(next->serve, daemon->settings.serve) ||
				   next->take_over != daemon->settings.take_over;
	bool is_more = is_counting_more(&daemon->settings, next);
	char fixed[128] = "";
	struct hook_config config;
	struct rule *rules = NULL;
	uint32_t n_rules = 0;
	int err = settings_keep_fixed(&daemon->settings, next, fixed, sizeof(fixed));

	if (!err)
		err = settings_rules(next, &rules, &n_rules);
	if (err)
		return err;
	settings_done(&daemon->settings);
	daemon->settings = *next;
	*next = (struct settings){};
	apply_settings(daemon);
	apply_rules(daemon, rules, n_rules);
	config = tuning_hook_config(&daemon->settings);
	hooks_set_config(&daemon->hooks, &config);
	opening_run_all(&daemon->plan, loop_now_ns());
	hands_act(&daemon->hands);
	if (is_more)
		inquiry_look_at_clients(&daemon->inquiry);
	detector_renew(&daemon->detector);
	if (is_reload || is_served_otherwise)
		served_rescan(&daemon->served);
	snprintf(ret_said, size, "%s%s%s",
		*fixed ? "; as before until subflowd is restarted: " : "", fixed,
		is_served_otherwise
			? "; namespaces that are served stay so until subflowd is restarted"
			: "");
	return 0;
}

int tuning_reload(struct daemon *daemon, char *ret_said, size_t size)
{
	struct settings next;
	char notes[300];
	int err;

	if (!daemon->config_path) {
		snprintf(ret_said, size,
			"subflowd was started without --config: there is no file "
			"to read; `subflow set` changes a setting");
		return -ENOENT;
	}
	err = settings_init(&next);
	if (!err)
		err = settings_read(&next, daemon->config_path, ret_said, size);
	else
		snprintf(ret_said, size, "%s", strerror(-err));
	if (err)
		return err;
	err = change_settings(daemon, &next, true, notes, sizeof(notes));
	settings_done(&next);
	if (err)
		snprintf(ret_said, size, "%s", strerror(-err));
	else
		snprintf(ret_said, size, "read %s%s", daemon->config_path, notes);
	return err;
}

/* What is set lasts until the daemon ends: what counts from its next start would never count. */
static int refuse_fixed(
	const struct daemon *daemon, struct settings *next, char *ret_said, size_t size)
{
	char fixed[128];
	int err = settings_keep_fixed(&daemon->settings, next, fixed, sizeof(fixed));

	if (!err && !*fixed)
		return 0;
	if (err)
		snprintf(ret_said, size, "%s", strerror(-err));
	else
		snprintf(ret_said, size,
			"%s cannot change while subflowd runs: put it into the configuration file "
			"and restart subflowd",
			fixed);
	return err ? err : -EINVAL;
}

int tuning_set(
	struct daemon *daemon, const char *key, const char *value, char *ret_said, size_t size)
{
	struct settings next;
	char notes[300];
	int err = settings_copy(&daemon->settings, &next);

	if (err) {
		snprintf(ret_said, size, "%s", strerror(-err));
		return err;
	}
	err = settings_set(&next, key, value, ret_said, size);
	if (!err)
		err = refuse_fixed(daemon, &next, ret_said, size);
	if (!err) {
		err = change_settings(daemon, &next, false, notes, sizeof(notes));
		snprintf(ret_said, size, "%s%s", err ? strerror(-err) : "set", err ? "" : notes);
	}
	settings_done(&next);
	return err;
}
