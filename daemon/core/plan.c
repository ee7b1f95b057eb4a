/* SPDX-License-Identifier: MIT */
/* Judgement: what to do about each event. */
#include "plan.h"

#include "core/adoption.h"
#include "core/closing.h"
#include "core/lists.h"
#include "core/opening.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>

#define TRIES_MAX      8
#define RETRY_FIRST_NS 10000000ull /* doubles with each failure */
#define MB             1000000.0

/*
 * A peer that takes no more subflows answers the SYN and resets after the third packet of the
 * handshake, often without a reason: a join that ends this soon was refused.
 */
#define REFUSAL_NS 1000000000ull

/*
 * Records and events are read from two descriptors: a connection's record may be read before
 * its CREATED, or after its CLOSED. If CREATED does not follow by then the kernel is asked whether
 * it knows the connection; after as long again it is forgotten.
 */
#define STRAY_NS 200000000ull

int plan_init(struct plan *plan, const struct elephant_rule *rule, uint32_t max_subflows,
	uint32_t max_connections)
{
	*plan = (struct plan){
		.rule = *rule, .policy = {.ndiffports = 1}, .max_subflows = max_subflows};
	conn_table_init(&plan->table, max_connections);
	steer_init(&plan->steer);
	return actions_init(&plan->actions);
}

