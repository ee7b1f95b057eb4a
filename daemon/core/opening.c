/* SPDX-License-Identifier: MIT */
/* Judgement: which subflows are opened now, and between which ends. */
#include "opening.h"

#include "core/ends.h"
#include "core/lists.h"
#include "core/subflows.h"

#include <errno.h>
#include <sys/param.h>

/*
 * How long a subflow waits for the paths to be known before its port is chosen by what there is:
 * without any answer of a router, and in all. A survey that finds nothing ends by itself, sooner.
 */
#define PATIENCE_NS      2000000000ull
#define PATIENCE_MOST_NS 6000000000ull

#define SECOND_NS 1000000000ull

static void give_up_wanted(struct plan *plan, struct conn *conn)
{
	conn_settle(&plan->table, conn, conn->wanted_application, 0);
	plan->counters.dropped += conn->wanted_application;
	for (; conn->wanted_elephant; conn->wanted_elephant--)
		conn_drop_passed(conn);
	conn->wanted_application = conn->wanted_operator = conn->wanted_policy = 0;
}

static uint64_t patience_end_ns(const struct conn *conn)
{
	return MIN(conn->heard_ns + PATIENCE_NS, conn->patience_ns + PATIENCE_MOST_NS);
}

static void give_up_one(struct plan *plan, struct conn *conn, enum subflow_asker asker)
{
	if (asker == ASKER_APPLICATION)
		conn_settle(&plan->table, conn, 1, 0);
	else if (asker == ASKER_ELEPHANT)
		conn_drop_passed(conn);
}

/* Ids are not used twice: no subflow will leave from there any more. */
static void note_spent(
	struct plan *plan, struct conn *conn, const struct endpoint *local, uint32_t subflows)
{
	char text[ENDPOINT_TEXT_MAX];

	plan->counters.create_failures += subflows;
	conn_say(conn, "no subflow from %s: the 256 address ids of its connection are used up",
		endpoint_text(local, text));
}

/* For how long yet. */
static unsigned long long seconds_to(const struct plan *plan, uint64_t until_ns)
{
	return (until_ns - plan->now_ns + SECOND_NS - 1) / SECOND_NS;
}

/* Whether the destination's hosts have reset so many that were up beside as many as these. */
static bool is_filled(struct plan *plan, struct conn *conn, const struct endpoint *remote)
{
	const struct refusals_entry *held = room_find_held(plan, conn, remote);
	char why[REFUSALS_TEXT_MAX], text[ENDPOINT_TEXT_MAX];

	if (!held)
		return false;
	conn_say(conn,
		"no subflow: %s takes %u of a connection, and reset the last %u beyond that (%s); "
		"none is tried for another %llu s",
		endpoint_text(remote, text), held->last.room, held->in_a_row,
		refusal_text(&held->last, why), seconds_to(plan, held->until_ns));
	return true;
}

/* Whether the destination has refused so many joins that none is tried now; says so. */
static bool is_held(struct plan *plan, struct conn *conn, const struct endpoint *remote)
{
	const struct refusals_entry *held =
		refusals_find_held(&plan->refusals, conn->key.netns, remote, plan->now_ns);
	char why[REFUSALS_TEXT_MAX], text[ENDPOINT_TEXT_MAX];

	if (!held)
		return is_filled(plan, conn, remote);
	conn_say(conn,
		"no subflow: %s refused the last %u joins (%s), as behind a %s; none is tried for "
		"another %llu s",
		endpoint_text(remote, text), held->in_a_row, refusal_text(&held->last, why),
		held->last.error == ETIMEDOUT ? "firewall" : "load balancer",
		seconds_to(plan, held->until_ns));
	return true;
}

/* Until when none is tried there. */
static uint64_t held_until_ns(
	struct plan *plan, const struct conn *conn, const struct endpoint *remote)
{
	const struct refusals_entry *held =
		refusals_find_held(&plan->refusals, conn->key.netns, remote, plan->now_ns);

	if (!held)
		held = room_find_held(plan, conn, remote);
	return held ? held->until_ns : 0;
}

