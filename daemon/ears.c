/* SPDX-License-Identifier: MIT */
/* What the kernel tells becomes events that the judgement hears. */
#include "ears.h"

#include "base/log.h"
#include "control/watchers.h"
#include "core/multihome.h"
#include "kernel/maps.h"
#include "kernel/ring.h"
#include "kernel/served_list.h"
#include "kernel/wanted.h"
#include "parts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What was done leads to events whose time counts, for so long. */
#define ALERT_NS 1000000000ull

/* Mice that come and go: no operator looks, and nothing is to be done for each. */
static bool may_rest(void *owner)
{
	const struct daemon *daemon = owner;
	const struct plan *plan = &daemon->plan;

	return plan->policy.ndiffports == 1 && !plan->policy.fullmesh &&
	       daemon->server.watchers == daemon->server.user_watchers &&
	       TAILQ_EMPTY(&plan->table.retries) &&
	       loop_now_ns() - daemon->hands.acted_ns >= ALERT_NS;
}

/*
 * What was asked for or recorded of it is older than its end: it waits for its turn, or is in the
 * ring.
 */
static bool may_skip(void *owner, int nsid, uint32_t token)
{
	struct daemon *daemon = owner;
	const struct served_netns *netns = served_find_id(&daemon->served, nsid);
	const struct conn_key key = {.netns = netns ? netns->cookie : 0, .token = token};

	return may_rest(owner) && !daemon->server.watchers && ring_is_read(&daemon->hooks) &&
	       netns && netns->state == SERVED_YES && !conn_find(&daemon->plan.table, &key) &&
	       !requests_has(&daemon->requests, &key);
}

/* Records are of connections that events have told of. */
static void hear_bell(void *owner)
{
	struct daemon *daemon = owner;

	monitor_rouse(&daemon->monitor);
}

static void hear_missed(void *owner)
{
	struct daemon *daemon = owner;

	inquiry_look_at_clients(&daemon->inquiry);
	hands_act(&daemon->hands);
}

static void carry_out(struct daemon *daemon, const struct event *event)
{
	plan_hear(&daemon->plan, event);
	hands_act(&daemon->hands);
}

/* The loop comes back to what waits. */
static void expect_turn(struct daemon *daemon)
{
	if (daemon->requests.count)
		eventfd_write(daemon->turn.fd, 1);
}

/* One, and others may have come. */
static void take_turn(void *owner)
{
	struct daemon *daemon = owner;
	struct event event;

	if (!requests_next(&daemon->requests, &event))
		return;
	/* Its namespace may have ended while it waited. */
	if (served_find(&daemon->served, event.key.netns))
		carry_out(daemon, &event);
	expect_turn(daemon);
}

static void turn_ready(struct source *source, uint32_t events)
{
	eventfd_t count;

	(void)events;
	eventfd_read(source->fd, &count);
	take_turn(SOURCE_OWNER(source, struct daemon, turn));
}

static bool is_request(const struct event *event)
{
	return event->kind == EVENT_INTENT || event->kind == EVENT_BACKUP;
}

/* Requests wait for their user's turn: before any is carried out the ring is read to its end. */
static void hear_record(void *owner, const struct event *event)
{
	struct daemon *daemon = owner;

	if (event->kind == EVENT_STRANGER) {
		served_look(&daemon->served);
		return;
	}
	if (event->kind == EVENT_FLOW) {
		roster_ask(&daemon->detector.roster, event->key.netns);
		return;
	}
	/* The walk shows sockets without a connection too. */
	if (!event->key.token || !served_find(&daemon->served, event->key.netns))
		return;
	if (event->kind == EVENT_THRESHOLD || event->kind == EVENT_BACKLOG)
		log_debug("threshold token %08x threshold %" PRIu64 " bytes %" PRIu64
			  " noticed %" PRIu64,
			event->key.token, event->threshold, event->bytes, event->now_ns);
	if (!is_request(event) || requests_add(&daemon->requests, event))
		carry_out(daemon, event);
}

/*
 * What was asked for and recorded before the connection came up counts when it does, and nothing of
 * it when it is gone.
 */
