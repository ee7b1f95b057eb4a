/* SPDX-License-Identifier: MIT */
/* Carries out what the judgement wants; results go back to it as events. */
#include "hands.h"

#include "base/log.h"
#include "control/watchers.h"
#include "kernel/genl.h"
#include "kernel/maps.h"
#include "kernel/netns.h"
#include "kernel/served_list.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Nothing is held open inside a namespace between batches: it would keep it alive. */
static void close_hand(struct hands *hands)
{
	if (hands->socket)
		mnl_socket_close(hands->socket);
	hands->socket = NULL;
}

/* On the way to each subflow: as few system calls as can be. */
static int open_hand(struct hands *hands, uint64_t cookie)
{
	struct served_netns *netns;
	uint64_t found;
	int err;

	if (hands->socket && hands->netns == cookie)
		return 0;
	close_hand(hands);
	netns = served_find_live(hands->served, cookie);
	if (!netns)
		return -ENONET;
	err = netns->is_unnamed ? served_enter(netns) : netns_enter(netns->path, 0);
	if (err)
		return err == -EAGAIN ? err : -ENONET;
	err = genl_open(NETLINK_GENERIC, &hands->socket);
	served_leave(netns);
	if (err)
		return err;
	hands->netns = cookie;
	/* Another namespace may have taken over the name a moment ago. */
	err = netns_cookie_of(mnl_socket_get_fd(hands->socket), &found);
	if (!err && found != cookie)
		err = -ENONET;
	if (err)
		close_hand(hands);
	return err;
}

/* Of commands that nobody waits for. */
static void tell_failure(
	struct hands *hands, const struct action *action, enum event_kind kind, int err)
{
	plan_hear(hands->plan, &(struct event){.kind = kind,
				       .key = action->key,
				       .now_ns = loop_now_ns(),
				       .local = action->local,
				       .remote = action->remote,
				       .id = action->id,
				       .error = -err});
}

static void answer(struct hands *hands, const struct action *action, enum event_kind kind, int err)
{
	struct event event = {.kind = kind,
		.key = action->key,
		.now_ns = loop_now_ns(),
		.serial = action->serial,
		.error = -err};

	plan_hear(hands->plan, &event);
}

/* Linux 6.1 does not heed it in the command; then it is said while the SYN is on its way. */
static void make_backup(struct hands *hands, const struct action *action)
{
	if (!hands->has_created_backup)
		hands->has_created_backup = !inquiry_is_backup(hands->inquiry, action->key.netns,
			&action->local, &action->remote, &hands->heeds_backup);
	if (!hands->heeds_backup)
		pm_set_backup(hands->socket, hands->family, action->key.token, &action->local,
			&action->remote, true);
}

static void create(struct hands *hands, struct action action)
{
	uint32_t device = inquiry_find_device(hands->inquiry, &action.key, &action.local);
	int err = open_hand(hands, action.key.netns);

	/* Up to the command: what the kernel does with it is the handshake's time, not ours. */
	if (!err && action.cause_ns)
		histogram_add(&hands->create_us, (loop_now_ns() - action.cause_ns) / 1000);
	if (!err)
		err = pm_create(hands->socket, hands->family, action.key.token, &action.local,
			&action.remote, action.id, device, action.is_backup);
	if (!err && action.is_backup && action.local.port)
		make_backup(hands, &action);
	if (err)
		log_debug("SUBFLOW_CREATE token %08x: %s", action.key.token, strerror(-err));
	answer(hands, &action, EVENT_CREATE_DONE, err);
}

static void destroy(struct hands *hands, struct action action)
{
	int err = open_hand(hands, action.key.netns);

	if (!err)
		err = pm_destroy(hands->socket, hands->family, action.key.token, &action.local,
			&action.remote);
	if (err)
		log_debug("SUBFLOW_DESTROY token %08x: %s", action.key.token, strerror(-err));
	answer(hands, &action, EVENT_DESTROY_DONE, err);
}

