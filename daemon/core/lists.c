/* SPDX-License-Identifier: MIT */
/* Judgement: what an application's lists of local addresses mean for its connection. */
#include "lists.h"

#include "core/closing.h"
#include "core/intent.h"
#include "core/opening.h"

#include <stdlib.h>
#include <string.h>

static struct endpoint read_endpoint(const struct wish *wish)
{
	struct endpoint endpoint = {.family = AF_INET6, .port = wish->port};

	memcpy(&endpoint.v6, wish->addr, sizeof(endpoint.v6));
	return endpoint_unmap(&endpoint);
}

static void put_receipt(struct conn *conn, int slot)
{
	conn->receipt.wishes[slot].since = conn->listed->list[slot].since;
	conn->receipt.wishes[slot].done = conn->listed->list[slot].done;
}

static void want(struct plan *plan, struct conn *conn, int slot, uint16_t adds)
{
	struct listed_address *address = &conn->listed->list[slot];
	uint32_t in_all;
	uint16_t granted = 0;

	address->adds += adds;
	for (; granted < adds; granted++) {
		in_all = conn_count_all(conn);
		if (conn->is_foreign || (!conn->is_server && !conn->listed->owes_first &&
						in_all >= plan->max_subflows))
			break;
		address->wanted++;
	}
	address->done += adds - granted;
	plan->counters.dropped += adds - granted;
	put_receipt(conn, slot);
}

/* As it is announced: the port of its listener goes without saying. */
static struct endpoint announced_end(const struct conn *conn, const struct listed_address *address)
{
	struct endpoint local = address->endpoint;

	if (local.port == conn->local.port)
		local.port = 0;
	return local;
}

static void note_withdrawn(struct listed *listed, uint8_t id)
{
	listed->withdrawn[id / 8] |= 1 << id % 8;
	listed->has_withdrawn = true;
}

/* What the slot lists no more the peer is to forget. */
static void withdraw(struct conn *conn, int slot)
{
	if (conn->receipt.announced[slot])
		note_withdrawn(conn->listed, conn->receipt.announced[slot]);
	conn->receipt.announced[slot] = 0;
}

/* Whether it is what an earlier daemon has heard of. */
static bool is_resumed(const struct conn *conn, int slot, uint16_t since)
{
	return conn->receipt.heard && conn->receipt.wishes[slot].since == since;
}

/* What an earlier daemon has done for this slot is not done again. */
static void resume(struct conn *conn, int slot, struct listed_address *address, uint16_t adds)
{
	struct endpoint local = announced_end(conn, address);

	if (conn->receipt.announced[slot])
		ids_note(&conn->ids, &local, conn->receipt.announced[slot]);
	address->done = conn->receipt.wishes[slot].done;
	if (conn->resumed_adds && address->done < adds) {
		conn->resumed_adds--;
		address->done++;
	}
	address->adds = address->done;
	address->is_leaving = false;
	address->is_announced = address->adds;
}

/* Whether the slot means what it meant before. */
static bool is_known(const struct listed_address *address, const struct wish *wish,
	const struct endpoint *endpoint)
{
	return address->endpoint.family && address->since == wish->since &&
	       endpoint_is_equal(&address->endpoint, endpoint);
}

/* Takes in what one slot says now: how many more are wanted from there. */
static uint16_t hear_slot(
	struct plan *plan, struct conn *conn, int slot, const struct wish *wish, bool is_fresh)
{
	struct listed_address *address = &conn->listed->list[slot];
	struct endpoint endpoint = read_endpoint(wish);
	bool is_taken = wish->flags & WISH_TAKEN, is_same;

	is_same = is_taken && (is_fresh ? is_resumed(conn, slot, wish->since)
					: is_known(address, wish, &endpoint));
	if (!is_same)
		withdraw(conn, slot);
	if (!is_taken) {
		*address = (struct listed_address){};
		return 0;
	}
	if (!is_same || is_fresh)
		*address = (struct listed_address){.endpoint = endpoint,
			.since = wish->since,
			.is_leaving = wish->flags & WISH_REMOVED};
	if (is_same && is_fresh)
		resume(conn, slot, address, wish->adds);
	if (wish->adds)
		listed_restore(conn->listed, &endpoint);
	else if (wish->flags & WISH_REMOVED && !endpoint.port)
		listed_remove(conn->listed, &endpoint);
	plan->counters.requests += (uint16_t)(wish->adds - address->adds);
	return wish->adds - address->adds;
}