/* Whether the peer has reset one beside as many as these; says so. */
static bool has_no_more_room(const struct plan *plan, struct conn *conn)
{
	if (!room_is_full(plan, conn))
		return false;
	conn_say(conn,
		"no subflow: its peer took %u, and reset one more; none is tried before one has "
		"gone, or for another %llu s",
		conn->room.subflows, seconds_to(plan, conn->room.until_ns));
	return true;
}

/* What replaces one that was there, and what the application says now, is another matter. */
static bool is_barred(const struct plan *plan, struct conn *conn, enum subflow_asker asker,
	const struct endpoint *remote)
{
	struct endpoint plain = endpoint_unmap(remote);
	char text[ENDPOINT_TEXT_MAX];

	if (asker != ASKER_ELEPHANT && asker != ASKER_POLICY)
		return false;
	if (endpoint_is_equal(&conn->barred, &plain)) {
		conn_say(conn, "no subflow: %s has refused one for good",
			endpoint_text(remote, text));
		return true;
	}
	return has_no_more_room(plan, conn);
}

static enum want want_of(enum steer_answer answer)
{
	return answer == STEER_ALL ? WANT_ALL : answer == STEER_MORE ? WANT_PORTS : WANT_WAYS;
}

/*
 * The port by which the subflow takes a way of its own. -EAGAIN: that is not known yet, and
 * EVENT_PATHS or the end of patience will tell. A repair, and what is opened after another that
 * nobody answered, takes the best that is known at once: the dead path answers no probe. So does
 * an alternative: others wait for it.
 */
static int choose_port(struct plan *plan, struct conn *conn, enum subflow_asker asker, int slot,
	const struct endpoint *local, const struct endpoint *remote, uint64_t cause_ns,
	struct steer_choice *ret_choice)
{
	bool is_late = asker == ASKER_REPAIR || (asker == ASKER_LIST && slot < 0) ||
		       conn->unanswered || conn->is_mending ||
		       (conn->patience_ns && plan->now_ns >= patience_end_ns(conn));
	enum steer_answer answer =
		steer_choose(&plan->steer, conn, local, remote, is_late, plan->now_ns, ret_choice);
	struct action *action;

	if (answer == STEER_GO)
		return 0;
	if (!conn->patience_ns)
		conn->patience_ns = conn->heard_ns = plan->now_ns;
	conn->cause_ns = cause_ns;
	conn->is_steering = true;
	conn_set_retry(&plan->table, conn, patience_end_ns(conn));
	action = actions_add(&plan->actions, ACTION_SURVEY, conn);
	if (!action)
		return -EAGAIN;
	action->local = *local;
	action->remote = *remote;
	action->want = want_of(answer);
	if (asker == ASKER_ELEPHANT)
		benefit_prepare(plan, conn);
	return -EAGAIN;
}

/*
 * More subflows on one path carry no more than one, take from its other flows what is theirs, and
 * cost CPU. Who asks for them gets them all the same.
 */
static int weigh(struct plan *plan, struct conn *conn, const struct path *path,
	const struct endpoint *local, const struct endpoint *remote, uint64_t cause_ns)
{
	int err;

	if (steer_has_single_path(&plan->steer, conn, local, remote))
		return plan->rule.on_single_path ? 0 : -ENETUNREACH;
	err = lasthop_admit(plan, conn);
	if (!err)
		err = brake_admit(plan, conn, cause_ns);
	if (err)
		return err;
	return benefit_admit(plan, conn, path, remote);
}

/*
 * Beside those that are on their way out; when one is gone it is tried again. What replaces them
 * must be there before they may go, and what replaces a dead one does not wait for its end.
 */
static bool has_room(const struct plan *plan, const struct conn *conn, enum subflow_asker asker)
{
	bool is_in_place =
		asker == ASKER_REPAIR || (asker == ASKER_LIST && conn->listed->is_replacing);
	uint32_t most = MAX(plan->max_subflows, rules_of(plan, conn)->max_subflows);

	return conn->n_subflows < SUBFLOWS_HARD_MAX &&
	       (is_in_place || conn_count_there(conn) < most);
}

/*
 * With the address id that it needs; NULL, and -errno in *@ret_err. Each address has one without a
 * port as well: by that the kernel chooses ports when there are no more ids.
 */
