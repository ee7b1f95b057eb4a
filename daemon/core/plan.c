/* SPDX-License-Identifier: MIT */
/* Judgement: what to do about each event. */
#include "plan.h"

#include "core/adoption.h"
#include "core/command.h"
#include "core/intent.h"
#include "core/lists.h"
#include "core/opening.h"
#include "core/subflows.h"

#include <sys/param.h>

/*
 * Records and events are read from two descriptors: a connection's record may be read before
 * its CREATED, or after its CLOSED. If CREATED does not follow by then the kernel is asked whether
 * it knows the connection; after as long again it is forgotten.
 */
#define STRAY_NS 200000000ull

int plan_init(struct plan *plan, const struct elephant_rule *rule, uint32_t max_subflows,
	uint32_t max_connections)
{
	*plan = (struct plan){.rule = *rule,
		.policy = {.ndiffports = 1},
		.in_vain.rule.most = 1,
		.max_subflows = max_subflows};
	conn_table_init(&plan->table, max_connections);
	steer_init(&plan->steer);
	benefit_init(&plan->benefits);
	apart_init(&plan->aparts);
	brake_init(&plan->brakes);
	lag_init(&plan->lags);
	quiet_init(&plan->quiets);
	silence_init(&plan->silences);
	revival_init(&plan->revivals);
	return actions_init(&plan->actions);
}

void plan_done(struct plan *plan)
{
	conn_table_done(&plan->table);
	steer_done(&plan->steer);
	refusals_done(&plan->refusals);
	refusals_done(&plan->in_vain);
	refusals_done(&plan->full);
	actions_done(&plan->actions);
	news_done(&plan->news);
	plan->tape = NULL;
	rules_set(plan, NULL, 0);
}

static const struct action *tell_hooks(struct plan *plan, struct conn *conn)
{
	conn_pay_receipt(&plan->table, conn);
	conn->receipt.ids = conn->ids.count;
	plan->told =
		(struct action){.kind = ACTION_RECEIPT, .key = conn->key, .receipt = conn->receipt};
	return &plan->told;
}

/*
 * While a request's command is being given, the hooks cannot tell by the receipt whether it was
 * carried out. They can by the socket, if they know how many subflows it showed before.
 */
static const struct action *announce(
	struct plan *plan, struct conn *conn, const struct action *action)
{
	plan->is_announced = true;
	conn->receipt.live = conn_count_shown(conn);
	conn->receipt.creating = action->kind == ACTION_CREATE;
	conn->receipt.destroying = action->kind == ACTION_DESTROY;
	conn->has_receipt = true;
	return tell_hooks(plan, conn);
}

static const struct action *next_action(struct plan *plan)
{
	struct conn *conn = TAILQ_FIRST(&plan->table.owing);
	const struct action *action;

	if (conn)
		return tell_hooks(plan, conn);
	while ((action = actions_peek(&plan->actions))) {
		conn = conn_find(&plan->table, &action->key);
		if (conn && action->is_announced && !plan->is_announced)
			return announce(plan, conn, action);
		plan->is_announced = false;
		action = actions_next(&plan->actions);
		if (action->kind != ACTION_RECEIPT)
			return action;
		if (!conn)
			continue;
		conn->receipt.heard = action->receipt.heard;
		return tell_hooks(plan, conn);
	}
	return actions_next(&plan->actions);
}

const struct action *plan_next(struct plan *plan)
{
	const struct action *action = next_action(plan);

	tape_act(plan, action);
	return action;
}