static bool is_leaving(const struct conn *conn, const struct subflow *subflow)
{
	for (int i = 0; i < WISHES_MAX; i++) {
		if (conn->listed->list[i].is_leaving && !conn->listed->list[i].is_marked &&
			listed_means(&conn->listed->list[i], &subflow->local))
			return true;
	}
	return false;
}

static bool is_used_by_others(const struct conn *conn, uint8_t id)
{
	const struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->id == id && subflow->state != SUBFLOW_CLOSING && !subflow->is_doomed)
			return true;
	}
	return false;
}

/* By whichever slot: an address is one, with the port of its listener or without. */
static bool is_still_announced(const struct conn *conn, uint8_t id)
{
	return id && memchr(conn->receipt.announced, id, sizeof(conn->receipt.announced));
}

/* REMOVE_ADDR, before the subflows are closed: with them the kernel forgets the id. */
static void tell_peer(struct plan *plan, struct conn *conn, uint8_t id)
{
	struct action *action;

	if (is_used_by_others(conn, id) || is_still_announced(conn, id))
		return;
	action = actions_add(&plan->actions, ACTION_WITHDRAW, conn);
	if (action) {
		action->id = id;
		if (id && conn->is_server && id < conn->ids.count)
			action->local = conn->ids.locals[id];
	}
	/* It may carry that out late, upon whatever has the id by then. */
	ids_forget(&conn->ids, id);
}

static bool is_to_close(const struct subflow *subflow)
{
	return subflow->state == SUBFLOW_ESTABLISHED && subflow->is_doomed && subflow->is_lost;
}

static struct subflow *find_to_close(const struct conn *conn)
{
	struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (is_to_close(subflow))
			return subflow;
	}
	return NULL;
}

static void tell_of_withdrawn(struct plan *plan, struct conn *conn)
{
	struct listed *listed = conn->listed;

	for (int id = 0; id <= UINT8_MAX && listed->has_withdrawn; id++) {
		if (listed->withdrawn[id / 8] & 1 << id % 8)
			tell_peer(plan, conn, id);
	}
	memset(listed->withdrawn, 0, sizeof(listed->withdrawn));
	listed->has_withdrawn = false;
}

static void end_replacing(struct plan *plan, struct conn *conn)
{
	conn->listed->is_replacing = false;
	for (int i = 0; i < WISHES_MAX; i++)
		conn->listed->list[i].is_leaving = false;
	intent_note_heard(plan, conn);
}

static void close_doomed(struct plan *plan, struct conn *conn)
{
	struct subflow *subflow;

	conn->listed->is_replacing = false;
	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (is_to_close(subflow))
			note_withdrawn(conn->listed, subflow->id);
	}
	tell_of_withdrawn(plan, conn);
	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (is_to_close(subflow))
			closing_begin(plan, conn, subflow);
	}
	end_replacing(plan, conn);
}

/* Whether one is on its way that is to stay. */
static bool is_opening(const struct conn *conn)
{
	const struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if ((subflow->state == SUBFLOW_OPENING || quiet_is_on(subflow)) &&
			!subflow->is_doomed)
			return true;
	}
	return false;
}

/* One of them stays, the oldest. */
static void give_up(struct plan *plan, struct conn *conn)
{
	struct subflow *subflow = find_to_close(conn);

	if (subflow) {
		subflow->is_doomed = subflow->is_lost = subflow->is_withdrawn = false;
		plan->counters.dropped++;
		close_doomed(plan, conn);
	} else {
		end_replacing(plan, conn);
	}
	conn_say(conn, "the last subflow stays: none could be opened in its place");
}

