/* SPDX-License-Identifier: MIT */
/* What the operator has set: how it is read and changed, and what fits together. */
#include "settings.h"

#include "base/config.h"
#include "core/prefixes.h"
#include "keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int settings_init(struct settings *settings)
{
	*settings = (struct settings){
		.start_bytes = 100000000,
		.step_bytes = 50000000,
		.stop_bytes = 300000000,
		.unsent_bytes = 128000,
		.elephant_subflows = 4,
		.downloads = true,
		.source = strdup("bpf"),
		.interfaces = strdup(""),
		.interval_ms = 500,
		.late_percent = 10,
		.ndiffports = 1,
		.rto_min_ms = 20,
		.shunned_s = 10,
		.refusals = 8,
		.hold_s = 600,
		.quiet_ms = 20,
		.fast_mbit = 5000,
		.margin_percent = 10,
		.time_rtts = 20,
		.time_min_ms = 200,
		.left_alone_s = 60,
		.tries = 2,
		.moves = 2,
		.moved_hold_s = 60,
		.delay_ms = 100,
		.slow_percent = 60,
		.last_hop = true,
		.last_hop_hold_s = 60,
		.max_subflows = 8,
		.placement = strdup("paths"),
		.probe_prefixes = strdup("private"),
		.probes_per_second = 1000,
		.probes_per_second_of_user = 250,
		.applications = true,
		.calls_per_second = 100,
		.calls_per_second_of_user = 1000,
		.max_connections = 65536,
		.serve = strdup("own"),
		.cgroup = strdup(""),
		.ring_bytes = 1 << 18,
		.socket = strdup("/run/subflow/control"),
		.group = strdup(""),
	};
	if (settings->source && settings->interfaces && settings->placement &&
		settings->probe_prefixes && settings->serve && settings->cgroup &&
		settings->socket && settings->group)
		return 0;
	settings_done(settings);
	return -ENOMEM;
}

static char **string_of(void *values, const struct config_key *key)
{
	return (char **)(void *)((char *)values + key->offset);
}

static void drop_strings(void *values, const struct config_key *all)
{
	for (const struct config_key *key = all; key->name; key++) {
		if (key->type == CONFIG_STRING)
			free(*string_of(values, key));
	}
}

/* Gives @values, a copy, strings of its own; -ENOMEM, and it has them all the same or none. */
static int copy_strings(void *values, const struct config_key *all)
{
	int err = 0;

	for (const struct config_key *key = all; key->name; key++) {
		if (key->type != CONFIG_STRING || !*string_of(values, key))
			continue;
		*string_of(values, key) = strdup(*string_of(values, key));
		if (!*string_of(values, key))
			err = -ENOMEM;
	}
	return err;
}

void settings_done(struct settings *settings)
{
	for (uint32_t i = 0; i < settings->n_rules; i++)
		drop_strings(&settings->rules[i], keys_rule);
	free(settings->rules);
	drop_strings(settings, keys_all);
	*settings = (struct settings){};
}

static struct rule make_rule(const struct settings *settings, const struct settings_rule *from)
{
	struct rule rule = {.port = from->port,
		.is_never = from->split && !strcmp(from->split, "never"),
		.has_uid = from->uid,
		.has_local = from->local,
		.has_remote = from->remote,
		.elephant = {
			.start_bytes =
				from->start_bytes ? from->start_bytes : settings->start_bytes,
			.step_bytes = from->step_bytes ? from->step_bytes : settings->step_bytes,
			.stop_bytes = from->stop_bytes ? from->stop_bytes : settings->stop_bytes,
			.backlog_bytes =
				from->backlog_bytes ? from->backlog_bytes : settings->backlog_bytes,
			.max_subflows = from->max_subflows ? from->max_subflows
							   : settings->elephant_subflows,
			.on_single_path = settings->single_path,
		}};
	uid_t uid = 0;

	strcpy(rule.name, from->name);
	if (from->uid)
		keys_find_user(from->uid, &uid);
	rule.uid = uid;
	if (from->local)
		prefixes_read(from->local, &rule.local);
	if (from->remote)
		prefixes_read(from->remote, &rule.remote);
	return rule;
}

/* Where values come from. */
struct origin {
	const char *path;    /* NULL: not of a file */
	int lines[KEYS_MAX]; /* that name each key; 0: it stays as it was */
};

static int line_of(const struct origin *origin, size_t offset)
{
	for (size_t i = 0; keys_all[i].name; i++) {
		if (keys_all[i].offset == offset)
			return origin->lines[i];
	}
	return 0;
}

