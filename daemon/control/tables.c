/* SPDX-License-Identifier: MIT */
/* What bounds the daemon: its tables and the hooks', and the memory of its connections, as JSON. */
#include "tables.h"

#include "control/put.h"
#include "core/footprint.h"
#include "kernel/addresses.h"
#include "kernel/maps.h"

#include <sys/param.h>

static void put(struct json_object *tables, const char *name, uint64_t limit, uint64_t used,
	uint64_t refused)
{
	struct json_object *table = json_object_new_object();

	put_number(table, "limit", limit);
	put_number(table, "used", used);
	put_number(table, "refused", refused);
	json_object_object_add(tables, name, table);
}

/* Whoever is new makes the one go that was there longest: as many as were ever made and are not
 * there. */
static void put_displacing(
	struct json_object *tables, const char *name, uint64_t limit, uint64_t used, uint64_t made)
{
	put(tables, name, limit, used, made > used ? made - used : 0);
}

static uint64_t count_locals(const struct locals *locals)
{
	const struct locals_netns *netns;
	uint64_t count = 0;

	for (netns = locals->all; netns; netns = netns->hh.next)
		count += netns->count;
	return count;
}

static uint64_t count_with(const struct conn_table *table, bool (*has)(const struct conn *conn))
{
	const struct conn *conn;
	uint64_t count = 0;

	for (conn = table->conns; conn; conn = conn->hh.next)
		count += has(conn);
	return count;
}

static bool has_receipt(const struct conn *conn)
{
	return conn->has_receipt;
}

static bool has_rule(const struct conn *conn)
{
	return conn->has_rule;
}

/* The hooks' maps. */
static void put_hooks(struct json_object *tables, const struct status_view *view)
{
	struct hook_counters counters = hooks_counters(view->hooks);
	struct maps_usage usage = maps_usage(view->hooks);
	const struct conn_table *conns = &view->plan->table;

	put(tables, "receipts", conns->limit, count_with(conns, has_receipt),
		view->receipts_refused);
	put(tables, "thresholds", conns->limit, count_with(conns, has_rule), view->rules_refused);
	put(tables, "local_addresses", LOCALS_MAX, count_locals(view->locals),
		view->locals->refused);
	put_displacing(tables, "users", USERS_MAX, usage.users, counters.users);
	put_displacing(tables, "strangers", STRANGERS_MAX, usage.strangers, counters.strangers);
	put_displacing(tables, "peers", PEERS_MAX, usage.peers, counters.peers);
}

static void put_paths(struct json_object *tables, const struct status_view *view)
{
	const struct path_table *paths = &view->plan->steer.paths;
	const struct path_counters *counters = &paths->counters;
	const struct scout *scout = view->scout;

	put(tables, "path_maps", PATH_TABLE_MAPS_MAX, HASH_COUNT(paths->maps),
		counters->maps_refused);
	put(tables, "path_prefixes", PATH_TABLE_PREFIXES_MAX, HASH_COUNT(paths->prefixes),
		counters->prefixes_refused);
	put(tables, "path_routers", PATH_TABLE_ROUTERS_MAX, HASH_COUNT(paths->routers),
		counters->routers_refused);
	put(tables, "surveys", SCOUT_SURVEYS_MAX, scout->n_surveys, scout->counters.refused);
	put(tables, "last_hops", REACH_QUESTIONS_MAX, view->reach->n_questions,
		view->reach->refused);
	put(tables, "probing_users", QUOTA_USERS_MAX, HASH_COUNT(scout->quota.users),
		scout->quota.refused);
}

struct json_object *tables_write(const struct status_view *view)
{
	struct json_object *tables = json_object_new_object();
	const struct plan *plan = view->plan;

	put(tables, "connections", plan->table.limit, conn_table_count(&plan->table),
		plan->table.refused);
	put(tables, "namespaces", SERVED_MAX, view->served->count, view->served->refused);
	put(tables, "addresses", ADDRESSES_MAX, view->addresses_most, view->addresses_refused);
	put_hooks(tables, view);
	put(tables, "refusing", REFUSALS_MAX, HASH_COUNT(plan->refusals.entries),
		plan->refusals.displaced);
	put(tables, "left_alone", REFUSALS_MAX, HASH_COUNT(plan->in_vain.entries),
		plan->in_vain.displaced);
	put(tables, "full", REFUSALS_MAX, HASH_COUNT(plan->full.entries), plan->full.displaced);
	put_paths(tables, view);
	put(tables, "cgroups", SCOPE_CGROUPS_MAX, scope_count_cgroups(view->scope),
		view->scope->forgotten);
	put(tables, "requests", REQUESTS_MAX, view->requests->count, view->requests->refused);
	put(tables, "untreated", FLOWS_MAX, HASH_COUNT(view->flows->list), view->flows->refused);
	put(tables, "wire_flows", view->wire->limit, view->wire->count, view->wire->refused);
	put(tables, "clients", SERVER_CLIENTS_MAX, view->server->count, view->server->refused);
	put(tables, "answers", SERVER_ANSWERS_MAX, view->server->unread, view->server->displaced);
	put(tables, "asking_users", TURNS_MAX, view->server->turns.count,
		view->server->turns.displaced);
	put(tables, "knocking_users", TURNS_MAX, view->server->door.count,
		view->server->door.displaced);
	put(tables, "events", NEWS_MAX, plan->news.count - plan->news.next, view->server->untold);
	return tables;
}

/* Of one connection, beside what the kernel needs to find it: its storage, receipt and thresholds.
 */
static uint64_t kernel_bytes(void)
{
	return STORAGE_MAX + 2 * sizeof(struct conn_key) + sizeof(struct receipt) +
	       sizeof(struct conn_rule);
}

static uint32_t find_max_subflows(const struct plan *plan)
{
	uint32_t most = MAX(plan->max_subflows, plan->rule.max_subflows);

	for (uint32_t i = 0; i < plan->rules.count; i++)
		most = MAX(most, plan->rules.list[i].elephant.max_subflows);
	return most;
}

struct json_object *tables_write_memory(const struct status_view *view)
{
	struct json_object *memory = json_object_new_object();
	const struct plan *plan = view->plan;
	const struct conn *conn;
	uint64_t bytes = 0, most;

	for (conn = plan->table.conns; conn; conn = conn->hh.next)
		bytes += footprint_of(conn);
	most = footprint_most(find_max_subflows(plan), plan->policy.fullmesh);
	put_number(memory, "connections", bytes);
	put_number(memory, "connection", footprint_least());
	put_number(memory, "subflow", footprint_subflow());
	put_number(memory, "connection_most", most);
	put_number(memory, "most", most * plan->table.limit);
	put_number(memory, "answers", server_bytes(view->server));
	put_number(memory, "kernel", kernel_bytes());
	put_number(memory, "kernel_most", kernel_bytes() * plan->table.limit);
	return memory;
}
