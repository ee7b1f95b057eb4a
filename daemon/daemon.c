/* SPDX-License-Identifier: MIT */
/* Ties ears, memory, judgement, hands and window to one loop. */
#include "daemon.h"

#include "base/histogram.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/service.h"
#include "control/paths.h"
#include "control/request.h"
#include "control/server.h"
#include "control/status.h"
#include "control/watch.h"
#include "core/adoption.h"
#include "core/flows.h"
#include "core/multihome.h"
#include "core/order.h"
#include "core/plan.h"
#include "core/sighting.h"
#include "core/wire.h"
#include "kernel/addresses.h"
#include "kernel/calibration.h"
#include "kernel/capture.h"
#include "kernel/census.h"
#include "kernel/cgroup.h"
#include "kernel/claim.h"
#include "kernel/diag.h"
#include "kernel/guardian.h"
#include "kernel/hooks.h"
#include "kernel/locals.h"
#include "kernel/monitor.h"
#include "kernel/netns.h"
#include "kernel/pm.h"
#include "kernel/roster.h"
#include "kernel/scope.h"
#include "kernel/scout.h"
#include "kernel/served.h"
#include "lock.h"
#include "privilege.h"
#include "settings.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/param.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define ERROR_MAX 512

struct daemon {
	struct settings settings;
	const char *config_path;
	char root[PATH_MAX]; /* of cgroup2 */
	int lock_fd;
	struct loop loop;
	struct source signals, timer, guardian_end;
	struct guardian guardian;
	struct genl_family family;
	struct hooks hooks;
	struct monitor monitor;
	struct addresses_watch addresses;
	struct locals locals;
	struct served served;
	struct plan plan;
	struct scope scope;
	uint64_t rules_refused; /* connections whose thresholds found the hooks' map full */
	struct scout scout;
	struct census census;
	struct roster roster;
	struct capture capture;
	struct wire wire;   /* what the capture sees */
	struct flows flows; /* elephants that cannot be treated */
	struct server server;
	struct histogram create_us;
	uint64_t started_ns;
	bool has_begun, is_ending;

	/* The command socket of the namespace that was last acted in, for one batch. */
	struct mnl_socket *hand;
	uint64_t hand_netns;
};

static const char *cgroup_of(const struct daemon *daemon)
{
	return *daemon->settings.cgroup ? daemon->settings.cgroup : daemon->root;
}

/* Nothing is held open inside a namespace between batches: it would keep it alive. */
static void close_hand(struct daemon *daemon)
{
	if (daemon->hand)
		mnl_socket_close(daemon->hand);
	daemon->hand = NULL;
}

/* On the way to each subflow: as few system calls as can be. */
static int open_hand(struct daemon *daemon, uint64_t cookie)
{
	struct served_netns *netns;
	uint64_t found;
	int err;

	if (daemon->hand && daemon->hand_netns == cookie)
		return 0;
	close_hand(daemon);
	netns = served_find(&daemon->served, cookie);
	if (!netns || netns->state != SERVED_YES)
		return -ENONET;
	err = netns->is_unnamed ? served_enter(netns) : netns_enter(netns->path, 0);
	if (err)
		return -ENONET;
	err = genl_open(NETLINK_GENERIC, &daemon->hand);
	if (*netns->path)
		netns_leave();
	if (err)
		return err;
	daemon->hand_netns = cookie;
	/* Another namespace may have taken over the name a moment ago. */
	err = netns_cookie_of(mnl_socket_get_fd(daemon->hand), &found);
	if (!err && found != cookie)
		err = -ENONET;
	if (err)
		close_hand(daemon);
	return err;
}

static void answer(
	struct daemon *daemon, const struct action *action, enum event_kind kind, int err)
{
	struct event event = {.kind = kind,
		.key = action->key,
		.now_ns = loop_now_ns(),
		.serial = action->serial,
		.error = -err};

	plan_hear(&daemon->plan, &event);
}

/* The device of a connection's link-local address, which means nothing without. */
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

static uint32_t device_of(struct daemon *daemon, const struct action *action)
{
	struct device_search search = {.token = action->key.token, .local = action->local};
	struct served_netns *netns = served_find(&daemon->served, action->key.netns);

	if (!endpoint_is_link_local(&action->local) || !netns || served_enter(netns))
		return 0;
	diag_dump_subflows(find_device, &search);
	if (*netns->path)
		netns_leave();
	return search.device;
}

static void create(struct daemon *daemon, struct action action)
{
	uint32_t device = device_of(daemon, &action);
	int err = open_hand(daemon, action.key.netns);

	/* Up to the command: what the kernel does with it is the handshake's time, not ours. */
	if (!err && action.cause_ns)
		histogram_add(&daemon->create_us, (loop_now_ns() - action.cause_ns) / 1000);
	if (!err)
		err = pm_create(daemon->hand, &daemon->family, action.key.token, &action.local,
			&action.remote, action.id, device);
	if (err)
		log_debug("SUBFLOW_CREATE token %08x: %s", action.key.token, strerror(-err));
	answer(daemon, &action, EVENT_CREATE_DONE, err);
}