static void hear_waiting(struct daemon *daemon, const struct event *event)
{
	struct event request;

	if (event->kind == EVENT_ESTABLISHED)
		ring_drain(&daemon->hooks);
	else if (event->kind != EVENT_CLOSED)
		return;
	while (requests_take(&daemon->requests, &event->key, &request)) {
		if (event->kind == EVENT_ESTABLISHED)
			carry_out(daemon, &request);
	}
	expect_turn(daemon);
}

static void hear_event(void *owner, int nsid, struct event *event)
{
	struct daemon *daemon = owner;
	struct served_netns *netns = served_find_id(&daemon->served, nsid);

	if (!netns)
		return;
	if (netns->state == SERVED_ALONE) {
		served_look_again(&daemon->served, netns, loop_now_ns());
		return;
	}
	event->key.netns = netns->cookie;
	hear_waiting(daemon, event);
	event->now_ns = loop_now_ns();
	log_debug("event %d token %08x error %d reset reason %d", event->kind, event->key.token,
		event->error, event->reset_reason);
	carry_out(daemon, event);
	if ((event->kind == EVENT_CREATED || event->kind == EVENT_ESTABLISHED) && !event->is_server)
		census_expect(&daemon->detector.census);
}

/* No connection, no reading: devices come and go by the hundred where containers do. */
static void renew_addresses(
	struct daemon *daemon, const struct served_netns *netns, struct addresses *addresses)
{
	if (!conn_table_count(&daemon->plan.table) ||
		inquiry_read_addresses(&daemon->inquiry, netns->cookie, addresses))
		return;
	plan_tick(&daemon->plan, loop_now_ns()); /* of the change itself no time is told */
	multihome_hear(&daemon->plan, netns->cookie,
		&(struct multihome_change){.gone = addresses->gone,
			.n_gone = addresses->n_gone,
			.usable = addresses->usable,
			.n_usable = addresses->n_usable});
	hands_act(&daemon->hands);
}

static void hear_addresses(void *owner, int nsid, struct addresses *addresses)
{
	struct daemon *daemon = owner;
	struct served_netns *netns = served_find_id(&daemon->served, nsid);

	if (netns)
		renew_addresses(daemon, netns, addresses);
}

struct sifting {
	struct daemon *daemon;
	/* A receipt of a namespace that may be served later, or by the next daemon. */
	bool has_waiting;
};

static bool is_receipt_known(void *arg, const struct conn_key *key)
{
	struct sifting *sifting = arg;
	const struct served_netns *netns = served_find_live(&sifting->daemon->served, key->netns);

	if (netns && netns->is_listed)
		return conn_find(&sifting->daemon->plan.table, key);
	sifting->has_waiting = true;
	return true;
}

void ears_resume(struct daemon *daemon)
{
	struct sifting sifting = {.daemon = daemon};
	int err;

	if (!daemon->hooks.has_earlier)
		return;
	maps_sift_receipts(&daemon->hooks, is_receipt_known, &sifting);
	daemon->hooks.has_earlier = sifting.has_waiting;
	err = ring_hear_all(&daemon->hooks);
	if (err)
		log_error("cannot walk the sockets for what was asked of an earlier daemon: %s",
			strerror(-err));
	expect_turn(daemon);
}

static bool is_netns_known(void *arg, const struct conn_key *key)
{
	struct daemon *daemon = arg;

	return served_find(&daemon->served, key->netns);
}

void ears_leave(struct daemon *daemon)
{
	const struct served *served = &daemon->served;

	/* Else one that is not in the list may live all the same. */
	if (wanted_has_unnamed(served->wanted) && !served->refused && !served->has_said_hidden)
		maps_sift_receipts(&daemon->hooks, is_netns_known, daemon);
}

static void netns_serving(void *owner, struct served_netns *netns)
{
	struct daemon *daemon = owner;

	watchers_tell_netns(&daemon->server, "namespace_served", netns);
	roster_expect(&daemon->detector.roster);
	inquiry_search(&daemon->inquiry, netns);
	hands_act(&daemon->hands);
	if (daemon->has_begun)
		ears_resume(daemon);
}

