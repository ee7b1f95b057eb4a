/* SPDX-License-Identifier: MIT */
/* Judgement: what a change of a namespace's addresses means for its connections. */
#include "multihome.h"

#include "core/closing.h"
#include "core/opening.h"

static bool has_gone(const struct multihome_change *change, const struct endpoint *local)
{
	struct endpoint plain = endpoint_unmap(local);

	for (uint32_t i = 0; i < change->n_gone; i++) {
		if (endpoint_is_same_address(&change->gone[i], &plain))
			return true;
	}
	return false;
}

/* REMOVE_ADDR, once for each address id: the peer cannot see that the address has gone. */
static void tell_peer(struct plan *plan, struct conn *conn, uint8_t id, uint8_t told[32])
{
	struct action *action;

	if (told[id / 8] & 1 << id % 8)
		return;
	told[id / 8] |= 1 << id % 8;
	action = actions_add(&plan->actions, ACTION_WITHDRAW, conn);
	if (action)
		action->id = id;
}

static void lose(struct plan *plan, struct conn *conn, const struct multihome_change *change)
{
	uint32_t lost = 0, others = 0;
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint last = {};
	struct subflow *subflow;
	uint8_t told[32] = {};

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->state != SUBFLOW_ESTABLISHED || subflow->is_doomed)
			continue;
		if (!has_gone(change, &subflow->local)) {
			others++;
			continue;
		}
		last = subflow->local;
		lost++;
	}
	if (!lost)
		return;
	if (!others) {
		conn_say(conn, "the address of %s has gone, and no other subflow is left",
			endpoint_text(&last, text));
		return;
	}
	/* Before the subflow: with it the kernel forgets the id. */
	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->state != SUBFLOW_ESTABLISHED || subflow->is_doomed ||
			!has_gone(change, &subflow->local))
			continue;
		subflow->is_lost = true;
		tell_peer(plan, conn, subflow->id, told);
	}
	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->state != SUBFLOW_ESTABLISHED || !subflow->is_lost)
			continue;
		plan->counters.lost++;
		closing_begin(plan, conn, subflow);
		repair_hear_lost(plan, conn, subflow);
	}
	conn_say(conn, "the address of %s has gone: %u closed, %u left", endpoint_text(&last, text),
		lost, others);
	opening_run(plan, conn, 0);
}

void multihome_hear(struct plan *plan, uint64_t netns, const struct multihome_change *change)
{
	struct conn *conn, *next;

	tape_call(plan, LINE_ADDRESSES,
		(struct line_call){.netns = netns,
			.gone = {.list = change->gone, .count = change->n_gone},
			.usable = {.list = change->usable, .count = change->n_usable}});
	HASH_ITER (hh, plan->table.conns, conn, next) {
		if (conn->key.netns != netns || conn->is_foreign)
			continue;
		if (change->n_gone)
			lose(plan, conn, change);
		revival_hear_addresses(plan, conn);
		if (!conn->mesh || conn_is_confined(conn))
			continue;
		for (uint32_t i = 0; i < change->n_gone; i++)
			mesh_forget_local(conn->mesh, &change->gone[i]);
		mesh_set_locals(conn->mesh, change->usable, change->n_usable);
		opening_run(plan, conn, 0);
	}
}