/* Whether there is one that stays, and may send. */
static bool has_usable(const struct conn *conn)
{
	const struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->state == SUBFLOW_ESTABLISHED && !subflow->is_doomed &&
			!quiet_is_on(subflow))
			return true;
	}
	return false;
}

/* Dooms what leaves; whether there is anything. */
static bool mark(struct conn *conn)
{
	struct subflow *subflow;
	bool leaves = false;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->state != SUBFLOW_CLOSING && !subflow->is_doomed &&
			is_leaving(conn, subflow))
			subflow->is_doomed = subflow->is_lost = subflow->is_withdrawn = true;
	}
	for (int i = 0; i < WISHES_MAX; i++) {
		leaves |= conn->listed->list[i].is_leaving;
		conn->listed->list[i].is_marked = conn->listed->list[i].is_leaving;
		conn->listed->list[i].is_tried = false;
	}
	return leaves;
}

bool lists_hear(struct plan *plan, struct conn *conn, const struct event *event)
{
	bool is_fresh = !conn->listed, leaves;
	uint16_t more[WISHES_MAX];

	if (!event->has_wishes || (int32_t)(event->generation - conn->generation) <= 0)
		return false;
	if (is_fresh) {
		conn->listed = calloc(1, sizeof(*conn->listed));
		if (!conn->listed)
			return false;
		conn->listed->owes_first = event->wishes.is_restricted && !conn->receipt.heard;
	}
	conn->listed->is_restricted = event->wishes.is_restricted;
	for (int i = 0; i < WISHES_MAX; i++)
		more[i] = hear_slot(plan, conn, i, &event->wishes.list[i], is_fresh);
	/* What goes leaves room for what comes. */
	leaves = mark(conn);
	for (int i = 0; i < WISHES_MAX; i++)
		want(plan, conn, i, more[i]);
	lists_hear_created(conn);
	conn->listed->is_replacing |= leaves;
	lists_hear_joined(plan, conn);
	return true;
}

static void drop_one(struct conn *conn, int slot)
{
	struct listed_address *address = &conn->listed->list[slot];

	address->wanted--;
	address->done++;
	put_receipt(conn, slot);
}

/* What would be opened last. */
static void drop_last(struct conn *conn)
{
	for (int i = WISHES_MAX - 1; i >= 0; i--) {
		if (!conn->listed->list[i].wanted)
			continue;
		drop_one(conn, i);
		return;
	}
}

void lists_hear_created(struct conn *conn)
{
	const struct listed_address *address;
	bool is_dropped = false;

	if (!conn->listed || !conn->listed->owes_first || !conn->is_created)
		return;
	conn->listed->owes_first = false;
	for (int i = 0; !conn->is_server && i < WISHES_MAX; i++) {
		address = &conn->listed->list[i];
		if (!address->adds || !listed_means(address, &conn->local))
			continue;
		if (address->wanted) {
			drop_one(conn, i);
			return;
		}
		is_dropped = true;
	}
	/* It was taken back before it was known to be the first: another one goes for it. */
	if (is_dropped)
		drop_last(conn);
}

bool lists_take_back(struct plan *plan, struct conn *conn)
{
	if (conn->is_server || !conn->listed ||
		listed_count_wanted(conn->listed) <= conn->listed->owes_first)
		return false;
	drop_last(conn);
	conn_settle(&plan->table, conn, 0, 1);
	return true;
}

void lists_hear_joined(struct plan *plan, struct conn *conn)
{
	if (conn->listed && (conn->listed->is_replacing || conn->listed->has_withdrawn) &&
		has_usable(conn))
		close_doomed(plan, conn);
}

void lists_review(struct plan *plan, struct conn *conn)
{
	lists_hear_joined(plan, conn);
	if (!conn->listed || !conn->listed->is_replacing || is_opening(conn))
		return;
	if (conn->is_server || conn->is_foreign || !opening_alternative(plan, conn))
		give_up(plan, conn);
}