static void netns_left(void *owner, const struct served_netns *netns)
{
	struct daemon *daemon = owner;

	watchers_tell_netns(&daemon->server, "namespace_left_alone", netns);
}

/*
 * Sockets would keep it alive: a survey's while routers are silent, a listing's while its reader
 * is.
 */
static void netns_vanished(void *owner, const struct served_netns *netns)
{
	struct daemon *daemon = owner;

	scout_forget(&daemon->scout, netns->cookie);
	listings_forget(&daemon->listings, netns->cookie);
}

/* The scout knows more of the paths that this connection may take. */
static void hear_paths(void *owner, const struct conn_key *key)
{
	struct daemon *daemon = owner;
	struct event event = {.kind = EVENT_PATHS, .key = *key, .now_ns = loop_now_ns()};

	carry_out(daemon, &event);
}

/* How far a router on the way of a subflow is. */
static void hear_reached(void *owner, const struct event *event)
{
	carry_out(owner, event);
}

static unsigned int find_egress(
	void *owner, const struct endpoint *local, const struct endpoint *remote)
{
	struct daemon *daemon = owner;

	return hooks_find_egress(&daemon->hooks, local, remote);
}

static unsigned int find_bound(
	void *owner, const struct conn_key *key, const struct endpoint *local)
{
	struct daemon *daemon = owner;

	return inquiry_find_device(&daemon->inquiry, key, local);
}

static uint8_t find_ttl(void *owner, uint64_t netns, const struct endpoint *remote)
{
	struct in6_addr address = path_address(remote);
	struct daemon *daemon = owner;
	struct peer_key key = {.netns = netns};

	memcpy(key.addr, &address, sizeof(key.addr));
	return maps_find_ttl(&daemon->hooks, &key);
}

/* As it is known, or else as the kernel says. */
static bool find_user(void *owner, const struct conn_key *key, uint32_t *ret_uid)
{
	struct daemon *daemon = owner;
	const struct conn *conn = conn_find(&daemon->plan.table, key);

	if (conn && !conn->has_uid) {
		inquiry_find_owner(&daemon->inquiry, key);
		hands_act_soon(&daemon->hands);
		conn = conn_find(&daemon->plan.table, key);
	}
	if (!conn || !conn->has_uid)
		return false;
	*ret_uid = conn->uid;
	return true;
}

static void hear_loss(void *owner)
{
	struct daemon *daemon = owner;
	struct served_netns *netns;

	log_warning("the kernel dropped path-manager events; the connections are listed anew");
	TAILQ_FOREACH (netns, &daemon->served.list, entry) {
		if (netns->state == SERVED_YES)
			inquiry_search(&daemon->inquiry, netns);
	}
	hands_act(&daemon->hands);
}

/* A link leads there, or somebody gave it an id: it may be a new one, without a name. */
static void hear_begin(void *owner, int nsid)
{
	struct daemon *daemon = owner;

	if (!served_find_id(&daemon->served, nsid))
		served_look(&daemon->served);
}

static void hear_end(void *owner, int nsid)
{
	struct daemon *daemon = owner;

	served_end(&daemon->served, nsid);
}

static int read_local_routes(struct daemon *daemon, struct served_netns *netns)
{
	int err = served_enter(netns);

	if (err)
		return err;
	err = locals_read(&daemon->locals, netns->cookie);
	served_leave(netns);
	return err;
}

static void hear_locals(void *owner, int nsid)
{
	struct daemon *daemon = owner;
	struct served_netns *netns = served_find_id(&daemon->served, nsid);
	int err;

	if (!netns || netns->state != SERVED_YES)
		return;
	err = read_local_routes(daemon, netns);
	if (err)
		log_warning("the local addresses of %s cannot be read: %s", netns->name,
			strerror(-err));
}

static void hear_locals_lost(void *owner)
{
	struct daemon *daemon = owner;
	struct served_netns *netns;

	TAILQ_FOREACH (netns, &daemon->served.list, entry)
		hear_locals(owner, netns->nsid);
}