static void hear_created(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct endpoint local;
	struct subflow *first;

	conn->is_server = event->is_server;
	conn->denies_join = event->denies_join;
	if (conn->is_created)
		return;
	conn_hear_created(&plan->table, conn);
	conn_set_retry(&plan->table, conn, 0);
	conn->created_ns = event->now_ns;
	conn->local = event->local;
	conn->remote = event->remote;
	lists_hear_created(conn);
	intent_note_heard(plan, conn);
	local = event->local;
	local.port = 0;
	first = conn_add_subflow(conn);
	if (!first || ids_get(&conn->ids, &local, &first->id))
		return;
	first->state = SUBFLOW_ESTABLISHED;
	first->local = event->local;
	first->remote = event->remote;
	conn_join(&plan->table, conn);
	if (!*conn->why)
		conn_say(conn, conn->is_server ? "accepted: only its client can open subflows"
					       : "too small to split");
	if (plan->wants_owners || (plan->rules.count && !conn->is_server))
		conn->awaits_owner = actions_add(&plan->actions, ACTION_OWNER, conn);
	news_add(&plan->news, NEWS_CONNECTION, conn);
}

static void hear_announced(struct plan *plan, struct conn *conn, const struct event *event)
{
	if (remotes_add(&conn->remotes, event->id, &event->remote)) {
		plan->counters.addresses_refused++;
		return;
	}
	opening_run(plan, conn, 0);
}

static void hear_withdrawn(struct conn *conn, const struct event *event)
{
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint remote;

	if (!remotes_remove(&conn->remotes, event->id, &remote))
		return;
	if (conn->mesh)
		mesh_forget(conn->mesh, &remote);
	conn_say(conn, "the peer has withdrawn its address %s", endpoint_text(&remote, text));
}

/* The kernel has it, whether its word of it was read yet or not. */
static void hear_backup(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct subflow *subflow = conn_find_subflow(conn, &event->local, &event->remote);
	struct action *action;

	if (!subflow)
		subflow = conn_find_opening(conn, &event->local, &event->remote);
	if (subflow)
		subflow->is_backup = event->is_backup;
	/* It is one for now, and is not to be one when that is over. */
	if (subflow && quiet_is_on(subflow) && !event->is_backup)
		return;
	action = actions_add(&plan->actions, ACTION_BACKUP, conn);
	if (!action)
		return;
	action->local = event->local;
	action->remote = event->remote;
	action->is_backup = event->is_backup;
}

/* Paths are known better now, or never will be. */
static void hear_paths(struct plan *plan, struct conn *conn)
{
	steer_review(&plan->steer, conn);
	apart_hear_free(plan);
	if (!conn->is_steering) {
		apart_expect(plan, conn);
		return;
	}
	conn->is_steering = false;
	conn->heard_ns = plan->now_ns;
	conn_set_retry(&plan->table, conn, 0);
	opening_run(plan, conn, conn->cause_ns);
	apart_expect(plan, conn);
	lag_expect(plan, conn);
}

/* Where nobody can tell, the rules that ask for more than addresses do not match. */
static void hear_owner(struct plan *plan, struct conn *conn, const struct event *event)
{
	bool was_awaited = conn->awaits_owner;

	conn->has_uid = !event->error;
	conn->uid = event->uid;
	conn->excluded = event->excluded;
	conn->awaits_owner = false;
	rules_apply(plan, conn);
	if (was_awaited && conn->is_established)
		policy_start(plan, conn);
	if (was_awaited)
		forecast_apply(plan, conn, 0);
	else
		forecast_renew(plan, conn);
}

void plan_establish(struct plan *plan, struct conn *conn)
{
	if (!conn->is_established) {
		conn->is_established = true;
		news_add(&plan->news, NEWS_ESTABLISHED, conn);
		if (!conn->awaits_owner)
			policy_start(plan, conn);
		forecast_apply(plan, conn, 0);
	}
	opening_run(plan, conn, 0);
}

void plan_forget(struct plan *plan, struct conn *conn)
{
	struct subflow *subflow;
	bool is_freeing = false;

	benefit_forget(plan, conn);
	apart_forget(plan, conn);
	brake_forget(plan, conn);
	lag_forget(plan, conn);
	revival_forget(plan, conn);
	news_add(&plan->news, NEWS_CLOSED, conn);
	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		is_freeing |= path_is_set(&subflow->path) && !subflow->is_light;
		steer_release(&plan->steer, conn, subflow, plan->now_ns);
		quiet_forget(plan, conn, subflow);
		silence_forget(plan, subflow);
	}
	if (is_freeing)
		apart_hear_free(plan);
	if (conn->has_receipt || conn->has_rule)
		actions_add(&plan->actions, ACTION_FORGET, conn);
	conn_free(&plan->table, conn);
}