static void destroy(struct daemon *daemon, struct action action)
{
	int err = open_hand(daemon, action.key.netns);

	if (!err)
		err = pm_destroy(daemon->hand, &daemon->family, action.key.token, &action.local,
			&action.remote);
	if (err)
		log_debug("SUBFLOW_DESTROY token %08x: %s", action.key.token, strerror(-err));
	answer(daemon, &action, EVENT_DESTROY_DONE, err);
}

static int read_addresses(struct daemon *daemon, uint64_t cookie, struct addresses *addresses)
{
	struct served_netns *netns = served_find(&daemon->served, cookie);
	int err = -ENONET;

	if (netns && netns->state == SERVED_YES)
		err = served_enter(netns);
	if (err)
		return err;
	err = addresses_read(addresses);
	if (*netns->path)
		netns_leave();
	return err;
}

static void read_locals(struct daemon *daemon, struct action action)
{
	struct addresses addresses = {};
	int err = read_addresses(daemon, action.key.netns, &addresses);

	plan_hear(&daemon->plan, &(struct event){.kind = EVENT_LOCALS,
					 .key = action.key,
					 .now_ns = loop_now_ns(),
					 .locals = addresses.usable,
					 .n_locals = addresses.n_usable,
					 .error = -err});
}

/* Whose connection it is, as the kernel says. */
static void find_owner(struct daemon *daemon, struct action action)
{
	struct served_netns *netns = served_find(&daemon->served, action.key.netns);
	struct event event = {
		.kind = EVENT_OWNER, .key = action.key, .now_ns = loop_now_ns(), .error = ENONET};
	struct diag_conn conn = {};
	bool is_inside = netns && netns->state == SERVED_YES && !served_enter(netns);

	if (is_inside)
		event.error = -diag_find(action.key.token, &conn);
	event.uid = conn.uid;
	event.excluded = scope_excluded(&daemon->scope, netns ? netns->name : "", &conn);
	if (is_inside && *netns->path)
		netns_leave();
	plan_hear(&daemon->plan, &event);
}

static void announce(struct daemon *daemon, struct action action)
{
	int err = open_hand(daemon, action.key.netns);

	if (!err)
		err = pm_announce(
			daemon->hand, &daemon->family, action.key.token, &action.local, action.id);
	if (err)
		log_debug("ANNOUNCE token %08x id %u: %s", action.key.token, action.id,
			strerror(-err));
}

static void set_backup(struct daemon *daemon, struct action action)
{
	int err = open_hand(daemon, action.key.netns);

	if (!err)
		err = pm_set_backup(daemon->hand, &daemon->family, action.key.token, &action.local,
			&action.remote, action.is_backup);
	if (err)
		log_debug("SET_FLAGS token %08x: %s", action.key.token, strerror(-err));
}

static void withdraw(struct daemon *daemon, struct action action)
{
	int err = open_hand(daemon, action.key.netns);

	if (!err)
		err = pm_withdraw(daemon->hand, &daemon->family, action.key.token, action.id);
	if (err)
		log_debug(
			"REMOVE token %08x id %u: %s", action.key.token, action.id, strerror(-err));
}

/* One list of a namespace's connections. */
struct search {
	struct daemon *daemon;
	uint64_t netns;
	const char *name;
};

static void found(void *arg, const struct diag_conn *conn)
{
	const struct search *search = arg;
	struct scope *scope = &search->daemon->scope;
	struct event event = {.kind = EVENT_FOUND,
		.key = {.netns = search->netns, .token = conn->token},
		.now_ns = loop_now_ns(),
		.local = conn->local,
		.remote = conn->remote,
		.uid = conn->uid,
		.excluded = scope_excluded(scope, search->name, conn)};
	struct hooks *hooks = &search->daemon->hooks;

	event.has_receipt =
		hooks->has_earlier && !hooks_get_receipt(hooks, &event.key, &event.receipt);
	plan_hear(&search->daemon->plan, &event);
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
		.is_server = subflow->is_server,
		.is_opening = subflow->is_opening};

	plan_hear(&search->daemon->plan, &event);
}

/* Takes up what the kernel lists and nobody has told of. */
static void search(struct daemon *daemon, struct served_netns *netns)
{
	struct search search = {.daemon = daemon, .netns = netns->cookie, .name = netns->name};
	int err = served_enter(netns);

	if (err)
		return;
	adoption_begin(&daemon->plan, netns->cookie);
	err = diag_dump(found, &search);
	if (!err)
		err = diag_dump_subflows(found_subflow, &search);
	if (*netns->path)
		netns_leave();
	if (err)
		log_warning("connections that are open in %s already cannot be listed: %s",
			netns->name, strerror(-err));
	else
		adoption_end(&daemon->plan, netns->cookie);
	census_expect(&daemon->census);
}

static void search_again(struct daemon *daemon, struct action action)
{
	struct served_netns *netns = served_find(&daemon->served, action.key.netns);

	if (netns && netns->state == SERVED_YES)
		search(daemon, netns);
}

static void claim(struct daemon *daemon, struct action action)
{
	int err = open_hand(daemon, action.key.netns);

	if (!err)
		err = pm_claim(daemon->hand, &daemon->family, action.key.token, &action.local,
			&action.remote);
	answer(daemon, &action, EVENT_CLAIM_DONE, err);
}

