/* SPDX-License-Identifier: MIT */
/* The table of keys; dist/subflowd.conf documents each for the operator. */
#include "keys.h"

#include "core/prefixes.h"
#include "kernel/capture.h"
#include "record.h"
#include "settings.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/magic.h>
#include <net/if.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define SOCKET_BYTES_MAX 107 /* sun_path */
#define TERABYTE         1000000000000ull
#define UNSENT_MAX       1000000000ull
#define BACKLOG_MAX      4000000000ull /* a record has 32 bits for it */

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

static int find_word(const char *value, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(value, words[i]))
			return i;
	}
	return -EINVAL;
}

static const char *const sources[] = {
	[SOURCE_BPF] = "bpf",
	[SOURCE_CAPTURE] = "capture",
	[SOURCE_DIAG] = "diag",
};

int keys_find_source(const char *value)
{
	return find_word(value, sources, COUNT(sources));
}

static const char *const placements[] = {
	[STEER_KERNEL] = "kernel",
	[STEER_RANDOM] = "random",
	[STEER_PATHS] = "paths",
};

int keys_find_placement(const char *value)
{
	return find_word(value, placements, COUNT(placements));
}

/* Of a user or a group. -ENOENT: it is no number. */
static int read_id(const char *value, uint32_t *ret_id)
{
	unsigned long number;
	char *end;

	if (*value < '0' || *value > '9')
		return -ENOENT;
	errno = 0;
	number = strtoul(value, &end, 10);
	if (errno || *end || number >= UINT32_MAX)
		return -EINVAL;
	*ret_id = number;
	return 0;
}

int keys_find_group(const char *value, gid_t *ret_group)
{
	int err = read_id(value, ret_group);
	const struct group *group;

	if (err != -ENOENT)
		return err;
	group = getgrnam(value);
	if (!group)
		return -EINVAL;
	*ret_group = group->gr_gid;
	return 0;
}

int keys_find_user(const char *value, uid_t *ret_user)
{
	int err = read_id(value, ret_user);
	const struct passwd *user;

	if (err != -ENOENT)
		return err;
	user = getpwnam(value);
	if (!user)
		return -EINVAL;
	*ret_user = user->pw_uid;
	return 0;
}

static int check_serve(const char *value)
{
	return value[strspn(value, " ")] && !strchr(value, '/') ? 0 : -EINVAL;
}

static int check_source(const char *value)
{
	return keys_find_source(value) < 0 ? -EINVAL : 0;
}

static int check_placement(const char *value)
{
	return keys_find_placement(value) < 0 ? -EINVAL : 0;
}

static int check_prefixes(const char *value)
{
	struct prefixes prefixes;

	return *value ? prefixes_read(value, &prefixes) : -EINVAL;
}