static struct subflow *add_subflow(struct plan *plan, struct conn *conn,
	const struct endpoint *local, const struct endpoint *remote, int *ret_err)
{
	uint32_t ids = conn->ids.count;
	struct endpoint plain = *local;
	struct subflow *subflow;
	uint8_t id;

	plain.port = 0;
	if (local->port)
		ids_get(&conn->ids, &plain, &id);
	*ret_err = ids_get(&conn->ids, local, &id);
	if (*ret_err)
		return NULL;
	if (conn->ids.count > ids)
		conn_owe_receipt(&plan->table, conn); /* the next daemon uses none twice */
	subflow = conn_add_subflow(conn);
	if (!subflow) {
		*ret_err = -ENOMEM;
		return NULL;
	}
	subflow->state = SUBFLOW_OPENING;
	subflow->local = *local;
	subflow->remote = *remote;
	subflow->id = id;
	subflow->slot = -1;
	return subflow;
}

/* The port that the application gave leads where it leads: that counts as soon as it is known. */
static void seek_exact(struct plan *plan, struct conn *conn, struct subflow *subflow)
{
	struct action *action = NULL;

	if (subflow->is_exact && steer_seek(&plan->steer, conn, subflow, plan->now_ns))
		action = actions_add(&plan->actions, ACTION_SURVEY, conn);
	if (!action)
		return;
	action->local = subflow->local;
	action->local.port = 0;
	action->remote = subflow->remote;
}

/* From the port that was given or chosen or, when there are no more ids, from the kernel's. */
static struct subflow *add_chosen(struct plan *plan, struct conn *conn,
	const struct endpoint *local, const struct endpoint *remote, struct steer_choice *choice,
	int *ret_err)
{
	struct endpoint chosen = *local;
	struct subflow *subflow;

	chosen.port = local->port ? local->port : choice->port;
	subflow = add_subflow(plan, conn, &chosen, remote, ret_err);
	if (*ret_err != -ENOSPC || local->port)
		return subflow;
	chosen.port = 0;
	*choice = (struct steer_choice){};
	return add_subflow(plan, conn, &chosen, remote, ret_err);
}

/* One that cannot be asked for is gone. */
static int ask_for(struct plan *plan, struct conn *conn, struct subflow *subflow, uint64_t cause_ns)
{
	bool is_request = subflow->asker == ASKER_APPLICATION || subflow->slot >= 0;
	struct action *action =
		is_request ? actions_begin(&plan->actions, ACTION_CREATE, conn, subflow)
			   : actions_add_about(&plan->actions, ACTION_CREATE, conn, subflow);

	if (!action) {
		subflow->replaces = 0;
		subflows_remove(plan, conn, subflow);
		return -ENOMEM;
	}
	action->cause_ns = cause_ns;
	quiet_begin(plan, conn, subflow, action);
	seek_exact(plan, conn, subflow);
	return 0;
}

static int open_subflow(struct plan *plan, struct conn *conn, enum subflow_asker asker, int slot,
	const struct endpoint *local, const struct endpoint *remote, uint64_t cause_ns)
{
	struct steer_choice choice = {};
	struct subflow *subflow;
	bool is_judged;
	int err = 0;

	if (!has_room(plan, conn, asker))
		return -EDQUOT;
	if (!local->port)
		err = choose_port(plan, conn, asker, slot, local, remote, cause_ns, &choice);
	if (err)
		return err;
	if (asker == ASKER_ELEPHANT)
		err = weigh(plan, conn, &choice.path, local, remote, cause_ns);
	if (err < 0)
		return err;
	is_judged = err;
	subflow = add_chosen(plan, conn, local, remote, &choice, &err);
	if (!subflow)
		return err;
	subflow->asker = asker;
	subflow->is_exact = local->port;
	subflow->slot = slot;
	if (slot >= 0)
		subflow->since = conn->listed->list[slot].since;
	steer_take(&plan->steer, conn, subflow, &choice);
	if (choice.is_shared)
		apart_hear_shared(plan, conn, subflow);
	if (is_judged)
		benefit_take(plan, conn, subflow);
	return ask_for(plan, conn, subflow, cause_ns);
}

