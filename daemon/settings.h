/* SPDX-License-Identifier: MIT */
/* What the operator has set: the configuration file's values and their defaults. */
#ifndef SUBFLOW_SETTINGS_H
#define SUBFLOW_SETTINGS_H

#include "core/rules.h"
#include "core/steer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* [rule NAME]; NULL and 0 = does not matter, or as in [elephant]. */
struct settings_rule {
	char name[RULES_NAME_MAX];
	int line; /* of its first key */
	/* which connections */
	char *cgroup;    /* a folder of cgroup2 */
	char *uid;       /* a number, or a user's name */
	char *local;     /* prefixes, of the first subflow */
	char *remote;    /* the same */
	uint32_t port;   /* remote */
	char *interface; /* that the local address is on, or that the socket is bound to */
	char *netns;     /* a pattern of names */
	/* what they get */
	char *split; /* yes, never */
	uint64_t start_bytes, step_bytes, stop_bytes, backlog_bytes;
	uint32_t max_subflows;
};

struct settings {
	/* [elephant] */
	uint64_t start_bytes, step_bytes, stop_bytes;
	uint64_t backlog_bytes; /* 0 = what waits to be sent does not matter */
	uint64_t unsent_bytes;  /* that each subflow may hold; 0 = as many as it likes */
	uint32_t elephant_subflows;
	bool downloads;
	bool single_path;
	/* [detect] */
	char *source;     /* see settings_source() */
	bool plain_tcp;   /* with SOURCE_BPF: look at that too */
	char *interfaces; /* for kernel/capture; empty = none */
	uint32_t interval_ms;
	uint32_t late_percent; /* of step_bytes */
	/* [policy] */
	uint32_t ndiffports;
	bool fullmesh;
	/* [repair] */
	uint32_t rto_min_ms; /* 0 = no repair */
	uint32_t shunned_s;
	/* [joins] */
	uint32_t refusals;
	uint32_t hold_s;
	uint32_t quiet_ms;
	/* [benefit] */
	uint32_t fast_mbit;      /* 0 = nobody is asked what holds it back */
	uint32_t margin_percent; /* 0 = nothing is judged */
	uint32_t time_rtts;
	uint32_t time_min_ms;
	uint32_t left_alone_s;
	uint32_t tries;
	bool own_paths; /* judged as well */
	/* [apart] */
	uint32_t moves; /* 0 = nothing is moved */
	uint32_t moved_hold_s;
	uint32_t delay_ms;
	uint32_t slow_percent; /* 0 = rates are not looked at */
	/* [fairness] */
	bool last_hop; /* whether it is the last link that holds an elephant back */
	uint32_t last_hop_hold_s;
	bool coupled;
	/* [placement] */
	char *placement; /* see settings_placement() */
	char *probe_prefixes;
	uint32_t probes_per_second;
	uint32_t probes_per_second_of_user; /* root has no limit of its own */
	/* [limits] */
	bool applications; /* may ask for subflows */
	uint32_t max_subflows;
	uint32_t calls_per_second;         /* of one socket */
	uint32_t calls_per_second_of_user; /* root has no limit */
	uint32_t max_connections;
	/* [namespaces] */
	char *serve;
	bool take_over;
	/* [hooks] */
	char *cgroup; /* empty = the root of cgroup2 */
	uint64_t ring_bytes;
	/* [control] */
	char *socket;
	char *group; /* see settings_group() */
	/* [rule NAME], in the order of the file */
	struct settings_rule *rules;
	uint32_t n_rules;
};

/* The defaults. settings_done() frees what either function has put in. */
int settings_init(struct settings *settings);
void settings_done(struct settings *settings);

/*
 * Reads @path over the defaults; @error names file, line, key and what is allowed. -ENODATA: the
 * file is empty, which is a mistake wherever it would undo what holds.
 */
int settings_read(struct settings *settings, const char *path, char *error, size_t error_size);

/* *@ret_copy is the caller's, for settings_done(); -ENOMEM. */
int settings_copy(const struct settings *settings, struct settings *ret_copy);

/*
 * Sets one value, @name as "elephant.start". -EINVAL, with @error as above but without a place, if
 * there is no such key, or the value is not allowed or does not fit the others; then nothing is
 * changed.
 */
int settings_set(struct settings *settings, const char *name, const char *value, char *error,
	size_t error_size);

/*
 * Puts the values of @now into @next where they cannot change while the daemon runs. @ret_text:
 * what differed, as "[hooks] cgroup, [control] socket"; or empty. -ENOMEM.
 */
int settings_keep_fixed(
	const struct settings *now, struct settings *next, char *ret_text, size_t size);

/* [detect] source. */
enum settings_source { SOURCE_BPF, SOURCE_CAPTURE, SOURCE_DIAG };
enum settings_source settings_source(const struct settings *settings);

/* [placement] mode. */
enum steer_mode settings_placement(const struct settings *settings);

/* [elephant], as core takes it. */
struct elephant_rule settings_elephant(const struct settings *settings);

/*
 * The rules, on the heap, as core takes them; what is not said is as in [elephant]. NULL and 0 if
 * there are none; -ENOMEM.
 */
int settings_rules(const struct settings *settings, struct rule **ret_rules, uint32_t *ret_count);

/* [control] group; (gid_t)-1 = none. */
gid_t settings_group(const struct settings *settings);

#endif