static int check_cgroup(const char *value)
{
	struct statfs fs;
	struct stat st;

	if (*value != '/' || stat(value, &st) < 0 || !S_ISDIR(st.st_mode))
		return -EINVAL;
	return statfs(value, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC ? 0 : -EINVAL;
}

static int check_group(const char *value)
{
	gid_t group;

	return keys_find_group(value, &group);
}

static int check_user(const char *value)
{
	uid_t user;

	return keys_find_user(value, &user);
}

static int check_split(const char *value)
{
	return strcmp(value, "yes") && strcmp(value, "never") ? -EINVAL : 0;
}

static int check_interface(const char *value)
{
	return *value && strlen(value) < IF_NAMESIZE && !strpbrk(value, "/ ") ? 0 : -EINVAL;
}

static int check_netns(const char *value)
{
	return *value && !strpbrk(value, "/ ") ? 0 : -EINVAL;
}

static int check_folder(const char *value)
{
	return *value == '/' && strlen(value) < PATH_MAX ? 0 : -EINVAL;
}

static int check_socket(const char *value)
{
	return *value == '/' && strlen(value) <= SOCKET_BYTES_MAX ? 0 : -EINVAL;
}

#define KEY(section, name, type, member, ...)                                                      \
	{                                                                                          \
		section, name, type, offsetof(struct settings, member), __VA_ARGS__                \
	}

const struct config_key keys_all[] = {
	KEY("elephant", "start", CONFIG_BYTES, start_bytes, 1, 1000 * TERABYTE, NULL, NULL),
	KEY("elephant", "step", CONFIG_BYTES, step_bytes, 1, 1000 * TERABYTE, NULL, NULL),
	KEY("elephant", "stop", CONFIG_BYTES, stop_bytes, 1, 1000 * TERABYTE, NULL, NULL),
	KEY("elephant", "backlog", CONFIG_BYTES, backlog_bytes, 0, BACKLOG_MAX, NULL, NULL),
	KEY("elephant", "max_subflows", CONFIG_NUMBER, elephant_subflows, 1, SUBFLOWS_HARD_MAX,
		NULL, NULL),
	KEY("elephant", "unsent", CONFIG_BYTES, unsent_bytes, 0, UNSENT_MAX, NULL, NULL),
	KEY("elephant", "downloads", CONFIG_BOOL, downloads, 0, 0, NULL, NULL),
	KEY("elephant", "single_path", CONFIG_BOOL, single_path, 0, 0, NULL, NULL),
	KEY("detect", "source", CONFIG_STRING, source, 0, 0, "bpf, capture or diag", check_source),
	KEY("detect", "interface", CONFIG_STRING, interfaces, 0, 0,
		"at most 8 names of network interfaces, separated by blanks", capture_check),
	KEY("detect", "plain_tcp", CONFIG_BOOL, plain_tcp, 0, 0, NULL, NULL),
	KEY("detect", "interval_ms", CONFIG_NUMBER, interval_ms, 10, 60000, NULL, NULL),
	KEY("detect", "late_percent", CONFIG_NUMBER, late_percent, 1, 100, NULL, NULL),
	KEY("policy", "ndiffports", CONFIG_NUMBER, ndiffports, 1, SUBFLOWS_HARD_MAX, NULL, NULL),
	KEY("policy", "fullmesh", CONFIG_BOOL, fullmesh, 0, 0, NULL, NULL),
	KEY("repair", "rto_min_ms", CONFIG_NUMBER, rto_min_ms, 0, 200, NULL, NULL),
	KEY("repair", "hold_s", CONFIG_NUMBER, shunned_s, 1, 86400, NULL, NULL),
	KEY("joins", "refusals", CONFIG_NUMBER, refusals, 0, 1000000, NULL, NULL),
	KEY("joins", "hold_s", CONFIG_NUMBER, hold_s, 1, 86400, NULL, NULL),
	KEY("joins", "quiet_ms", CONFIG_NUMBER, quiet_ms, 0, 10000, NULL, NULL),
	KEY("benefit", "fast_mbit", CONFIG_NUMBER, fast_mbit, 0, 10000000, NULL, NULL),
	KEY("benefit", "margin_percent", CONFIG_NUMBER, margin_percent, 0, 1000, NULL, NULL),
	KEY("benefit", "time_rtts", CONFIG_NUMBER, time_rtts, 1, 1000, NULL, NULL),
	KEY("benefit", "time_min_ms", CONFIG_NUMBER, time_min_ms, 10, 60000, NULL, NULL),
	KEY("benefit", "tries", CONFIG_NUMBER, tries, 0, 16, NULL, NULL),
	KEY("benefit", "own_paths", CONFIG_BOOL, own_paths, 0, 0, NULL, NULL),
	KEY("benefit", "hold_s", CONFIG_NUMBER, left_alone_s, 1, 86400, NULL, NULL),
	KEY("apart", "moves", CONFIG_NUMBER, moves, 0, 16, NULL, NULL),
	KEY("apart", "hold_s", CONFIG_NUMBER, moved_hold_s, 1, 86400, NULL, NULL),
	KEY("apart", "delay_ms", CONFIG_NUMBER, delay_ms, 0, 10000, NULL, NULL),
	KEY("apart", "slow_percent", CONFIG_NUMBER, slow_percent, 0, 90, NULL, NULL),
	KEY("fairness", "last_hop", CONFIG_BOOL, last_hop, 0, 0, NULL, NULL),
	KEY("fairness", "hold_s", CONFIG_NUMBER, last_hop_hold_s, 1, 86400, NULL, NULL),
	KEY("fairness", "coupled", CONFIG_BOOL, coupled, 0, 0, NULL, NULL),
	KEY("placement", "mode", CONFIG_STRING, placement, 0, 0, "paths, random or kernel",
		check_placement),
	KEY("placement", "probe_prefixes", CONFIG_STRING, probe_prefixes, 0, 0,
		"private, all, none, or prefixes such as 10.0.0.0/8, separated by blanks",
		check_prefixes),
	KEY("placement", "probes_per_second", CONFIG_NUMBER, probes_per_second, 1, 100000, NULL,
		NULL),
	KEY("placement", "probes_per_second_of_user", CONFIG_NUMBER, probes_per_second_of_user, 1,
		100000, NULL, NULL),
	KEY("limits", "applications", CONFIG_BOOL, applications, 0, 0, NULL, NULL),
	KEY("limits", "max_subflows", CONFIG_NUMBER, max_subflows, 1, SUBFLOWS_HARD_MAX, NULL,
		NULL),
	KEY("limits", "calls_per_second", CONFIG_NUMBER, calls_per_second, 1, 1000000, NULL, NULL),
	KEY("limits", "calls_per_second_of_user", CONFIG_NUMBER, calls_per_second_of_user, 1,
		1000000, NULL, NULL),
	KEY("limits", "max_connections", CONFIG_NUMBER, max_connections, 1, 10000000, NULL, NULL),
	KEY("namespaces", "serve", CONFIG_STRING, serve, 0, 0,
		"own, all, or names as in `ip netns`, separated by blanks", check_serve),
	KEY("namespaces", "take_over", CONFIG_BOOL, take_over, 0, 0, NULL, NULL),
	KEY("hooks", "cgroup", CONFIG_STRING, cgroup, 0, 0,
		"the absolute path of a folder of the cgroup2 file system, which is hidden inside "
		"`ip netns exec`: use nsenter --net=FILE",
		check_cgroup),
	KEY("hooks", "ring_size", CONFIG_BYTES, ring_bytes, 4096, 1 << 30, NULL, NULL),
	KEY("control", "socket", CONFIG_STRING, socket, 0, 0,
		"an absolute path of at most 107 bytes", check_socket),
	KEY("control", "group", CONFIG_STRING, group, 0, 0,
		"a group of this host, by name or number; leave the line out for root alone",
		check_group),
	{NULL, NULL, CONFIG_NUMBER, 0, 0, 0, NULL, NULL},
};

_Static_assert(COUNT(keys_all) <= KEYS_MAX, "lines of each");

#define RULE_KEY(name, type, member, ...)                                                          \
	{                                                                                          \
		"rule", name, type, offsetof(struct settings_rule, member), __VA_ARGS__            \
	}

const struct config_key keys_rule[] = {
	RULE_KEY("cgroup", CONFIG_STRING, cgroup, 0, 0,
		"the absolute path of a folder of the cgroup2 file system", check_folder),
	RULE_KEY("uid", CONFIG_STRING, uid, 0, 0, "a user of this host, by name or number",
		check_user),
	RULE_KEY("local", CONFIG_STRING, local, 0, 0,
		"prefixes such as 10.0.0.0/8, separated by blanks", check_prefixes),
	RULE_KEY("remote", CONFIG_STRING, remote, 0, 0,
		"prefixes such as 10.0.0.0/8, separated by blanks", check_prefixes),
	RULE_KEY("port", CONFIG_NUMBER, port, 1, 65535, NULL, NULL),
	RULE_KEY("interface", CONFIG_STRING, interface, 0, 0, "the name of a network device",
		check_interface),
	RULE_KEY("namespace", CONFIG_STRING, netns, 0, 0,
		"own, or a name as in `ip netns`, or a pattern such as work-*", check_netns),
	RULE_KEY("split", CONFIG_STRING, split, 0, 0, "yes or never", check_split),
	RULE_KEY("start", CONFIG_BYTES, start_bytes, 1, 1000 * TERABYTE, NULL, NULL),
	RULE_KEY("step", CONFIG_BYTES, step_bytes, 1, 1000 * TERABYTE, NULL, NULL),
	RULE_KEY("stop", CONFIG_BYTES, stop_bytes, 1, 1000 * TERABYTE, NULL, NULL),
	RULE_KEY("backlog", CONFIG_BYTES, backlog_bytes, 1, BACKLOG_MAX, NULL, NULL),
	RULE_KEY("max_subflows", CONFIG_NUMBER, max_subflows, 1, SUBFLOWS_HARD_MAX, NULL, NULL),
	{NULL, NULL, CONFIG_NUMBER, 0, 0, 0, NULL, NULL},
};

static void *find_or_add_rule(void *values, const char *name, int line)
{
	struct settings *settings = values;
	struct settings_rule *rules;

	for (uint32_t i = 0; i < settings->n_rules; i++) {
		if (!strcmp(settings->rules[i].name, name))
			return &settings->rules[i];
	}
	rules = reallocarray(settings->rules, settings->n_rules + 1, sizeof(*rules));
	if (!rules)
		return NULL;
	settings->rules = rules;
	rules += settings->n_rules++;
	*rules = (struct settings_rule){};
	snprintf(rules->name, sizeof(rules->name), "%s", name);
	rules->line = line;
	return rules;
}

const struct config_list keys_rules = {
	.kind = "rule",
	.keys = keys_rule,
	.name_max = RULES_NAME_MAX,
	.most = RULES_MAX,
	.item = find_or_add_rule,
};