int opening_move(struct plan *plan, struct conn *conn, const struct subflow *subflow,
	const struct steer_choice *choice)
{
	struct endpoint local = subflow->local, remote = subflow->remote;
	struct subflow *heir;
	int err;

	if (conn->n_subflows >= SUBFLOWS_HARD_MAX)
		return -EDQUOT;
	if (is_held(plan, conn, &remote))
		return -EHOSTUNREACH;
	local.port = choice->port;
	heir = add_subflow(plan, conn, &local, &remote, &err);
	if (!heir)
		return err;
	heir->asker = ASKER_MOVE;
	heir->replaces = subflow->serial;
	steer_take(&plan->steer, conn, heir, choice);
	return ask_for(plan, conn, heir, 0);
}

/*
 * What waited for paths has them: the next one waits as if it were the first, and if there is none
 * that waits for something else, it asks as if it were.
 */
static void end_steering(struct conn *conn)
{
	conn->patience_ns = 0;
	if (conn_count_wanted(conn))
		return;
	conn->has_asked_all = false;
	conn->asked_more = 0;
}

/* False: it waits for paths. */
static bool mesh_with(struct plan *plan, struct conn *conn, const struct endpoint *remote)
{
	struct endpoint local;
	int err;

	while (conn_count_all(conn) < plan->max_subflows &&
		mesh_take(conn->mesh, conn->listed, remote, &local)) {
		err = is_held(plan, conn, remote) || has_no_more_room(plan, conn)
			      ? -EHOSTUNREACH
			      : open_subflow(plan, conn, ASKER_MESH, -1, &local, remote, 0);
		if (err == -ENOSPC) {
			note_spent(plan, conn, &local, 1);
			continue;
		}
		if (err) {
			mesh_give_back(conn->mesh, &local, remote);
			return err != -EAGAIN;
		}
		end_steering(conn);
		plan->counters.policies++;
		conn_say(conn, "fullmesh: %u in all", conn_count_all(conn));
	}
	return true;
}

static int open_from(struct plan *plan, struct conn *conn, int slot,
	const struct listed_address *address, uint64_t cause_ns)
{
	struct endpoint local = address->endpoint, remote;
	int err;

	if (slot >= 0 && lists_is_clearing(conn, &local))
		return -ENOENT;
	if (!ends_choose_remote(conn, &local, &remote)) {
		conn_say(conn, "waiting for an address of the peer that can be reached from those "
			       "that the application has listed");
		return -ENOENT;
	}
	if (is_held(plan, conn, &remote))
		return -EHOSTUNREACH;
	err = open_subflow(plan, conn, ASKER_LIST, slot, &local, &remote, cause_ns);
	local.port = 0;
	if (!err && conn->mesh)
		mesh_note(conn->mesh, &local, &remote);
	return err;
}

/* -EAGAIN and others: it is tried again by whatever brings it on. */
static int open_listed(struct plan *plan, struct conn *conn, uint64_t cause_ns)
{
	struct listed_address *address;
	int err;

	for (int i = 0; i < WISHES_MAX; i++) {
		address = &conn->listed->list[i];
		while (address->wanted) {
			err = open_from(plan, conn, i, address, cause_ns);
			/* Others may have an id of their own. */
			if (err == -ENOSPC)
				note_spent(plan, conn, &address->endpoint, address->wanted);
			if (err == -EHOSTUNREACH)
				plan->counters.withheld += address->wanted;
			if (err == -EHOSTUNREACH || err == -ENOSPC)
				lists_give_up(plan, conn, i);
			if (err == -ENOENT || err == -EHOSTUNREACH || err == -ENOSPC)
				break;
			if (err)
				return err;
			address->wanted--;
		}
	}
	return 0;
}

bool opening_alternative(struct plan *plan, struct conn *conn)
{
	struct listed_address *address;

	for (int i = 0; i < WISHES_MAX; i++) {
		address = &conn->listed->list[i];
		if (!address->adds || address->is_tried)
			continue;
		address->is_tried = true;
		if (!open_from(plan, conn, -1, address, 0))
			return true;
	}
	return false;
}

/* Without it the connection ends: then it is tried whatever its destination has refused. */
static bool is_vital(const struct conn *conn, enum subflow_asker asker)
{
	return asker == ASKER_REPAIR && !conn_count_live(conn);
}