/* What subflows leave from and is local no more: nobody has told of it. */
static void seek_gone(
	struct daemon *daemon, const struct served_netns *netns, struct addresses *ret_addresses)
{
	const struct subflow *subflow;
	struct conn *conn, *next;
	struct endpoint local;

	HASH_ITER (hh, daemon->plan.table.conns, conn, next) {
		if (conn->key.netns != netns->cookie)
			continue;
		TAILQ_FOREACH (subflow, &conn->subflows, entry) {
			local = endpoint_unmap(&subflow->local);
			if (!locals_has(&daemon->locals, netns->cookie, &local))
				addresses_note_gone(ret_addresses, &local);
		}
	}
}

/* Those on devices that are down are seen by themselves. */
static void hear_addresses_lost(void *owner)
{
	struct daemon *daemon = owner;
	struct served_netns *netns;
	struct addresses addresses;

	log_warning("the kernel dropped changes of addresses; they are read anew");
	TAILQ_FOREACH (netns, &daemon->served.list, entry) {
		if (netns->state != SERVED_YES || !conn_table_count(&daemon->plan.table))
			continue;
		addresses = (struct addresses){};
		if (!read_local_routes(daemon, netns))
			seek_gone(daemon, netns, &addresses);
		renew_addresses(daemon, netns, &addresses);
	}
}

static int netns_begun(void *owner, struct served_netns *netns)
{
	struct daemon *daemon = owner;
	int err = read_local_routes(daemon, netns);

	return err ? err : maps_serve(&daemon->hooks, netns->cookie);
}

static void netns_ended(void *owner, const struct served_netns *netns)
{
	struct daemon *daemon = owner;

	listings_forget(&daemon->listings, netns->cookie);
	maps_unserve(&daemon->hooks, netns->cookie);
	locals_forget(&daemon->locals, netns->cookie);
	scout_forget(&daemon->scout, netns->cookie);
	flows_expire(&daemon->detector.flows, netns->cookie, UINT64_MAX);
	plan_forget_netns(&daemon->plan, netns->cookie);
	hands_act(&daemon->hands);
	if (netns->state != SERVED_ALONE)
		watchers_tell_netns(&daemon->server, "namespace_ended", netns);
}

int ears_begin(struct daemon *daemon)
{
	daemon->turn.ready = turn_ready;
	daemon->turn.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return daemon->turn.fd < 0 ? -errno : loop_add(&daemon->loop, &daemon->turn, EPOLLIN);
}

void ears_done(struct daemon *daemon)
{
	requests_done(&daemon->requests);
	if (daemon->turn.fd >= 0)
		close(daemon->turn.fd);
}

void ears_connect(struct daemon *daemon)
{
	daemon->hooks.owner = daemon;
	daemon->hooks.rung = hear_bell;
	daemon->hooks.heard = hear_record;
	daemon->hooks.read = take_turn;
	daemon->hooks.missed = hear_missed;
	daemon->scout.owner = daemon;
	daemon->scout.heard = hear_paths;
	daemon->scout.find_user = find_user;
	daemon->scout.find_egress = find_egress;
	daemon->scout.find_bound = find_bound;
	daemon->scout.find_ttl = find_ttl;
	daemon->reach.owner = daemon;
	daemon->reach.heard = hear_reached;
	daemon->monitor.owner = daemon;
	daemon->monitor.heard = hear_event;
	daemon->monitor.may_rest = may_rest;
	daemon->monitor.may_skip = may_skip;
	daemon->monitor.lost = hear_loss;
	daemon->monitor.begun = hear_begin;
	daemon->monitor.ended = hear_end;
	daemon->addresses.owner = daemon;
	daemon->addresses.changed = hear_addresses;
	daemon->addresses.lost = hear_addresses_lost;
	daemon->locals.owner = daemon;
	daemon->locals.changed = hear_locals;
	daemon->locals.lost = hear_locals_lost;
	daemon->served.owner = daemon;
	daemon->served.begun = netns_begun;
	daemon->served.serving = netns_serving;
	daemon->served.left = netns_left;
	daemon->served.vanished = netns_vanished;
	daemon->served.ended = netns_ended;
}
