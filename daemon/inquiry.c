/* SPDX-License-Identifier: MIT */
/* What the kernel says of a namespace when it is asked: connections, whose they are, addresses. */
#include "inquiry.h"

#include "base/log.h"
#include "base/loop.h"
#include "core/adoption.h"
#include "kernel/diag.h"
#include "kernel/maps.h"
#include "kernel/served_list.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>

/* A subflow has sent its SYN at least, and that counts. */
#define SYN_BYTES 1

struct device_search {
	uint32_t token;
	struct endpoint local;
	uint32_t device; /* 0: not found */
};

static void find_device(void *arg, const struct diag_subflow *subflow)
{
	struct device_search *search = arg;

	if (subflow->token == search->token &&
		endpoint_is_same_address(&subflow->local, &search->local))
		search->device = subflow->device;
}

/* That the application has bound it to, which the kernel does not heed of itself. */
static uint32_t find_bound(
	const struct inquiry *inquiry, const struct conn_key *key, const struct endpoint *local)
{
	const struct conn *conn = conn_find(&inquiry->plan->table, key);
	struct endpoint own = conn ? endpoint_unmap(&conn->local) : (struct endpoint){};

	return conn && endpoint_is_same_address(&own, local) ? conn->device : 0;
}

uint32_t inquiry_find_device(
	struct inquiry *inquiry, const struct conn_key *key, const struct endpoint *local)
{
	struct device_search search = {.token = key->token, .local = endpoint_unmap(local)};
	struct served_netns *netns = served_find(inquiry->served, key->netns);

	if (!endpoint_is_link_local(local))
		return find_bound(inquiry, key, &search.local);
	if (!netns || served_enter(netns))
		return 0;
	diag_dump_subflows(find_device, &search);
	served_leave(netns);
	return search.device;
}

/* The thread is in it, until served_leave(); NULL: it cannot be entered. */
static struct served_netns *enter(struct inquiry *inquiry, uint64_t cookie)
{
	struct served_netns *netns = served_find_live(inquiry->served, cookie);

	return netns && !served_enter(netns) ? netns : NULL;
}

int inquiry_is_silent(struct inquiry *inquiry, uint64_t cookie, const struct endpoint *local,
	const struct endpoint *remote, uint32_t least_ms, bool *ret_is_silent)
{
	struct served_netns *netns = enter(inquiry, cookie);
	int err;

	if (!netns)
		return -ENONET;
	err = diag_is_silent(local, remote, least_ms, ret_is_silent);
	served_leave(netns);
	return err;
}

int inquiry_is_backup(struct inquiry *inquiry, uint64_t cookie, const struct endpoint *local,
	const struct endpoint *remote, bool *ret_is_backup)
{
	struct served_netns *netns = enter(inquiry, cookie);
	int err;

	if (!netns)
		return -ENONET;
	err = diag_is_backup(local, remote, ret_is_backup);
	served_leave(netns);
	return err;
}

int inquiry_measure(struct inquiry *inquiry, const struct conn_key *key,
	const struct endpoint *local, const struct endpoint *remote, struct rate_sample *ret_sample)
{
	struct served_netns *netns = enter(inquiry, key->netns);
	int err;

	if (!netns)
		return -ENONET;
	err = diag_measure(key->token, local, remote, ret_sample);
	served_leave(netns);
	return err;
}

int inquiry_pace(struct inquiry *inquiry, uint64_t cookie, const struct endpoint *local,
	const struct endpoint *remote, struct rate_sample *ret_sample)
{
	struct served_netns *netns = enter(inquiry, cookie);
	int err;

	if (!netns)
		return -ENONET;
	err = diag_pace(local, remote, ret_sample);
	served_leave(netns);
	return err;
}

int inquiry_read_addresses(struct inquiry *inquiry, uint64_t cookie, struct addresses *addresses)
{
	struct served_netns *netns = served_find_live(inquiry->served, cookie);
	int err = -ENONET;

	if (netns)
		err = served_enter(netns);
	if (err)
		return err;
	err = addresses_read(addresses);
	served_leave(netns);
	inquiry->addresses_most = MAX(inquiry->addresses_most, addresses->n_usable);
	inquiry->addresses_refused += addresses->refused;
	return err;
}

/* One list of a namespace's connections. */
struct search {
	struct inquiry *inquiry;
	uint64_t netns;
	const char *name;
	bool is_for_records; /* that were lost: of connections too that are not known yet */
};

/* As the elephant rule counts. */
static uint64_t carried(const struct inquiry *inquiry, const struct diag_conn *conn)
{
	if (!conn->has_bytes)
		return UINT64_MAX;
	return inquiry->census->downloads ? MAX(conn->bytes_sent, conn->bytes_received)
					  : conn->bytes_sent;
}

static void found(void *arg, const struct diag_conn *conn)
{
	const struct search *search = arg;
	struct scope *scope = &search->inquiry->scope;
	struct event event = {.kind = EVENT_FOUND,
		.key = {.netns = search->netns, .token = conn->token},
		.now_ns = loop_now_ns(),
		.local = conn->local,
		.remote = conn->remote,
		.bytes = carried(search->inquiry, conn),
		.uid = conn->uid,
		.excluded = scope_excluded(scope, search->name, conn)};
	struct hooks *hooks = search->inquiry->hooks;

	event.has_receipt =
		hooks->has_earlier && !maps_get_receipt(hooks, &event.key, &event.receipt);
	plan_hear(search->inquiry->plan, &event);
}