static void say_awaited(struct conn *conn)
{
	conn_say(conn, conn->denies_join
			       ? "waiting for another address of the peer, which allows no "
				 "subflow to its first one (RFC 8684 3.1, C flag)"
			       : "waiting for an address that the application allows and the "
				 "peer can be reached from");
}

/*
 * By number, or of our own accord; false: the rest waits for what brings it on. While the paths of
 * another are waited for, repairs alone.
 */
static bool open_wanted(struct plan *plan, struct conn *conn, uint64_t cause_ns)
{
	struct endpoint local, remote;
	enum subflow_asker asker;
	bool has_opened = false, is_mending = conn->is_steering;
	int err;

	while (is_mending ? conn->wanted_repair : conn_count_wanted(conn)) {
		if (!ends_choose(conn, &local, &remote)) {
			say_awaited(conn);
			break;
		}
		asker = conn_take_wanted(conn);
		if ((!is_vital(conn, asker) && is_held(plan, conn, &remote)) ||
			is_barred(plan, conn, asker, &remote)) {
			plan->counters.withheld++;
			news_add(&plan->news, NEWS_HELD, conn);
			give_up_one(plan, conn, asker);
			if (asker == ASKER_REPAIR)
				revival_miss(plan, conn, held_until_ns(plan, conn, &remote));
			continue;
		}
		err = open_subflow(plan, conn, asker, -1, &local, &remote, cause_ns);
		if (err == -ENETUNREACH) {
			plan->counters.single_paths++;
			conn_drop_passed(conn);
			conn_say(conn, "not split: one path leads to its peer");
			news_add(&plan->news, NEWS_HELD, conn);
		} else if (err == -EHOSTDOWN) {
			conn_drop_passed(conn);
			news_add(&plan->news, NEWS_HELD, conn);
		} else if (err == -ENOSPC) {
			note_spent(plan, conn, &local, 1);
			give_up_one(plan, conn, asker);
		} else if (err == -EBUSY) {
			conn_want_again(conn, asker);
			break;
		} else if (err) {
			conn_want_again(conn, asker);
			return false;
		}
		has_opened |= !err;
	}
	if (has_opened && !is_mending)
		end_steering(conn);
	return true;
}

/* False: it waits for paths. */
static bool open_mesh(struct plan *plan, struct conn *conn)
{
	struct endpoint remote = endpoint_unmap(&conn->remote);
	bool is_done = conn->denies_join || mesh_with(plan, conn, &remote);

	for (uint32_t i = 0; i < conn->remotes.count; i++) {
		if (conn->remotes.list[i].endpoint.family == remote.family)
			is_done &= mesh_with(plan, conn, &conn->remotes.list[i].endpoint);
	}
	return is_done;
}

static void open_all(struct plan *plan, struct conn *conn, uint64_t cause_ns)
{
	bool is_mending = conn->is_steering;

	if (conn->is_server || conn->is_foreign)
		give_up_wanted(plan, conn);
	if (conn->listed && conn->is_server)
		lists_announce(plan, conn);
	else if (conn->listed && !conn->is_foreign && open_listed(plan, conn, cause_ns))
		return;
	if (!open_wanted(plan, conn, cause_ns) || (conn->mesh && !open_mesh(plan, conn)))
		return;
	if (!is_mending)
		end_steering(conn);
}

void opening_run(struct plan *plan, struct conn *conn, uint64_t cause_ns)
{
	bool is_awaited = conn->retry_ns && !(conn->is_steering && conn->is_mending);

	if (!conn->is_established || is_awaited)
		return;
	open_all(plan, conn, cause_ns);
	/* What is wanted still is not to be had now, and may never be. */
	if (!conn->retry_ns)
		lists_review(plan, conn);
}

void opening_run_all(struct plan *plan, uint64_t now_ns)
{
	struct conn *conn, *next;

	tape_call(plan, LINE_LIMITS, (struct line_call){.now_ns = now_ns});
	plan->now_ns = MAX(plan->now_ns, now_ns);
	HASH_ITER (hh, plan->table.conns, conn, next)
		opening_run(plan, conn, 0);
}