static void listen_again(struct daemon *daemon, struct action action)
{
	struct served_netns *netns = served_find(&daemon->served, action.key.netns);
	bool is_silent = true;
	int err;

	if (!netns || netns->state != SERVED_YES || served_enter(netns))
		return;
	err = diag_is_silent(
		&action.local, &action.remote, daemon->settings.rto_min_ms, &is_silent);
	netns_leave();
	/* Where the kernel cannot tell, its timeout alone counts. */
	if (err != -ENOENT)
		answer(daemon, &action, EVENT_LISTEN_DONE, is_silent ? 0 : -EAGAIN);
}

static void survey(struct daemon *daemon, struct action action)
{
	struct ports ports;

	/* Who draws ports by lot needs to know no more than which there are. */
	if (daemon->plan.steer.mode == STEER_RANDOM) {
		if (!scout_read_ports(&daemon->scout, action.key.netns, &ports))
			steer_set_ports(&daemon->plan.steer, action.key.netns, &ports);
		answer(daemon, &action, EVENT_PATHS, 0);
		return;
	}
	if (scout_survey(&daemon->scout, &action))
		answer(daemon, &action, EVENT_PATHS, 0);
}

static void arm_timer(struct daemon *daemon, uint64_t deadline_ns)
{
	struct itimerspec when = {.it_value = {.tv_sec = deadline_ns / 1000000000,
					  .tv_nsec = deadline_ns % 1000000000}};

	timerfd_settime(daemon->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static uint64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Tells those who watch what has happened. */
static void tell_news(struct daemon *daemon)
{
	const struct served_netns *netns;
	const struct news *news;
	const struct conn *conn;
	const uint32_t *uid;
	uint64_t lost;
	char *line;

	while ((news = news_next(&daemon->plan.news))) {
		netns = served_find(&daemon->served, news->key.netns);
		/* Meanwhile it may be known whose it is. */
		conn = conn_find(&daemon->plan.table, &news->key);
		uid = news->has_uid ? &news->uid : conn && conn->has_uid ? &conn->uid : NULL;
		line = watch_write_news(news, netns ? netns->name : NULL, clock_us());
		if (line)
			server_tell(&daemon->server, uid, line);
		free(line);
	}
	lost = news_take_lost(&daemon->plan.news);
	if (lost)
		server_tell_lost(&daemon->server, lost);
	daemon->plan.news.is_wanted = daemon->server.watchers;
	daemon->plan.wants_owners = daemon->server.user_watchers;
}

static void tell_netns(struct daemon *daemon, const char *event, const struct served_netns *netns)
{
	char *line;

	if (!daemon->server.watchers)
		return;
	line = watch_write_netns(event, netns->name, netns->why, clock_us());
	if (line)
		server_tell_all(&daemon->server, line);
	free(line);
}

/* Carries out what the judgement wants; results go back to it as events. */
static void act(struct daemon *daemon)
{
	const struct action *action;

	while ((action = plan_next(&daemon->plan))) {
		switch (action->kind) {
		case ACTION_CREATE:
			create(daemon, *action);
			break;
		case ACTION_DESTROY:
			destroy(daemon, *action);
			break;
		case ACTION_ANNOUNCE:
			announce(daemon, *action);
			break;
		case ACTION_WITHDRAW:
			withdraw(daemon, *action);
			break;
		case ACTION_BACKUP:
			set_backup(daemon, *action);
			break;
		case ACTION_LOCALS:
			read_locals(daemon, *action);
			break;
		case ACTION_RULE:
			if (hooks_put_rule(&daemon->hooks, &action->key, &action->rule))
				daemon->rules_refused++;
			break;
		case ACTION_OWNER:
			find_owner(daemon, *action);
			break;
		case ACTION_SEARCH:
			search_again(daemon, *action);
			break;
		case ACTION_CLAIM:
			claim(daemon, *action);
			break;
		case ACTION_LISTEN:
			listen_again(daemon, *action);
			break;
		case ACTION_SURVEY:
			survey(daemon, *action);
			break;
		case ACTION_RECEIPT:
			if (hooks_put_receipt(&daemon->hooks, &action->key, &action->receipt))
				log_warning("no room for the receipt of connection %08x",
					action->key.token);
			break;
		case ACTION_FORGET:
			/* At our end it is not the connection that has gone. */
			if (!daemon->is_ending)
				hooks_drop_receipt(&daemon->hooks, &action->key);
			hooks_drop_rule(&daemon->hooks, &action->key);
			break;
		}
	}
	close_hand(daemon);
	hooks_set_full(
		&daemon->hooks, conn_table_count(&daemon->plan.table) >= daemon->plan.table.limit);
	tell_news(daemon);
	if (!TAILQ_EMPTY(&daemon->plan.table.retries))
		arm_timer(daemon, plan_tick(&daemon->plan, 0));
}

static void timer_ready(struct source *source, uint32_t events)
{
	struct daemon *daemon = SOURCE_OWNER(source, struct daemon, timer);
	uint64_t expirations;

	(void)events;
	if (read(source->fd, &expirations, sizeof(expirations)) < 0)
		return;
	plan_tick(&daemon->plan, loop_now_ns());
	act(daemon);
}

static void hear_record(void *owner, const struct event *event)
{
	struct daemon *daemon = owner;

	if (event->kind == EVENT_STRANGER) {
		served_look(&daemon->served);
		return;
	}
	if (event->kind == EVENT_FLOW) {
		roster_ask(&daemon->roster, event->key.netns);
		return;
	}
	/* The walk shows sockets without a connection too. */
	if (!event->key.token || !served_find(&daemon->served, event->key.netns))
		return;
	if (event->kind == EVENT_THRESHOLD)
		log_debug("threshold token %08x threshold %" PRIu64 " bytes %" PRIu64
			  " noticed %" PRIu64,
			event->key.token, event->threshold, event->bytes, event->now_ns);
	plan_hear(&daemon->plan, event);
	act(daemon);
}

static void hear_event(void *owner, int nsid, struct event *event)
{
	struct daemon *daemon = owner;
	struct served_netns *netns = served_find_id(&daemon->served, nsid);

	if (!netns || netns->state == SERVED_ALONE)
		return;
	/* What was asked for and recorded earlier counts when the connection comes up. */
	if (event->kind == EVENT_ESTABLISHED)
		hooks_drain(&daemon->hooks);
	event->key.netns = netns->cookie;
	event->now_ns = loop_now_ns();
	log_debug("event %d token %08x error %d reset reason %d", event->kind, event->key.token,
		event->error, event->reset_reason);
	plan_hear(&daemon->plan, event);
	act(daemon);
	if ((event->kind == EVENT_CREATED || event->kind == EVENT_ESTABLISHED) && !event->is_server)
		census_expect(&daemon->census);
}

static void hear_threshold(void *owner, const struct event *event)
{
	struct daemon *daemon = owner;

	plan_hear(&daemon->plan, event);
}

static void hear_packet(void *owner, const struct packet *packet)
{
	char from[ENDPOINT_TEXT_MAX], to[ENDPOINT_TEXT_MAX];
	struct daemon *daemon = owner;
	uint64_t now_ns = loop_now_ns();
	struct wire_flow *flow = wire_hear(&daemon->wire, packet, now_ns);

	if (!flow)
		return;
	if (sighting_hear(&daemon->plan, &daemon->wire, flow, daemon->settings.downloads, now_ns))
		log_info("an elephant that cannot be treated passes by: %s and %s",
			endpoint_text(&flow->ends[0], from), endpoint_text(&flow->ends[1], to));
	act(daemon);
}

static void look_at_wire(void *owner)
{
	struct daemon *daemon = owner;

	sighting_tick(&daemon->plan, &daemon->wire, &daemon->flows, loop_now_ns());
}

static void census_looked(void *owner)
{
	act(owner);
}

/* No connection, no reading: devices come and go by the hundred where containers do. */
static void hear_addresses(void *owner, int nsid, struct addresses *addresses)
{
	struct daemon *daemon = owner;
	struct served_netns *netns = served_find_id(&daemon->served, nsid);

	if (!netns || !conn_table_count(&daemon->plan.table) ||
		read_addresses(daemon, netns->cookie, addresses))
		return;
	multihome_hear(&daemon->plan, netns->cookie,
		&(struct multihome_change){.gone = addresses->gone,
			.n_gone = addresses->n_gone,
			.usable = addresses->usable,
			.n_usable = addresses->n_usable});
	act(daemon);
}

static bool is_receipt_known(void *arg, const struct conn_key *key)
{
	struct daemon *daemon = arg;

	return !served_find(&daemon->served, key->netns) || conn_find(&daemon->plan.table, key);
}

/* Carries out what applications had asked of an earlier daemon. */
static void resume(struct daemon *daemon)
{
	int err;

	if (!daemon->hooks.has_earlier)
		return;
	hooks_sift_receipts(&daemon->hooks, is_receipt_known, daemon);
	err = hooks_hear_all(&daemon->hooks);
	if (err)
		log_error("cannot walk the sockets for what was asked of an earlier daemon: %s",
			strerror(-err));
}

static void netns_serving(void *owner, struct served_netns *netns)
{
	struct daemon *daemon = owner;

	tell_netns(daemon, "namespace_served", netns);
	roster_expect(&daemon->roster);
	search(daemon, netns);
	act(daemon);
	if (daemon->has_begun)
		resume(daemon);
}

static void netns_left(void *owner, const struct served_netns *netns)
{
	tell_netns(owner, "namespace_left_alone", netns);
}

/* The scout knows more of the paths that this connection may take. */
static void hear_paths(void *owner, const struct conn_key *key)
{
	struct daemon *daemon = owner;
	struct event event = {.kind = EVENT_PATHS, .key = *key, .now_ns = loop_now_ns()};

	plan_hear(&daemon->plan, &event);
	act(daemon);
}

static void hear_loss(void *owner)
{
	struct daemon *daemon = owner;
	struct served_netns *netns;

	log_warning("the kernel dropped path-manager events; the connections are listed anew");
	TAILQ_FOREACH (netns, &daemon->served.list, entry) {
		if (netns->state == SERVED_YES)
			search(daemon, netns);
	}
	act(daemon);
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
	if (*netns->path)
		netns_leave();
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

static int netns_begun(void *owner, struct served_netns *netns)
{
	struct daemon *daemon = owner;
	int err = read_local_routes(daemon, netns);

	return err ? err : hooks_serve(&daemon->hooks, netns->cookie);
}

static void netns_ended(void *owner, const struct served_netns *netns)
{
	struct daemon *daemon = owner;

	hooks_unserve(&daemon->hooks, netns->cookie);
	locals_forget(&daemon->locals, netns->cookie);
	scout_forget(&daemon->scout, netns->cookie);
	flows_expire(&daemon->flows, netns->cookie, UINT64_MAX);
	plan_forget_netns(&daemon->plan, netns->cookie);
	act(daemon);
	if (netns->state != SERVED_ALONE)
		tell_netns(daemon, "namespace_ended", netns);
}

static void found_owner(void *arg, const struct diag_conn *conn)
{
	const struct search *search = arg;
	struct scope *scope = &search->daemon->scope;
	struct event event = {.kind = EVENT_OWNER,
		.key = {.netns = search->netns, .token = conn->token},
		.now_ns = loop_now_ns(),
		.uid = conn->uid,
		.excluded = scope_excluded(scope, search->name, conn)};

	plan_hear(&search->daemon->plan, &event);
}

/* Whose the connections are that are there, and so which rules hold for them. */
static void learn_owners(struct daemon *daemon)
{
	struct served_netns *netns;
	struct search search = {.daemon = daemon};
	int err;

	TAILQ_FOREACH (netns, &daemon->served.list, entry) {
		search.netns = netns->cookie;
		search.name = netns->name;
		if (netns->state != SERVED_YES || served_enter(netns))
			continue;
		err = diag_dump(found_owner, &search);
		if (*netns->path)
			netns_leave();
		if (err)
			log_warning(
				"whose the connections in %s are cannot be found out: %s; rules "
				"and watching users miss them",
				netns->name, strerror(-err));
	}
	act(daemon);
}

static char *begin_watch(struct daemon *daemon, const struct peer *peer, bool *ret_stays)
{
	if (!peer->is_operator && !daemon->plan.wants_owners) {
		/* From now on that of each new one is found out too. */
		daemon->plan.wants_owners = true;
		learn_owners(daemon);
	}
	*ret_stays = daemon->plan.news.is_wanted = true;
	return watch_write_begin(clock_us());
}

static char *tell_lost(void *owner, uint64_t count)
{
	(void)owner;
	return watch_write_lost(count, clock_us());
}

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

static struct hook_config hook_config_of(const struct settings *settings)
{
	return (struct hook_config){
		.gate = find_gate(settings),
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
	};
}

static struct elephant_rule rule_of(const struct settings *settings)
{
	return (struct elephant_rule){
		.start_bytes = settings->start_bytes,
		.step_bytes = settings->step_bytes,
		.stop_bytes = settings->stop_bytes,
		.max_subflows = settings->elephant_subflows,
		.on_single_path = settings->single_path,
	};
}

/* What may change while the daemon runs, but for the hooks' part; also at the start. */
static void apply_settings(struct daemon *daemon)
{
	const struct settings *settings = &daemon->settings;

	daemon->plan.rule = rule_of(settings);
	daemon->plan.policy =
		(struct policy){.ndiffports = settings->ndiffports, .fullmesh = settings->fullmesh};
	daemon->plan.refusals.rule = (struct refusals_rule){
		.most = settings->refusals, .hold_ns = settings->hold_s * 1000000000ull};
	daemon->plan.does_repair = settings->rto_min_ms;
	daemon->plan.max_subflows = settings->max_subflows;
	daemon->plan.steer.mode = settings_placement(settings);
	daemon->scout.probes_per_second = settings->probes_per_second;
	prefixes_read(settings->probe_prefixes, &daemon->scout.prefixes);
	daemon->census.downloads = settings->downloads;
	daemon->census.care = (struct progress_care){
		.late_bytes = settings->step_bytes / 100 * settings->late_percent,
		.most_ns = settings->interval_ms * 1000000ull};
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
	scope_set(&daemon->scope, scopes, count);
	rules_set(&daemon->plan, rules, count);
	if (count)
		learn_owners(daemon);
}

/* Takes @next over. @ret_said: what cannot change while the daemon runs, or is empty. */
static int change_settings(
	struct daemon *daemon, struct settings *next, char *ret_said, size_t size)
{
	bool is_served_otherwise = strcmp(next->serve, daemon->settings.serve) ||
				   next->take_over != daemon->settings.take_over;
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
	config = hook_config_of(&daemon->settings);
	hooks_set_config(&daemon->hooks, &config);
	census_expect(&daemon->census);
	sighting_renew(&daemon->plan, &daemon->wire);
	if (is_served_otherwise)
		served_rescan(&daemon->served);
	snprintf(ret_said, size, "%s%s%s",
		*fixed ? "; as before until subflowd is restarted: " : "", fixed,
		is_served_otherwise ? "; namespaces that are served, or were left alone, stay so "
				      "until subflowd is restarted"
				    : "");
	return 0;
}

/* Reads the configuration again. @ret_said: what came of it. On error nothing has changed. */
static int reload(struct daemon *daemon, char *ret_said, size_t size)
{
	struct settings next;
	char notes[300];
	int err;

	if (!daemon->config_path) {
		snprintf(ret_said, size, "subflowd was started without --config");
		return -ENOENT;
	}
	err = settings_init(&next);
	if (!err)
		err = settings_read(&next, daemon->config_path, ret_said, size);
	else
		snprintf(ret_said, size, "%s", strerror(-err));
	if (err)
		return err;
	err = change_settings(daemon, &next, notes, sizeof(notes));
	settings_done(&next);
	if (err)
		snprintf(ret_said, size, "%s", strerror(-err));
	else
		snprintf(ret_said, size, "read %s%s", daemon->config_path, notes);
	return err;
}

static int set(struct daemon *daemon, const struct command *command, char *ret_said, size_t size)
{
	struct settings next;
	char notes[300];
	int err = settings_copy(&daemon->settings, &next);

	if (err) {
		snprintf(ret_said, size, "%s", strerror(-err));
		return err;
	}
	err = settings_set(&next, command->key, command->value, ret_said, size);
	if (!err) {
		err = change_settings(daemon, &next, notes, sizeof(notes));
		snprintf(ret_said, size, "%s%s", err ? strerror(-err) : "set", err ? "" : notes);
	}
	settings_done(&next);
	return err;
}

/* The connection that a request names. -ENOENT, -ENOTUNIQ, with @ret_said filled. */
static int find_named(struct daemon *daemon, const struct command *command, struct conn **ret_conn,
	char *ret_said, size_t size)
{
	struct conn_key key = {.token = command->token};
	const struct served_netns *netns;
	struct conn *conn, *found = NULL;
	unsigned int count = 0;

	TAILQ_FOREACH (netns, &daemon->served.list, entry) {
		if (command->namespace_name && strcmp(command->namespace_name, netns->name))
			continue;
		key.netns = netns->cookie;
		conn = conn_find(&daemon->plan.table, &key);
		if (!conn || !conn->is_created)
			continue;
		found = conn;
		count++;
	}
	if (count != 1) {
		snprintf(ret_said, size,
			count ? "several namespaces have a connection %08x: say NAMESPACE/TOKEN"
			      : "no connection %08x that can be changed; `subflow status` lists "
				"all",
			command->token);
		return count ? -ENOTUNIQ : -ENOENT;
	}
	*ret_conn = found;
	return 0;
}

static int order(struct daemon *daemon, const struct command *command, char *ret_said, size_t size)
{
	struct conn_key key;
	struct conn *conn;
	const char *why;
	int err = find_named(daemon, command, &conn, ret_said, size);

	if (err)
		return err;
	key = conn->key;
	err = command->kind == COMMAND_ADD
		      ? order_add(&daemon->plan, conn, command->count, loop_now_ns(), &why)
		      : order_remove(&daemon->plan, conn, command->count, loop_now_ns(), &why);
	if (err) {
		snprintf(ret_said, size, "%s", why);
		return err;
	}
	act(daemon);
	conn = conn_find(&daemon->plan.table, &key);
	snprintf(ret_said, size, "%s", conn ? conn->why : "it is closed");
	return 0;
}

/* What operators alone may do. */
static char *change(struct daemon *daemon, const struct peer *peer, const struct command *command)
{
	char said[ERROR_MAX + 300] = "";
	int err;

	if (!peer->is_operator)
		return status_write_error("not permitted: ask as root, or as a member of the group "
					  "that [control] group names");
	if (command->kind == COMMAND_RELOAD)
		err = reload(daemon, said, sizeof(said));
	else if (command->kind == COMMAND_SET)
		err = set(daemon, command, said, sizeof(said));
	else
		err = order(daemon, command, said, sizeof(said));
	if (command->kind != COMMAND_SET)
		log_info("%s by user %u: %s", command->kind == COMMAND_RELOAD ? "reload" : "order",
			peer->uid, said);
	else
		log_info("%s = %s by user %u: %s", command->key, command->value, peer->uid, said);
	return err ? status_write_error(said) : status_write_done(said);
}

static char *answer_request(
	void *owner, const struct peer *peer, const char *request, bool *ret_stays)
{
	struct daemon *daemon = owner;
	struct status_view view = {
		.peer = peer,
		.settings = &daemon->settings,
		.config_path = daemon->config_path,
		.cgroup = cgroup_of(daemon),
		.plan = &daemon->plan,
		.served = &daemon->served,
		.hooks = &daemon->hooks,
		.monitor = &daemon->monitor,
		.scout = &daemon->scout.counters,
		.census = &daemon->census,
		.flows = &daemon->flows,
		.capture = &daemon->capture,
		.wire = &daemon->wire,
		.server = &daemon->server,
		.rules_refused = daemon->rules_refused,
		.create_us = &daemon->create_us,
		.locals_refused = daemon->locals.refused,
		.started_ns = daemon->started_ns,
	};
	char line[REQUEST_BYTES_MAX];
	struct command command;
	const char *why;

	snprintf(line, sizeof(line), "%s", request);
	if (request_parse(line, &command, &why))
		return status_write_error(why);
	if (command.kind == COMMAND_STATUS)
		return status_write(&view);
	if (command.kind == COMMAND_PATHS)
		return paths_write(peer, &daemon->plan, &daemon->served);
	if (command.kind == COMMAND_WATCH)
		return begin_watch(daemon, peer, ret_stays);
	return change(daemon, peer, &command);
}

static void signals_ready(struct source *source, uint32_t events)
{
	struct daemon *daemon = SOURCE_OWNER(source, struct daemon, signals);
	struct signalfd_siginfo info;
	char said[ERROR_MAX + 300] = "";

	(void)events;
	if (read(source->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo != SIGHUP)
		loop_stop(&daemon->loop);
	else if (reload(daemon, said, sizeof(said)))
		log_error("nothing was changed: %s", said);
	else
		log_info("%s", said);
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
	err = guardian_start(&daemon->guardian, daemon->served.claims_fd, daemon->lock_fd);
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

static int watch_timer(struct daemon *daemon)
{
	daemon->timer.ready = timer_ready;
	daemon->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (daemon->timer.fd < 0)
		return -errno;
	return loop_add(&daemon->loop, &daemon->timer, EPOLLIN);
}

static int load_hooks(struct daemon *daemon)
{
	const struct settings *settings = &daemon->settings;
	struct hook_config config = hook_config_of(settings);
	char error[ERROR_MAX];
	uint64_t mask;
	int err;

	hooks_keep(&daemon->hooks, settings->socket);
	err = hooks_load(&daemon->hooks, &config, settings->ring_bytes, settings->max_connections,
		error, sizeof(error));
	if (err) {
		log_error("%s", error);
		return err;
	}
	err = calibration_run(&daemon->hooks, &mask);
	if (err) {
		log_error("cannot find out how this kernel marks a connection that fell back to "
			  "TCP: %s; `subflow doctor` tells more",
			strerror(-err));
		return err;
	}
	hooks_set_fallback_mask(&daemon->hooks, mask);
	daemon->hooks.owner = daemon;
	daemon->hooks.heard = hear_record;
	return 0;
}

static int begin_scout(struct daemon *daemon)
{
	daemon->scout.loop = &daemon->loop;
	daemon->scout.served = &daemon->served;
	daemon->scout.paths = &daemon->plan.steer.paths;
	daemon->scout.owner = daemon;
	daemon->scout.heard = hear_paths;
	return scout_init(&daemon->scout, &daemon->plan.steer.random);
}

static int begin_roster(struct daemon *daemon, bool is_on_call)
{
	daemon->roster.is_on_call = is_on_call;
	daemon->roster.loop = &daemon->loop;
	daemon->roster.served = &daemon->served;
	daemon->roster.flows = &daemon->flows;
	daemon->roster.rule = &daemon->plan.rule;
	return roster_init(&daemon->roster);
}

static int begin_diag(struct daemon *daemon)
{
	int err;

	daemon->census.loop = &daemon->loop;
	daemon->census.served = &daemon->served;
	daemon->census.plan = &daemon->plan;
	daemon->census.owner = daemon;
	daemon->census.heard = hear_threshold;
	daemon->census.looked = census_looked;
	err = census_init(&daemon->census);
	return err ? err : begin_roster(daemon, false);
}

static int begin_capture(struct daemon *daemon)
{
	uint64_t seed;
	int err;

	if (getrandom(&seed, sizeof(seed), 0) < 0)
		return -errno;
	err = wire_init(&daemon->wire, WIRE_MAX, seed, rules_earliest(&daemon->plan)->start_bytes);
	if (err)
		return err;
	daemon->capture.loop = &daemon->loop;
	daemon->capture.owner = daemon;
	daemon->capture.heard = hear_packet;
	daemon->capture.tick = look_at_wire;
	return capture_init(&daemon->capture, daemon->settings.interfaces);
}

static int begin_detector(struct daemon *daemon)
{
	switch (settings_source(&daemon->settings)) {
	case SOURCE_BPF: /* the hooks' part, but for what they cannot tell of plain TCP */
		return begin_roster(daemon, true);
	case SOURCE_CAPTURE:
		return begin_capture(daemon);
	case SOURCE_DIAG:
		return begin_diag(daemon);
	}
	return -EINVAL;
}

/* Ears first, hooks last: nothing is answered before everything that follows can be heard. */
static int begin(struct daemon *daemon)
{
	const struct settings *settings = &daemon->settings;
	const struct elephant_rule rule = rule_of(settings);
	struct rule *rules = NULL;
	char error[ERROR_MAX];
	uint32_t n_rules = 0;
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
	err = plan_init(&daemon->plan, &rule, settings->max_subflows, settings->max_connections);
	apply_settings(daemon);
	if (!err)
		err = settings_rules(settings, &rules, &n_rules);
	apply_rules(daemon, rules, n_rules);
	if (!err)
		err = watch_signals(daemon);
	if (!err)
		err = watch_timer(daemon);
	if (!err)
		err = begin_scout(daemon);
	if (!err)
		err = begin_detector(daemon);
	if (!err)
		err = watch_guardian(daemon);
	if (err) {
		log_error("%s", strerror(-err));
		return err;
	}
	daemon->monitor.owner = daemon;
	daemon->monitor.heard = hear_event;
	daemon->monitor.lost = hear_loss;
	daemon->monitor.begun = hear_begin;
	daemon->monitor.ended = hear_end;
	err = monitor_init(&daemon->monitor, &daemon->loop, &daemon->family);
	if (err) {
		log_error("cannot listen for path-manager events: %s", strerror(-err));
		return err;
	}
	daemon->addresses.owner = daemon;
	daemon->addresses.changed = hear_addresses;
	err = addresses_watch_init(&daemon->addresses, &daemon->loop);
	if (err) {
		log_error("cannot listen for changes of addresses: %s", strerror(-err));
		return err;
	}
	daemon->locals.hooks = &daemon->hooks;
	daemon->locals.owner = daemon;
	daemon->locals.changed = hear_locals;
	daemon->locals.lost = hear_locals_lost;
	err = locals_init(&daemon->locals, &daemon->loop);
	if (err) {
		log_error("cannot listen for changes of local routes: %s", strerror(-err));
		return err;
	}
	daemon->server.owner = daemon;
	daemon->server.answer = answer_request;
	daemon->server.tell_lost = tell_lost;
	err = server_init(&daemon->server, &daemon->loop, settings->socket);
	if (err) {
		log_error("[control] socket = %s: %s%s", settings->socket, strerror(-err),
			err == -EADDRINUSE ? "; another subflowd answers there" : "");
		return err;
	}
	daemon->hooks.hears_strangers = served_wants_unnamed(settings->serve);
	err = hooks_attach(&daemon->hooks, &daemon->loop, daemon->root, cgroup_of(daemon), error,
		sizeof(error));
	if (err) {
		log_error("%s", error);
		return err;
	}
	if (daemon->served.claims_fd < 0)
		log_warning("%s: %s; whether another subflowd serves a namespace is not known",
			CLAIM_FILE, strerror(-daemon->served.claims_fd));
	daemon->served.monitor = &daemon->monitor;
	daemon->served.guardian = &daemon->guardian;
	daemon->served.owner = daemon;
	daemon->served.begun = netns_begun;
	daemon->served.serving = netns_serving;
	daemon->served.left = netns_left;
	daemon->served.ended = netns_ended;
	err = served_init(&daemon->served, &daemon->loop);
	if (err) {
		log_error("cannot watch for network namespaces: %s", strerror(-err));
		return err;
	}
	daemon->has_begun = true;
	resume(daemon);
	return 0;
}

static void end(struct daemon *daemon)
{
	daemon->is_ending = true;
	if (daemon->hooks.skeleton) {
		hooks_unpin(&daemon->hooks);
		served_done(&daemon->served);
		server_done(&daemon->server);
		addresses_watch_done(&daemon->addresses);
		locals_done(&daemon->locals);
		monitor_done(&daemon->monitor);
		capture_done(&daemon->capture);
		wire_done(&daemon->wire);
		roster_done(&daemon->roster);
		census_done(&daemon->census);
		flows_done(&daemon->flows);
		scout_done(&daemon->scout);
		plan_done(&daemon->plan);
		scope_set(&daemon->scope, NULL, 0);
		hooks_done(&daemon->hooks);
	}
	if (daemon->timer.fd >= 0)
		close(daemon->timer.fd);
	if (daemon->signals.fd >= 0)
		close(daemon->signals.fd);
	loop_done(&daemon->loop);
}

static int prepare(struct daemon *daemon)
{
	char error[ERROR_MAX];
	int err;

	err = settings_init(&daemon->settings);
	if (err) {
		log_error("%s", strerror(-err));
		return err;
	}
	if (daemon->config_path) {
		err = settings_read(&daemon->settings, daemon->config_path, error, sizeof(error));
		if (err) {
			log_error("%s", error);
			return err;
		}
	}
	err = privilege_drop(served_wants_unnamed(daemon->settings.serve));
	if (err) {
		log_error(
			"cannot give up the capabilities that are not needed: %s", strerror(-err));
		return err;
	}
	err = cgroup_find_root("/proc/self/mounts", daemon->root, sizeof(daemon->root));
	if (err) {
		log_error("no cgroup2 file system is mounted, which the hooks attach to: mount -t "
			  "cgroup2 none /sys/fs/cgroup/unified");
		return err;
	}
	err = lock_take(daemon->settings.socket, &daemon->lock_fd, error, sizeof(error));
	if (err) {
		log_error("%s", error);
		return err;
	}
	err = netns_init();
	if (!err)
		err = loop_init(&daemon->loop);
	daemon->served.claims_fd = claim_open(CLAIM_FILE);
	/* Before there is anything else that it could inherit. */
	if (!err)
		err = guardian_start(&daemon->guardian, daemon->served.claims_fd, daemon->lock_fd);
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

int daemon_run(const char *config_path)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));
	int err;

	if (!daemon)
		return EXIT_FAILURE;
	daemon->config_path = config_path;
	daemon->lock_fd = daemon->guardian.fd = daemon->timer.fd = daemon->signals.fd = -1;
	daemon->served.mounts.fd = daemon->served.claims_fd = daemon->server.source.fd = -1;
	daemon->guardian_end.ready = guardian_ended;
	daemon->started_ns = loop_now_ns();
	daemon->scout.timer.fd = daemon->census.timer.fd = daemon->roster.timer.fd =
		daemon->capture.timer.fd = -1;
	TAILQ_INIT(&daemon->scout.sessions);
	TAILQ_INIT(&daemon->served.list);
	TAILQ_INIT(&daemon->server.clients);
	conn_table_init(&daemon->plan.table, 0);

	err = prepare(daemon);
	if (!err) {
		err = begin(daemon);
		if (!err) {
			log_info("hooks attached to %s: every getsockopt and setsockopt of the "
				 "processes there costs about half a microsecond more; [hooks] "
				 "cgroup narrows it",
				cgroup_of(daemon));
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
	if (daemon->lock_fd >= 0)
		close(daemon->lock_fd);
	settings_done(&daemon->settings);
	free(daemon);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