static void read_locals(struct hands *hands, struct action action)
{
	struct addresses addresses = {};
	int err = inquiry_read_addresses(hands->inquiry, action.key.netns, &addresses);

	plan_hear(hands->plan, &(struct event){.kind = EVENT_LOCALS,
				       .key = action.key,
				       .now_ns = loop_now_ns(),
				       .locals = addresses.usable,
				       .n_locals = addresses.n_usable,
				       .error = -err});
}

static void announce(struct hands *hands, struct action action)
{
	int err = open_hand(hands, action.key.netns);

	if (!err)
		err = pm_announce(
			hands->socket, hands->family, action.key.token, &action.local, action.id);
	if (!err)
		return;
	log_debug("ANNOUNCE token %08x id %u: %s", action.key.token, action.id, strerror(-err));
	tell_failure(hands, &action, EVENT_ANNOUNCE_FAILED, err);
}

static void set_backup(struct hands *hands, struct action action)
{
	int err = open_hand(hands, action.key.netns);

	if (!err)
		err = pm_set_backup(hands->socket, hands->family, action.key.token, &action.local,
			&action.remote, action.is_backup);
	if (!err)
		return;
	log_debug("SET_FLAGS token %08x: %s", action.key.token, strerror(-err));
	tell_failure(hands, &action, EVENT_BACKUP_FAILED, err);
}

static void withdraw(struct hands *hands, struct action action)
{
	int err = open_hand(hands, action.key.netns);

	if (!err)
		err = pm_withdraw(hands->socket, hands->family, action.key.token, action.id);
	/* It has forgotten the id with a subflow from there that was closed: it is to learn it. */
	if (err == -EINVAL && action.local.family &&
		!pm_announce(
			hands->socket, hands->family, action.key.token, &action.local, action.id))
		err = pm_withdraw(hands->socket, hands->family, action.key.token, action.id);
	if (!err)
		return;
	log_debug("REMOVE token %08x id %u: %s", action.key.token, action.id, strerror(-err));
	tell_failure(hands, &action, EVENT_WITHDRAW_FAILED, err);
}

static void search_again(struct hands *hands, struct action action)
{
	struct served_netns *netns = served_find_live(hands->served, action.key.netns);

	if (netns)
		inquiry_search(hands->inquiry, netns);
}

static void claim(struct hands *hands, struct action action)
{
	int err = open_hand(hands, action.key.netns);

	if (!err)
		err = pm_claim(hands->socket, hands->family, action.key.token, &action.local,
			&action.remote);
	answer(hands, &action, EVENT_CLAIM_DONE, err);
}

static void listen_again(struct hands *hands, struct action action)
{
	bool is_silent = true;
	int err = inquiry_is_silent(hands->inquiry, action.key.netns, &action.local, &action.remote,
		hands->rto_min_ms, &is_silent);

	/* Where the kernel cannot tell, its timeout alone counts. */
	if (err != -ENOENT && err != -ENONET)
		answer(hands, &action, EVENT_LISTEN_DONE, is_silent ? 0 : -EAGAIN);
}

static void measure(struct hands *hands, struct action action)
{
	struct event event = {.kind = EVENT_MEASURED, .key = action.key, .serial = action.serial};

	event.error = -inquiry_measure(
		hands->inquiry, &action.key, &action.local, &action.remote, &event.sample);
	event.now_ns = loop_now_ns();
	plan_hear(hands->plan, &event);
}

static void pace(struct hands *hands, struct action action)
{
	struct event event = {.kind = EVENT_PACED, .key = action.key, .serial = action.serial};

	event.error = -inquiry_pace(
		hands->inquiry, action.key.netns, &action.local, &action.remote, &event.sample);
	event.now_ns = loop_now_ns();
	plan_hear(hands->plan, &event);
}

static void reach(struct hands *hands, struct action action)
{
	int err = reach_ask(hands->reach, &action);

	if (err)
		answer(hands, &action, EVENT_REACHED, err);
}