bool lists_is_clearing(const struct conn *conn, const struct endpoint *local)
{
	const struct subflow *subflow;
	struct endpoint own;

	if (conn->listed->is_replacing)
		return false;
	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		own = endpoint_unmap(&subflow->local);
		if (subflow->is_withdrawn && endpoint_is_same_address(&own, local))
			return true;
	}
	return false;
}

void lists_settle(struct plan *plan, struct conn *conn, const struct subflow *subflow)
{
	struct listed_address *address = listed_find(conn->listed, subflow->slot, subflow->since);

	if (!address)
		return;
	address->done++;
	put_receipt(conn, subflow->slot);
	conn_owe_receipt(&plan->table, conn);
}

void lists_want_again(struct conn *conn, const struct subflow *subflow)
{
	struct listed_address *address = listed_find(conn->listed, subflow->slot, subflow->since);

	if (address)
		address->wanted++;
}

static void reopen(struct plan *plan, struct conn *conn, int slot)
{
	conn->listed->list[slot].done--;
	conn->listed->list[slot].wanted++;
	put_receipt(conn, slot);
	conn_owe_receipt(&plan->table, conn);
}

void lists_reopen(struct plan *plan, struct conn *conn, const struct subflow *subflow)
{
	const struct listed_address *address =
		listed_find(conn->listed, subflow->slot, subflow->since);

	if (address && address->done)
		reopen(plan, conn, subflow->slot);
}

void lists_owe(struct conn *conn, const struct subflow *subflow)
{
	struct listed_address *address = listed_find(conn->listed, subflow->slot, subflow->since);

	if (address && address->owed < address->done)
		address->owed++;
}

bool lists_pay(struct plan *plan, struct conn *conn)
{
	for (int i = 0; conn->listed && i < WISHES_MAX; i++) {
		if (!conn->listed->list[i].owed)
			continue;
		conn->listed->list[i].owed--;
		if (!conn->listed->list[i].done)
			continue;
		reopen(plan, conn, i);
		return true;
	}
	return false;
}

void lists_waive(struct conn *conn)
{
	for (int i = 0; conn->listed && i < WISHES_MAX; i++)
		conn->listed->list[i].owed = 0;
}

void lists_keep(struct plan *plan, struct conn *conn, const struct subflow *subflow)
{
	struct listed_address *address = listed_find(conn->listed, subflow->slot, subflow->since);

	if (!address || !address->wanted)
		return;
	drop_one(conn, subflow->slot);
	conn_owe_receipt(&plan->table, conn);
}

void lists_give_up(struct plan *plan, struct conn *conn, int slot)
{
	struct listed_address *address = &conn->listed->list[slot];

	address->done += address->wanted;
	address->wanted = 0;
	put_receipt(conn, slot);
	conn_owe_receipt(&plan->table, conn);
}

void lists_announce(struct plan *plan, struct conn *conn)
{
	struct listed_address *address;
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint local;
	struct action *action;
	uint8_t id;

	for (int i = 0; i < WISHES_MAX; i++) {
		address = &conn->listed->list[i];
		address->done += address->wanted;
		address->wanted = 0;
		if (!address->adds || address->is_announced)
			continue;
		address->is_announced = true;
		put_receipt(conn, i);
		conn_owe_receipt(&plan->table, conn);
		local = announced_end(conn, address);
		/* The peer knows the address that it has come to. */
		if (listed_means(address, &conn->local))
			continue;
		if (ids_get(&conn->ids, &local, &id)) {
			plan->counters.announce_failures++;
			conn_say(conn,
				"%s is not announced: the 256 address ids of its connection are "
				"used up",
				endpoint_text(&local, text));
			continue;
		}
		/* It may be listed with the port of its listener and without; the kernel takes one.
		 */
		if (is_still_announced(conn, id)) {
			conn->receipt.announced[i] = id;
			continue;
		}
		action = actions_add(&plan->actions, ACTION_ANNOUNCE, conn);
		if (!action) {
			plan->counters.announce_failures++;
			return;
		}
		action->local = local;
		action->id = id;
		conn->receipt.announced[i] = id;
		conn_say(conn, "as the application asked: %s announced",
			endpoint_text(&local, text));
	}
}
