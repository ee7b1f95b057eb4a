/* SPDX-License-Identifier: MIT */
/* Which rules do not reach a connection: for its namespace, its device or its cgroup. */
#include "scope.h"

#include "kernel/cgroup.h"

#include <fnmatch.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* A cgroup's id is never used again, and it stays where it is in the tree. */
struct scope_cgroup {
	uint64_t id;
	uint64_t excluded;
	UT_hash_handle hh;
};

static void forget_cgroups(struct scope *scope)
{
	struct scope_cgroup *cgroup, *next;

	HASH_ITER (hh, scope->cgroups, cgroup, next) {
		HASH_DEL(scope->cgroups, cgroup);
		free(cgroup);
	}
}

void scope_set(struct scope *scope, const struct scope_rule *rules, uint32_t count)
{
	forget_cgroups(scope);
	if (count)
		memcpy(scope->rules, rules, count * sizeof(*rules));
	scope->count = count;
}

static uint64_t find_excluded_by_cgroup(const struct scope *scope, uint64_t id)
{
	uint64_t excluded = 0;

	for (uint32_t i = 0; i < scope->count; i++) {
		if (scope->rules[i].cgroup && !cgroup_is_below(scope->rules[i].cgroup, id))
			excluded |= 1ull << i;
	}
	return excluded;
}

static uint64_t excluded_by_cgroup(struct scope *scope, uint64_t id)
{
	struct scope_cgroup *cgroup;
	uint64_t excluded;

	HASH_FIND(hh, scope->cgroups, &id, sizeof(id), cgroup);
	if (cgroup)
		return cgroup->excluded;
	excluded = find_excluded_by_cgroup(scope, id);
	if (scope_count_cgroups(scope) >= SCOPE_CGROUPS_MAX) {
		scope->forgotten += scope_count_cgroups(scope);
		forget_cgroups(scope);
	}
	cgroup = calloc(1, sizeof(*cgroup));
	if (!cgroup)
		return excluded;
	cgroup->id = id;
	cgroup->excluded = excluded;
	HASH_ADD(hh, scope->cgroups, id, sizeof(cgroup->id), cgroup);
	return excluded;
}

static bool is_address_of(const struct sockaddr *address, const struct endpoint *local)
{
	if (!address || address->sa_family != local->family)
		return false;
	if (local->family == AF_INET)
		return !memcmp(&((const struct sockaddr_in *)(const void *)address)->sin_addr,
			&local->v4, sizeof(local->v4));
	return !memcmp(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, &local->v6,
		sizeof(local->v6));
}

/* The device that it is bound to, or else the one that its address is on; "" = not known. */
static void find_interface(const struct diag_conn *conn, char ret_name[IF_NAMESIZE])
{
	struct endpoint local = endpoint_unmap(&conn->local);
	struct ifaddrs *all, *one;

	*ret_name = '\0';
	if (conn->device) {
		if (!if_indextoname(conn->device, ret_name))
			*ret_name = '\0';
		return;
	}
	if (getifaddrs(&all) < 0)
		return;
	for (one = all; one && !*ret_name; one = one->ifa_next) {
		if (is_address_of(one->ifa_addr, &local))
			strncat(ret_name, one->ifa_name, IF_NAMESIZE - 1);
	}
	freeifaddrs(all);
}

uint64_t scope_excluded(struct scope *scope, const char *netns, const struct diag_conn *conn)
{
	char interface[IF_NAMESIZE];
	bool has_interface = false, has_cgroup = false;
	uint64_t excluded = 0;

	for (uint32_t i = 0; i < scope->count; i++) {
		const struct scope_rule *rule = &scope->rules[i];

		has_cgroup |= !!rule->cgroup;
		if (rule->netns && fnmatch(rule->netns, netns, FNM_NOESCAPE))
			excluded |= 1ull << i;
		if (!rule->interface)
			continue;
		if (!has_interface)
			find_interface(conn, interface);
		has_interface = true;
		if (strcmp(rule->interface, interface))
			excluded |= 1ull << i;
	}
	if (has_cgroup)
		excluded |= excluded_by_cgroup(scope, conn->cgroup);
	return excluded;
}

uint32_t scope_count_cgroups(const struct scope *scope)
{
	return HASH_COUNT(scope->cgroups);
}