#define LINE_OF(origin, member) line_of(origin, offsetof(struct settings, member))

static int refuse(const struct origin *origin, int line, char *error, size_t error_size,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

/* -EINVAL; the message begins with the place. */
static int refuse(const struct origin *origin, int line, char *error, size_t error_size,
	const char *format, ...)
{
	size_t len;
	va_list args;

	*error = '\0';
	if (origin->path)
		snprintf(error, error_size, "%s:%d: ", origin->path, line);
	len = strlen(error);
	va_start(args, format);
	vsnprintf(error + len, error_size - len, format, args);
	va_end(args);
	return -EINVAL;
}

/* Of two that do not fit together the later one is named. */
static int check_together(const struct settings *settings, const struct origin *origin, char *error,
	size_t error_size)
{
	int start = LINE_OF(origin, start_bytes), stop = LINE_OF(origin, stop_bytes);
	int wanted = LINE_OF(origin, ndiffports), most = LINE_OF(origin, max_subflows);
	uint64_t page = sysconf(_SC_PAGESIZE);

	if (settings->stop_bytes < settings->start_bytes && stop > start)
		return refuse(origin, stop, error, error_size,
			"stop = %" PRIu64 ": allowed is start (%" PRIu64 ") or more; to never "
			"split, set max_subflows = 1",
			settings->stop_bytes, settings->start_bytes);
	if (settings->stop_bytes < settings->start_bytes)
		return refuse(origin, start, error, error_size,
			"start = %" PRIu64 ": allowed is up to stop (%" PRIu64 "); to never "
			"split, set max_subflows = 1",
			settings->start_bytes, settings->stop_bytes);
	for (uint32_t i = 0; i < settings->n_rules; i++) {
		const struct settings_rule *from = &settings->rules[i];
		const struct rule rule = make_rule(settings, from);

		if (rule.elephant.stop_bytes < rule.elephant.start_bytes)
			return refuse(origin, from->line, error, error_size,
				"[rule %s]: its start is %" PRIu64 ", its stop %" PRIu64
				", allowed is start or more; to never split, say split = never",
				rule.name, rule.elephant.start_bytes, rule.elephant.stop_bytes);
	}
	if (settings->ndiffports > settings->max_subflows && wanted > most)
		return refuse(origin, wanted, error, error_size,
			"ndiffports = %u: allowed is up to [limits] max_subflows (%u)",
			settings->ndiffports, settings->max_subflows);
	if (settings->ndiffports > settings->max_subflows)
		return refuse(origin, most, error, error_size,
			"max_subflows = %u: allowed is [policy] ndiffports (%u) or more",
			settings->max_subflows, settings->ndiffports);
	for (uint32_t i = 0; i < settings->n_rules; i++) {
		if (settings->rules[i].backlog_bytes && settings_source(settings) != SOURCE_BPF)
			return refuse(origin, settings->rules[i].line, error, error_size,
				"[rule %s]: only [detect] source = bpf sees a backlog",
				settings->rules[i].name);
	}
	if (settings->backlog_bytes && settings_source(settings) != SOURCE_BPF)
		return refuse(origin, LINE_OF(origin, backlog_bytes), error, error_size,
			"backlog = %" PRIu64 ": only [detect] source = bpf sees what waits to be "
			"sent; allowed is 0 with any other",
			settings->backlog_bytes);
	if (settings_source(settings) == SOURCE_CAPTURE && !*settings->interfaces)
		return refuse(origin, LINE_OF(origin, source), error, error_size,
			"source = capture: it needs [detect] interface, on which to listen");
	/* What the kernel takes for a BPF ring. */
	if (settings->ring_bytes < page || settings->ring_bytes & (settings->ring_bytes - 1))
		return refuse(origin, LINE_OF(origin, ring_bytes), error, error_size,
			"ring_size = %" PRIu64 ": allowed is a power of two, from %" PRIu64
			" (a page) up",
			settings->ring_bytes, page);
	return 0;
}

int settings_read(struct settings *settings, const char *path, char *error, size_t error_size)
{
	struct origin origin = {.path = path};
	int err =
		config_read(path, keys_all, &keys_rules, settings, origin.lines, error, error_size);

	return err ? err : check_together(settings, &origin, error, error_size);
}

int settings_copy(const struct settings *settings, struct settings *ret_copy)
{
	struct settings copy = *settings;
	int err;

	copy.n_rules = 0;
	copy.rules = calloc(settings->n_rules + 1, sizeof(*copy.rules));
	err = copy_strings(&copy, keys_all);
	if (!copy.rules)
		err = -ENOMEM;
	while (!err && copy.n_rules < settings->n_rules) {
		copy.rules[copy.n_rules] = settings->rules[copy.n_rules];
		err = copy_strings(&copy.rules[copy.n_rules++], keys_rule);
	}
	if (err) {
		settings_done(&copy);
		return err;
	}
	*ret_copy = copy;
	return 0;
}

static const struct config_key *find_key(const char *name)
{
	const struct config_key *key;
	size_t len;

	for (key = keys_all; key->name; key++) {
		len = strlen(key->section);
		if (!strncmp(name, key->section, len) && name[len] == '.' &&
			!strcmp(name + len + 1, key->name))
			return key;
	}
	return NULL;
}

static void say_no_key(const char *name, char *error, size_t error_size)
{
	size_t len = strlen(keys_rules.kind);
	bool is_of_rule =
		!strncmp(name, keys_rules.kind, len) && name[len] && strchr(". ", name[len]);

	snprintf(error, error_size, "no key %.60s: %s", name,
		is_of_rule ? "rules are changed in the file, and by `subflow reload`"
			   : "it is SECTION.KEY of subflowd.conf(5), as elephant.start");
}

int settings_set(struct settings *settings, const char *name, const char *value, char *error,
	size_t error_size)
{
	const struct config_key *key = find_key(name);
	struct origin origin = {};
	struct settings copy;
	int err;

	if (!key) {
		say_no_key(name, error, error_size);
		return -EINVAL;
	}
	err = settings_copy(settings, &copy);
	if (err) {
		snprintf(error, error_size, "%s: %s", name, strerror(-err));
		return err;
	}
	origin.lines[key - keys_all] = 1;
	err = config_set(key, value, &copy, error, error_size);
	if (!err)
		err = check_together(&copy, &origin, error, error_size);
	if (err) {
		settings_done(&copy);
		return err;
	}
	settings_done(settings);
	*settings = copy;
	return 0;
}

static void add_name(const char *name, char *text, size_t size)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s%s", len ? ", " : "", name);
}

