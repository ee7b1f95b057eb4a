/* SPDX-License-Identifier: MIT */
/* Which rules do not reach a connection: for its namespace, its device or its cgroup. */
#ifndef SUBFLOW_SCOPE_H
#define SUBFLOW_SCOPE_H

#include "core/rules.h"
#include "kernel/diag.h"

#include <stdint.h>

#define SCOPE_CGROUPS_MAX 4096

/* What one rule asks for; the strings are the caller's, and stay. NULL = does not matter. */
struct scope_rule {
	const char *netns; /* a pattern of glob(7) */
	const char *interface;
	const char *cgroup; /* a folder: it and all below it */
};

struct scope_cgroup;

struct scope {
	struct scope_rule rules[RULES_MAX];
	uint32_t count;
	struct scope_cgroup *cgroups; /* what was found out of cgroups */
	uint64_t forgotten;           /* of these, because there were too many */
};

/* Takes @count rules; what was found out is forgotten. */
void scope_set(struct scope *scope, const struct scope_rule *rules, uint32_t count);

/*
 * A bit for each rule that does not reach @conn, of the namespace @netns, in which the thread is.
 * What cannot be found out is not reached.
 */
uint64_t scope_excluded(struct scope *scope, const char *netns, const struct diag_conn *conn);

/* Cgroups of which something was found out. */
uint32_t scope_count_cgroups(const struct scope *scope);

#endif