void plan_done(struct plan *plan)
{
	conn_table_done(&plan->table);
	steer_done(&plan->steer);
	refusals_done(&plan->refusals);
	actions_done(&plan->actions);
	news_done(&plan->news);
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

const struct action *plan_next(struct plan *plan)
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

static void remove_subflow(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	steer_release(&plan->steer, conn, subflow, false);
	conn_remove_subflow(conn, subflow);
}

/* After what it led to: by then a subflow that was taken away is seen to go. */
static void note_heard(struct plan *plan, struct conn *conn)
{
	struct action *action;

	if (!conn->is_created || conn->receipt.heard == conn->generation)
		return;
	action = actions_add(&plan->actions, ACTION_RECEIPT, conn);
	if (!action)
		return;
	action->receipt.heard = conn->generation;
	conn->has_receipt = true;
}

static void hear_created(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct endpoint local;
	struct subflow *first;

	conn->is_server = event->is_server;
	conn->denies_join = event->denies_join;
	if (conn->is_created)
		return;
	conn->is_created = true;
	conn_set_retry(&plan->table, conn, 0);
	conn->local = event->local;
	conn->remote = event->remote;
	lists_hear_created(conn);
	note_heard(plan, conn);
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

static void hear_subflow_established(
	struct plan *plan, struct conn *conn, const struct event *event)
{
	struct subflow *subflow = conn_find_subflow(conn, &event->local, &event->remote);

	if (!subflow)
		subflow = conn_find_opening(conn, &event->local, &event->remote);
	if (!subflow)
		subflow = conn_add_subflow(conn);
	if (!subflow || subflow->state != SUBFLOW_OPENING)
		return;
	if (subflow->asker != ASKER_NOBODY) {
		plan->counters.established++;
		refusals_clear(&plan->refusals, conn->key.netns, &event->remote);
	}
	subflow->local = event->local;
	subflow->remote = event->remote;
	subflow->id = event->id;
	subflow->state = SUBFLOW_ESTABLISHED;
	subflow->established_ns = event->now_ns;
	news_add_subflow(&plan->news, NEWS_SUBFLOW_UP, conn, subflow, "");
	if (subflow->asker == ASKER_ELEPHANT)
		conn_note_passed(conn);
	/* Clients join wherever the server is: at what it has not listed too. */
	if (conn->is_server && !listed_allows(conn->listed, &subflow->local))
		subflow->is_doomed = subflow->is_lost = true;
	/* The others have gone since. */
	if (subflow->is_doomed && !subflow->is_lost && !conn_has_established(conn, subflow)) {
		subflow->is_doomed = false;
		conn_settle(&plan->table, conn, 0, 1);
	}
	if (subflow->is_doomed)
		closing_begin(plan, conn, subflow);
	else
		lists_hear_joined(plan, conn);
}

/* A reset for good (RFC 8684 section 3.6, T = 0) is of the path: between these addresses. */
static void note_refused(struct plan *plan, struct conn *conn, const struct subflow *subflow,
	const struct event *event)
{
	struct refusal refusal = {.error = event->error, .reset_reason = event->reset_reason};
	struct endpoint near = endpoint_unmap(&event->local), first = endpoint_unmap(&conn->local);
	char why[REFUSALS_TEXT_MAX];

	plan->counters.refused_by_peer++;
	conn_say(conn,
		"the peer refused a subflow (%s); without Subflow it needs `ip mptcp limits set "
		"subflows 3`",
		refusal_text(&refusal, why));
	if (subflow->is_doomed)
		return;
	refusals_note(&plan->refusals, conn->key.netns, &event->remote, &refusal, event->now_ns);
	if (event->reset_reason >= 0 && !event->is_transient &&
		endpoint_is_same_address(&near, &first))
		conn->barred = endpoint_unmap(&event->remote);
}

/* RFC 8684 3.4.2: the peer closes the subflows of an address that it has withdrawn. */
static bool is_withdrawn(const struct conn *conn, const struct subflow *subflow)
{
	struct endpoint first = endpoint_unmap(&conn->remote),
			remote = endpoint_unmap(&subflow->remote);

	return !endpoint_is_equal(&first, &remote) && !remotes_has(&conn->remotes, &remote);
}

/* Or else it lived, and has died: as where an error in the peer's MPTCP came after its consent. */
static bool is_refused(const struct subflow *subflow, const struct event *event)
{
	if (subflow->state == SUBFLOW_OPENING)
		return true;
	return subflow->state == SUBFLOW_ESTABLISHED && subflow->asker != ASKER_NOBODY &&
	       event->reset_reason != RESET_MPTCP &&
	       event->now_ns - subflow->established_ns < REFUSAL_NS;
}

/* Why a subflow that was up is not any more. */
static void tell_closed(struct plan *plan, const struct conn *conn, const struct subflow *subflow,
	const struct event *event)
{
	struct refusal refusal = {.error = event->error, .reset_reason = event->reset_reason};
	const char *why = "the peer closed it";
	char text[REFUSALS_TEXT_MAX];

	if (subflow->state == SUBFLOW_CLOSING)
		why = subflow->is_lost ? conn->why : "closed here";
	else if (event->reset_reason >= 0 || event->error)
		why = refusal_text(&refusal, text);
	news_add_subflow(&plan->news, NEWS_SUBFLOW_CLOSED, conn, subflow, why);
}

static void hear_subflow_closed(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct endpoint remote = endpoint_unmap(&event->remote);
	struct subflow *subflow = conn_find_subflow(conn, &event->local, &event->remote);
	bool is_gone;

	if (!subflow)
		subflow = conn_find_opening(conn, &event->local, &event->remote);
	if (!subflow)
		return;
	is_gone = is_withdrawn(conn, subflow);
	if (!is_gone && is_refused(subflow, event)) {
		note_refused(plan, conn, subflow, event);
		news_add_subflow(&plan->news, NEWS_SUBFLOW_REFUSED, conn, subflow, conn->why);
	} else {
		if (endpoint_is_equal(&conn->barred, &remote))
			conn->barred = (struct endpoint){}; /* there is room for another */
		tell_closed(plan, conn, subflow, event);
		if (!is_gone)
			repair_hear_closed(plan, conn, subflow, event);
	}
	if (subflow->state == SUBFLOW_OPENING && subflow->asker == ASKER_ELEPHANT)
		conn_drop_passed(conn);
	if (subflow->state == SUBFLOW_OPENING && subflow->is_doomed && !subflow->is_lost)
		conn_settle(&plan->table, conn, 0, 1);
	remove_subflow(plan, conn, subflow);
	lists_hear_failed(plan, conn);
	opening_run(plan, conn, 0);
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

static void hear_threshold(struct plan *plan, struct conn *conn, const struct event *event)
{
	uint32_t subflows = conn_count_all(conn);
	const struct elephant_rule *rule;
	const char *why;

	plan->counters.thresholds++;
	if (conn->is_server || conn->is_foreign)
		return;
	if (rules_is_never(plan, conn))
		return;
	rule = rules_of(plan, conn);
	if (!elephant_decide(rule, event->bytes, subflows, &why)) {
		conn_say(conn, "no more at %.0f MB: %s (%u of %u)", event->threshold / MB, why,
			subflows, rule->max_subflows);
		news_add_threshold(&plan->news, conn, event->threshold, event->bytes);
		return;
	}
	if (conn_add_passed(conn, event->threshold, event->bytes))
		return;
	conn_say(conn, "%s at %.0f MB: %u of %u", why, event->threshold / MB, subflows + 1,
		rule->max_subflows);
	news_add_threshold(&plan->news, conn, event->threshold, event->bytes);
	plan->counters.elephants++;
	conn->wanted_elephant++;
	conn_renew_tries(conn);
	opening_run(plan, conn, event->now_ns);
}

/* What was not sent on its way yet is the youngest of all; false: there is no such. */
static bool take_back(struct plan *plan, struct conn *conn)
{
	if (conn->wanted_application) {
		conn->wanted_application--;
		conn_settle(&plan->table, conn, 1, 1);
		return true;
	}
	if (lists_take_back(plan, conn))
		return true;
	if (conn->wanted_elephant) {
		conn->wanted_elephant--;
		conn_drop_passed(conn);
	} else if (conn->wanted_policy) {
		conn->wanted_policy--;
	} else if (conn->wanted_operator) {
		conn->wanted_operator--;
	} else if (conn->wanted_repair) {
		conn->wanted_repair--;
	} else {
		return false;
	}
	conn_settle(&plan->table, conn, 0, 1);
	return true;
}

/* Takes the youngest away; false when no other would be left. */
static bool remove_youngest(struct plan *plan, struct conn *conn)
{
	struct subflow *subflow;

	if (conn_count_all(conn) <= 1)
		return false;
	if (take_back(plan, conn))
		return true;
	TAILQ_FOREACH_REVERSE(subflow, &conn->subflows, subflow_list, entry)
	{
		if (subflow->state == SUBFLOW_CLOSING || subflow->is_doomed ||
			!conn_has_established(conn, subflow))
			continue;
		subflow->is_doomed = true;
		if (subflow->state == SUBFLOW_ESTABLISHED)
			closing_begin(plan, conn, subflow);
		return true;
	}
	return false;
}

/* How many of @adds the connection has room for. */
static uint32_t grant(const struct plan *plan, const struct conn *conn, uint32_t adds)
{
	uint32_t in_all = conn_count_all(conn);

	if (conn->is_server || conn->is_foreign || in_all >= plan->max_subflows)
		return 0;
	return MIN(adds, plan->max_subflows - in_all);
}

/* What an earlier daemon carried out and could give no receipt for, if it was not for a list. */
static void settle_resumed(struct plan *plan, struct conn *conn, const struct event *event)
{
	uint32_t adds = MIN(conn->resumed_adds, event->adds - conn->adds);
	uint32_t removes = MIN(conn->resumed_removes, event->removes - conn->removes);

	conn->resumed_adds = conn->resumed_removes = 0;
	conn->adds += adds;
	conn->removes += removes;
	conn_settle(&plan->table, conn, adds, removes);
}

/*
 * @adds and @removes only grow; the difference to what was heard is news. In
 * which order the application asked is not known: what it asked to add and to
 * remove again is never opened.
 */
static void hear_intent(struct plan *plan, struct conn *conn, const struct event *event)
{
	bool has_lists = lists_hear(plan, conn, event);
	uint32_t both, granted, adds, removes;

	settle_resumed(plan, conn, event);
	adds = event->adds - conn->adds;
	removes = event->removes - conn->removes;

	if ((int32_t)(event->generation - conn->generation) > 0)
		conn->generation = event->generation;
	/* Nothing new, or a record that was overtaken by a walk. */
	if (adds > INT32_MAX || removes > INT32_MAX || (!adds && !removes && !has_lists)) {
		note_heard(plan, conn);
		return;
	}
	conn->adds = event->adds;
	conn->removes = event->removes;
	plan->counters.requests += adds;
	both = MIN(adds, removes);
	adds -= both;
	removes -= both;
	granted = grant(plan, conn, adds);
	conn_settle(&plan->table, conn, both + adds - granted, both);
	conn->wanted_application += granted;
	while (removes && !conn->is_foreign && remove_youngest(plan, conn))
		removes--;
	conn_settle(&plan->table, conn, 0, removes);
	conn_say(conn, "as the application asked: %u in all", conn_count_all(conn));
	news_add(&plan->news, NEWS_REQUEST, conn);
	conn_renew_tries(conn);
	note_heard(plan, conn);
	opening_run(plan, conn, event->now_ns);
}

/* The kernel has it, whether its word of it was read yet or not. */
static void hear_backup(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct subflow *subflow = conn_find_subflow(conn, &event->local, &event->remote);
	struct action *action = actions_add(&plan->actions, ACTION_BACKUP, conn);

	if (!action)
		return;
	action->local = event->local;
	action->remote = event->remote;
	action->is_backup = event->is_backup;
	if (!subflow)
		subflow = conn_find_opening(conn, &event->local, &event->remote);
	if (subflow)
		subflow->is_backup = event->is_backup;
}

static bool is_worth_another_try(int error)
{
	return error == ENOTCONN || error == EADDRINUSE || error == EAGAIN || error == ENOBUFS ||
	       error == ENOMEM || error == EINTR || error == EBUSY;
}

static void hear_create_done(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct subflow *subflow = conn_find_serial(conn, event->serial);
	char local[ENDPOINT_TEXT_MAX], remote[ENDPOINT_TEXT_MAX];
	bool is_asked, is_listed, is_placed;

	is_listed = subflow && subflow->asker == ASKER_LIST && subflow->slot >= 0;
	if (subflow && (subflow->asker == ASKER_APPLICATION || is_listed))
		conn->receipt.creating = 0;
	if (!event->error) {
		plan->counters.created++;
		conn->tries = 0;
		if (subflow) {
			subflow->is_sent = true;
			news_add_subflow(&plan->news, NEWS_SUBFLOW_ASKED, conn, subflow, "");
		}
		if (is_listed)
			lists_settle(plan, conn, subflow);
		else if (subflow && subflow->asker == ASKER_APPLICATION)
			conn_settle(&plan->table, conn, 1, 0);
		return;
	}
	if (!subflow)
		return;
	is_placed = subflow->local.port && !subflow->is_exact;
	if (event->error == EADDRINUSE && !subflow->is_exact)
		steer_release(&plan->steer, conn, subflow, true);
	is_asked = subflow->asker == ASKER_APPLICATION;
	/* Those that failed together are tried again together. */
	if (!subflow->is_doomed && (subflow->asker != ASKER_LIST || is_listed) &&
		is_worth_another_try(event->error) && (conn->retry_ns || conn->tries < TRIES_MAX)) {
		plan->counters.retries++;
		if (subflow->asker == ASKER_MESH)
			mesh_give_back(conn->mesh, &subflow->local, &subflow->remote);
		else if (is_listed)
			lists_want_again(conn, subflow);
		else
			conn_want_again(conn, subflow->asker);
		if (is_asked || is_listed)
			conn_owe_receipt(&plan->table, conn);
		remove_subflow(plan, conn, subflow);
		if (!conn->retry_ns && event->error == EADDRINUSE && is_placed) {
			/* The next port need not wait. */
			conn->tries++;
			opening_run(plan, conn, 0);
		} else if (!conn->retry_ns)
			conn_set_retry(&plan->table, conn,
				event->now_ns + (RETRY_FIRST_NS << conn->tries++));
		return;
	}
	if (subflow->asker == ASKER_ELEPHANT)
		conn_drop_passed(conn);
	conn_settle(&plan->table, conn, is_asked, subflow->is_doomed && !subflow->is_lost);
	if (is_listed)
		lists_settle(plan, conn, subflow);
	if (!subflow->is_doomed) {
		plan->counters.create_failures++;
		if (event->error == ENONET)
			conn_say(conn, "no more subflows: its network namespace has no name to "
				       "enter it by");
		else
			conn_say(conn, "the kernel opened no subflow from %s to %s: %s%s",
				endpoint_text(&subflow->local, local),
				endpoint_text(&subflow->remote, remote), strerror(event->error),
				event->error == EINVAL && endpoint_is_link_local(&subflow->local)
					? "; it takes no device for a link-local address"
					: "");
		news_add_subflow(&plan->news, NEWS_SUBFLOW_FAILED, conn, subflow, conn->why);
	}
	remove_subflow(plan, conn, subflow);
	lists_hear_failed(plan, conn);
}

static void hear_destroy_done(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct subflow *subflow = conn_find_serial(conn, event->serial);

	if (!subflow || !subflow->is_lost) {
		conn->receipt.destroying = 0;
		/* It was gone, and the application meant one of those that it saw. */
		if (event->error != ESRCH || !remove_youngest(plan, conn))
			conn_settle(&plan->table, conn, 0, 1);
	}
	if (subflow && (!event->error || event->error == ESRCH))
		subflow->is_gone = true;
	if (!event->error)
		plan->counters.destroyed++;
	else
		plan->counters.destroy_failures++;
	/*
	 * It stays in the table until the kernel says that it is closed, even if
	 * it is gone already: that event must not be taken for an opening one's.
	 */
	if (!subflow || !event->error || event->error == ESRCH)
		return;
	subflow->state = SUBFLOW_ESTABLISHED;
	subflow->is_doomed = subflow->is_lost = false;
}

/* Paths are known better now, or never will be. */
static void hear_paths(struct plan *plan, struct conn *conn)
{
	if (!conn->is_steering)
		return;
	conn->is_steering = false;
	conn->heard_ns = plan->now_ns;
	conn_set_retry(&plan->table, conn, 0);
	opening_run(plan, conn, conn->cause_ns);
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
}

void plan_forget(struct plan *plan, struct conn *conn)
{
	struct subflow *subflow;

	news_add(&plan->news, NEWS_CLOSED, conn);
	TAILQ_FOREACH (subflow, &conn->subflows, entry)
		steer_release(&plan->steer, conn, subflow, false);
	if (conn->has_receipt || conn->has_rule)
		actions_add(&plan->actions, ACTION_FORGET, conn);
	conn_free(&plan->table, conn);
}

void plan_hear(struct plan *plan, const struct event *event)
{
	struct conn *conn = conn_find(&plan->table, &event->key);

	plan->now_ns = MAX(plan->now_ns, event->now_ns);
	switch (event->kind) {
	case EVENT_CREATED:
	case EVENT_ESTABLISHED:
	case EVENT_FOUND:
		if (!conn)
			conn = conn_get(&plan->table, &event->key);
		break;
	case EVENT_THRESHOLD:
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
		if (!conn->is_established) {
			conn->is_established = true;
			news_add(&plan->news, NEWS_ESTABLISHED, conn);
			if (!conn->awaits_owner)
				policy_start(plan, conn);
		}
		opening_run(plan, conn, 0);
		break;
	case EVENT_CLOSED:
		plan_forget(plan, conn);
		break;
	case EVENT_SUBFLOW_ESTABLISHED:
		hear_subflow_established(plan, conn, event);
		break;
	case EVENT_SUBFLOW_CLOSED:
		hear_subflow_closed(plan, conn, event);
		break;
	case EVENT_THRESHOLD:
		hear_threshold(plan, conn, event);
		break;
	case EVENT_INTENT:
		hear_intent(plan, conn, event);
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
	case EVENT_BACKUP:
		hear_backup(plan, conn, event);
		break;
	case EVENT_BOUND:
		conn->is_bound = true;
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
			hear_subflow_established(plan, conn, event);
		break;
	case EVENT_CLAIM_DONE:
		adoption_hear_claimed(plan, conn, event);
		break;
	case EVENT_LISTEN_DONE:
		repair_hear_listened(plan, conn, event);
		break;
	case EVENT_PATHS:
		hear_paths(plan, conn);
		break;
	case EVENT_CREATE_DONE:
		hear_create_done(plan, conn, event);
		break;
	case EVENT_DESTROY_DONE:
		hear_destroy_done(plan, conn, event);
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

uint64_t plan_tick(struct plan *plan, uint64_t now_ns)
{
	struct conn *conn, *after;
	uint64_t next_ns = 0;

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
	return next_ns;
}

void plan_forget_netns(struct plan *plan, uint64_t netns)
{
	struct conn *conn, *next;

	HASH_ITER (hh, plan->table.conns, conn, next) {
		if (conn->key.netns == netns)
			plan_forget(plan, conn);
	}
	steer_forget(&plan->steer, netns);
	refusals_forget(&plan->refusals, netns);
}