static int keep_string(char *now, char **next, const char *name, char *ret_text, size_t size)
{
	char *copy;

	if (!strcmp(now, *next))
		return 0;
	copy = strdup(now);
	if (!copy)
		return -ENOMEM;
	free(*next);
	*next = copy;
	add_name(name, ret_text, size);
	return 0;
}

int settings_keep_fixed(
	const struct settings *now, struct settings *next, char *ret_text, size_t size)
{
	int err;

	*ret_text = '\0';
	err = keep_string(now->source, &next->source, "[detect] source", ret_text, size);
	if (!err)
		err = keep_string(
			now->interfaces, &next->interfaces, "[detect] interface", ret_text, size);
	if (!err)
		err = keep_string(now->cgroup, &next->cgroup, "[hooks] cgroup", ret_text, size);
	if (!err)
		err = keep_string(now->socket, &next->socket, "[control] socket", ret_text, size);
	if (err)
		return err;
	if (now->ring_bytes != next->ring_bytes)
		add_name("[hooks] ring_size", ret_text, size);
	next->ring_bytes = now->ring_bytes;
	/* The hooks' map of receipts has this size. */
	if (now->max_connections != next->max_connections)
		add_name("[limits] max_connections", ret_text, size);
	next->max_connections = now->max_connections;
	return 0;
}

enum settings_source settings_source(const struct settings *settings)
{
	return keys_find_source(settings->source);
}

struct elephant_rule settings_elephant(const struct settings *settings)
{
	return (struct elephant_rule){
		.start_bytes = settings->start_bytes,
		.step_bytes = settings->step_bytes,
		.stop_bytes = settings->stop_bytes,
		.backlog_bytes = settings->backlog_bytes,
		.max_subflows = settings->elephant_subflows,
		.on_single_path = settings->single_path,
	};
}

int settings_rules(const struct settings *settings, struct rule **ret_rules, uint32_t *ret_count)
{
	struct rule *rules = NULL;

	if (settings->n_rules) {
		rules = calloc(settings->n_rules, sizeof(*rules));
		if (!rules)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < settings->n_rules; i++)
		rules[i] = make_rule(settings, &settings->rules[i]);
	*ret_rules = rules;
	*ret_count = settings->n_rules;
	return 0;
}

enum steer_mode settings_placement(const struct settings *settings)
{
	return keys_find_placement(settings->placement);
}

gid_t settings_group(const struct settings *settings)
{
	gid_t group;

	return *settings->group && !keys_find_group(settings->group, &group) ? group : (gid_t)-1;
}