void plan_hear(struct plan *plan, const struct event *event)
{
	struct conn *conn = conn_find(&plan->table, &event->key);

	tape_hear(plan, event);
	plan->now_ns = MAX(plan->now_ns, event->now_ns);
	switch (event->kind) {
	case EVENT_CREATED:
	case EVENT_ESTABLISHED:
	case EVENT_FOUND:
		if (!conn)
			conn = conn_get(&plan->table, &event->key);
		break;
	case EVENT_THRESHOLD:
	case EVENT_BACKLOG:
	case EVENT_INTENT:
	case EVENT_FOREIGN:
	case EVENT_BOUND:
	case EVENT_BACKUP:
		if (conn)
			break;
		conn = conn_get(&plan->table, &event->key);
		if (conn)
			conn_set_retry(&plan->table, conn, event->now_ns + STRAY_NS);
		break;
	default:
		break;
	}
	if (!conn) {
		if (event->kind == EVENT_CREATED || event->kind == EVENT_INTENT)
			plan->counters.not_served++;
		return;
	}

	switch (event->kind) {
	case EVENT_NONE:
	case EVENT_STRANGER:
	case EVENT_FLOW:
		break;
	case EVENT_CREATED:
		hear_created(plan, conn, event);
		break;
	case EVENT_ESTABLISHED:
		hear_created(plan, conn, event);
		plan_establish(plan, conn);
		break;
	case EVENT_CLOSED:
		plan_forget(plan, conn);
		break;
	case EVENT_SUBFLOW_ESTABLISHED:
		subflows_hear_established(plan, conn, event);
		break;
	case EVENT_SUBFLOW_CLOSED:
		subflows_hear_closed(plan, conn, event);
		break;
	case EVENT_THRESHOLD:
	case EVENT_BACKLOG:
		elephant_hear(plan, conn, event);
		break;
	case EVENT_INTENT:
		intent_hear(plan, conn, event);
		break;
	case EVENT_FOREIGN:
		conn->is_foreign = true;
		conn_say(conn, "cannot be split: its socket is older than Subflow's service of "
			       "this namespace");
		news_add(&plan->news, NEWS_FOREIGN, conn);
		break;
	case EVENT_TIMEOUT:
		repair_hear_timeout(plan, conn, event);
		break;
	case EVENT_OUTAGE:
		repair_hear_outage(plan, conn, event);
		break;
	case EVENT_BACKUP:
		hear_backup(plan, conn, event);
		break;
	case EVENT_BOUND:
		conn->is_bound = true;
		conn->device = event->device;
		break;
	case EVENT_DENIED:
		conn->denies_join = true;
		break;
	case EVENT_ANNOUNCED:
		hear_announced(plan, conn, event);
		break;
	case EVENT_WITHDRAWN:
		hear_withdrawn(conn, event);
		break;
	case EVENT_LOCALS:
		policy_hear_locals(plan, conn, event);
		break;
	case EVENT_OWNER:
		hear_owner(plan, conn, event);
		break;
	case EVENT_FOUND:
		adoption_hear_found(conn, event);
		break;
	case EVENT_FOUND_SUBFLOW:
		adoption_hear_found_subflow(conn, event);
		/* That one came up may have been lost with other events. */
		if (!event->is_opening)
			subflows_hear_established(plan, conn, event);
		break;
	case EVENT_CLAIM_DONE:
		adoption_hear_claimed(plan, conn, event);
		break;
	case EVENT_LISTEN_DONE:
		repair_hear_listened(plan, conn, event);
		break;
	case EVENT_MEASURED:
		benefit_hear_measured(plan, conn, event);
		brake_hear_measured(plan, conn, event);
		break;
	case EVENT_PACED:
		lag_hear_paced(plan, conn, event);
		break;
	case EVENT_REACHED:
		lasthop_hear_reached(plan, conn, event);
		break;
	case EVENT_PATHS:
		hear_paths(plan, conn);
		break;
	case EVENT_CREATE_DONE:
		command_hear_created(plan, conn, event);
		break;
	case EVENT_DESTROY_DONE:
		command_hear_destroyed(plan, conn, event);
		break;
	case EVENT_BACKUP_FAILED:
		quiet_hear_failed(plan, conn, event);
		break;
	case EVENT_ANNOUNCE_FAILED:
		command_hear_not_announced(plan, conn, event);
		break;
	case EVENT_WITHDRAW_FAILED:
		command_hear_not_withdrawn(plan, conn, event);
		break;
	}
}