static void survey(struct hands *hands, struct action action)
{
	struct plan *plan = hands->plan;
	struct ports ports;

	/* Who draws ports by lot needs to know no more than which there are. */
	if (plan->steer.mode == STEER_RANDOM) {
		if (!scout_read_ports(hands->scout, action.key.netns, &ports))
			steer_set_ports(&plan->steer, action.key.netns, &ports, plan->now_ns);
		answer(hands, &action, EVENT_PATHS, 0);
		return;
	}
	if (scout_survey(hands->scout, &action))
		answer(hands, &action, EVENT_PATHS, 0);
}

static void arm_timer(struct hands *hands, uint64_t deadline_ns)
{
	struct itimerspec when = {.it_value = {.tv_sec = deadline_ns / 1000000000,
					  .tv_nsec = deadline_ns % 1000000000}};

	timerfd_settime(hands->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void carry_out(struct hands *hands, const struct action *action)
{
	switch (action->kind) {
	case ACTION_CREATE:
		create(hands, *action);
		break;
	case ACTION_DESTROY:
		destroy(hands, *action);
		break;
	case ACTION_ANNOUNCE:
		announce(hands, *action);
		break;
	case ACTION_WITHDRAW:
		withdraw(hands, *action);
		break;
	case ACTION_BACKUP:
		set_backup(hands, *action);
		break;
	case ACTION_LOCALS:
		read_locals(hands, *action);
		break;
	case ACTION_RULE:
		if (maps_put_rule(hands->hooks, &action->key, &action->rule))
			hands->rules_refused++;
		break;
	case ACTION_OWNER:
		inquiry_find_owner(hands->inquiry, &action->key);
		break;
	case ACTION_SEARCH:
		search_again(hands, *action);
		break;
	case ACTION_CLAIM:
		claim(hands, *action);
		break;
	case ACTION_LISTEN:
		listen_again(hands, *action);
		break;
	case ACTION_MEASURE:
		measure(hands, *action);
		break;
	case ACTION_PACE:
		pace(hands, *action);
		break;
	case ACTION_REACH:
		reach(hands, *action);
		break;
	case ACTION_SURVEY:
		survey(hands, *action);
		break;
	case ACTION_RECEIPT:
		if (maps_put_receipt(hands->hooks, &action->key, &action->receipt)) {
			hands->receipts_refused++;
			log_warning(
				"no room for the receipt of connection %08x", action->key.token);
		}
		break;
	case ACTION_FORGET:
		/* At our end it is not the connection that has gone. */
		if (!hands->is_ending)
			maps_drop_receipt(hands->hooks, &action->key);
		maps_drop_rule(hands->hooks, &action->key);
		break;
	}
}

static void timer_ready(struct source *source, uint32_t events)
{
	struct hands *hands = SOURCE_OWNER(source, struct hands, timer);
	uint64_t expirations;

	(void)events;
	if (read(source->fd, &expirations, sizeof(expirations)) < 0)
		return;
	plan_tick(hands->plan, loop_now_ns());
	hands_act(hands);
}

int hands_init(struct hands *hands, struct loop *loop)
{
	hands->timer.ready = timer_ready;
	hands->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (hands->timer.fd < 0)
		return -errno;
	return loop_add(loop, &hands->timer, EPOLLIN);
}

void hands_act(struct hands *hands)
{
	const struct action *action;
	uint64_t next_ns;

	while ((action = plan_next(hands->plan))) {
		hands->acted_ns = loop_now_ns();
		carry_out(hands, action);
	}
	close_hand(hands);
	recorder_write(hands->recorder);
	hooks_set_full(
		hands->hooks, conn_table_count(&hands->plan->table) >= hands->plan->table.limit);
	watchers_tell_news(hands->server, hands->plan, hands->served);
	next_ns = plan_tick(hands->plan, 0);
	if (next_ns)
		arm_timer(hands, next_ns);
}

void hands_act_soon(struct hands *hands)
{
	arm_timer(hands, 1);
}

void hands_done(struct hands *hands)
{
	if (hands->timer.fd >= 0)
		close(hands->timer.fd);
}