static void found_subflow(void *arg, const struct diag_subflow *subflow)
{
	const struct search *search = arg;
	struct event event = {.kind = EVENT_FOUND_SUBFLOW,
		.key = {.netns = search->netns, .token = subflow->token},
		.now_ns = loop_now_ns(),
		.local = subflow->local,
		.remote = subflow->remote,
		.id = subflow->id,
		.remote_id = subflow->remote_id,
		.is_server = subflow->is_server,
		.is_opening = subflow->is_opening,
		.is_unused = subflow->is_backup && subflow->bytes_acked <= SYN_BYTES};

	plan_hear(search->inquiry->plan, &event);
}

static bool has_client(const struct plan *plan, uint64_t netns)
{
	struct conn *conn, *after;

	HASH_ITER (hh, plan->table.conns, conn, after) {
		if (conn->key.netns == netns && !conn->is_server)
			return true;
	}
	return false;
}

/* What a record, or CREATED, would have told. */
static void tell_of(
	struct inquiry *inquiry, const struct conn_key *key, enum event_kind kind, uint32_t device)
{
	plan_hear(inquiry->plan,
		&(struct event){
			.kind = kind, .key = *key, .now_ns = loop_now_ns(), .device = device});
}

static void found_client(void *arg, const struct client_record *client)
{
	const struct search *search = arg;
	struct inquiry *inquiry = search->inquiry;
	struct conn_key key = {.netns = search->netns, .token = client->token};
	struct conn *conn = conn_find(&inquiry->plan->table, &key);

	/* That one is foreign is found out by itself where all are listed. */
	if (search->is_for_records && client->traits & CLIENT_FOREIGN &&
		!(conn && conn->is_foreign))
		tell_of(inquiry, &key, EVENT_FOREIGN, 0);
	if ((conn || search->is_for_records) && client->traits & CLIENT_BOUND &&
		!(conn && conn->is_bound))
		tell_of(inquiry, &key, EVENT_BOUND, client->device);
	if (!conn)
		return;
	if (client->traits & CLIENT_DENIED && !conn->denies_join)
		tell_of(inquiry, &key, EVENT_DENIED, 0);
	if (client->traits & CLIENT_UNWATCHED)
		census_take(inquiry->census, conn);
}

/* Of the namespace that the thread is in. */
static void look_at_clients(struct search *search)
{
	int err = hooks_visit_clients(search->inquiry->hooks, found_client, search);

	if (err)
		log_warning("the sockets in %s cannot be walked: %s; elephants that the kernel's "
			    "callbacks do not tell of are not found, nor who was bound or denied "
			    "joins before",
			search->name, strerror(-err));
}

void inquiry_search(struct inquiry *inquiry, struct served_netns *netns)
{
	struct search search = {.inquiry = inquiry, .netns = netns->cookie, .name = netns->name};
	int err = served_enter(netns);

	if (err)
		return;
	adoption_begin(inquiry->plan, netns->cookie);
	err = diag_dump(found, &search);
	if (!err)
		err = diag_dump_subflows(found_subflow, &search);
	if (err)
		log_warning("connections that are open in %s already cannot be listed: %s",
			netns->name, strerror(-err));
	else
		adoption_end(inquiry->plan, netns->cookie);
	netns->is_listed |= !err;
	if (has_client(inquiry->plan, netns->cookie))
		look_at_clients(&search);
	served_leave(netns);
	census_expect(inquiry->census);
}

void inquiry_look_at_clients(struct inquiry *inquiry)
{
	struct served_netns *netns;
	struct search search = {.inquiry = inquiry, .is_for_records = true};

	TAILQ_FOREACH (netns, &inquiry->served->list, entry) {
		search.netns = netns->cookie;
		search.name = netns->name;
		if (netns->state != SERVED_YES || served_enter(netns))
			continue;
		look_at_clients(&search);
		served_leave(netns);
	}
}

void inquiry_find_owner(struct inquiry *inquiry, const struct conn_key *key)
{
	struct served_netns *netns = served_find(inquiry->served, key->netns);
	struct event event = {
		.kind = EVENT_OWNER, .key = *key, .now_ns = loop_now_ns(), .error = ENONET};
	struct diag_conn conn = {};
	bool is_inside = netns && netns->state == SERVED_YES && !served_enter(netns);

	if (is_inside)
		event.error = -diag_find(key->token, &conn);
	event.uid = conn.uid;
	event.excluded = scope_excluded(&inquiry->scope, netns ? netns->name : "", &conn);
	if (is_inside)
		served_leave(netns);
	plan_hear(inquiry->plan, &event);
}

static void found_owner(void *arg, const struct diag_conn *conn)
{
	const struct search *search = arg;
	struct scope *scope = &search->inquiry->scope;
	struct event event = {.kind = EVENT_OWNER,
		.key = {.netns = search->netns, .token = conn->token},
		.now_ns = loop_now_ns(),
		.uid = conn->uid,
		.excluded = scope_excluded(scope, search->name, conn)};

	plan_hear(search->inquiry->plan, &event);
}

void inquiry_find_owners(struct inquiry *inquiry)
{
	struct served_netns *netns;
	struct search search = {.inquiry = inquiry};
	int err;

	TAILQ_FOREACH (netns, &inquiry->served->list, entry) {
		search.netns = netns->cookie;
		search.name = netns->name;
		if (netns->state != SERVED_YES || served_enter(netns))
			continue;
		err = diag_dump(found_owner, &search);
		served_leave(netns);
		if (err)
			log_warning(
				"whose the connections in %s are cannot be found out: %s; rules "
				"and watching users miss them",
				netns->name, strerror(-err));
	}
}