/*
 * Its CREATED did not come: the kernel may know it all the same. One list of a namespace tells of
 * all such connections in it.
 */
static void search(struct plan *plan, struct conn *conn, uint64_t now_ns)
{
	struct conn *other;

	actions_add(&plan->actions, ACTION_SEARCH, conn);
	conn->is_sought = true;
	conn_set_retry(&plan->table, conn, now_ns + STRAY_NS);
	TAILQ_FOREACH (other, &plan->table.retries, retry) {
		if (other->key.netns != conn->key.netns || other->is_created || other->is_sought ||
			other->retry_ns > now_ns)
			continue;
		other->is_sought = true;
		other->retry_ns = now_ns + STRAY_NS;
	}
}

/* Of two times, where 0 is never. */
static uint64_t sooner(uint64_t one_ns, uint64_t other_ns)
{
	return one_ns && (!other_ns || one_ns < other_ns) ? one_ns : other_ns;
}

uint64_t plan_tick(struct plan *plan, uint64_t now_ns)
{
	struct conn *conn, *after;
	uint64_t next_ns = 0;

	if (now_ns)
		tape_call(plan, LINE_TICK, (struct line_call){.now_ns = now_ns});
	plan->now_ns = MAX(plan->now_ns, now_ns);
	for (conn = TAILQ_FIRST(&plan->table.retries); conn; conn = after) {
		after = TAILQ_NEXT(conn, retry);
		if (conn->retry_ns <= now_ns) {
			conn_set_retry(&plan->table, conn, 0);
			conn->is_steering = false;
			if (conn->is_created)
				opening_run(plan, conn, 0);
			else if (!conn->is_sought)
				search(plan, conn, now_ns);
			else
				plan_forget(plan, conn);
		} else if (!next_ns || conn->retry_ns < next_ns) {
			next_ns = conn->retry_ns;
		}
	}
	silence_tick(plan, now_ns);
	revival_tick(plan, now_ns);
	benefit_tick(plan, now_ns);
	apart_tick(plan, now_ns);
	brake_tick(plan, now_ns);
	lag_tick(plan, now_ns);
	quiet_tick(plan, now_ns);
	next_ns = sooner(next_ns, agenda_next_ns(&plan->silences.agenda));
	next_ns = sooner(next_ns, agenda_next_ns(&plan->revivals.agenda));
	next_ns = sooner(next_ns, agenda_next_ns(&plan->benefits.agenda));
	next_ns = sooner(next_ns, agenda_next_ns(&plan->aparts.agenda));
	next_ns = sooner(next_ns, agenda_next_ns(&plan->brakes.agenda));
	next_ns = sooner(next_ns, agenda_next_ns(&plan->quiets.agenda));
	return sooner(next_ns, agenda_next_ns(&plan->lags.agenda));
}

void plan_forget_netns(struct plan *plan, uint64_t netns)
{
	struct conn *conn, *next;

	tape_call(plan, LINE_END, (struct line_call){.netns = netns});
	HASH_ITER (hh, plan->table.conns, conn, next) {
		if (conn->key.netns == netns)
			plan_forget(plan, conn);
	}
	steer_forget(&plan->steer, netns);
	refusals_forget(&plan->refusals, netns);
	refusals_forget(&plan->in_vain, netns);
	refusals_forget(&plan->full, netns);
}
