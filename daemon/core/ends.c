/* SPDX-License-Identifier: MIT */
/* Judgement: between which addresses the next subflow goes. */
#include "ends.h"

#include "core/listed.h"

/* Where a subflow from @local may go, the first choice first: how many there are. */
static uint32_t list_remotes(const struct conn *conn, const struct endpoint *local,
	struct endpoint list[1 + REMOTES_MAX])
{
	struct endpoint remote = endpoint_unmap(&conn->remote);
	uint32_t count = 0;

	if (!conn->denies_join && remote.family == local->family)
		list[count++] = remote;
	for (uint32_t i = 0; i < conn->remotes.count; i++) {
		remote = conn->remotes.list[i].endpoint;
		if (remote.family == local->family)
			list[count++] = remote;
	}
	return count;
}

bool ends_choose_remote(
	const struct conn *conn, const struct endpoint *local, struct endpoint *ret_remote)
{
	struct endpoint list[1 + REMOTES_MAX];

	if (!list_remotes(conn, local, list))
		return false;
	*ret_remote = list[0];
	return true;
}

/* Where the next subflow goes if the first one's address may not be used. */
static bool choose_listed(
	const struct conn *conn, struct endpoint *ret_local, struct endpoint *ret_remote)
{
	const struct listed_address *address;

	for (int i = 0; i < WISHES_MAX; i++) {
		address = &conn->listed->list[i];
		if (!address->adds || !ends_choose_remote(conn, &address->endpoint, ret_remote))
			continue;
		*ret_local = address->endpoint;
		ret_local->port = 0;
		return true;
	}
	return false;
}

/* Whether @subflow lives, and others may go where it goes. */
static bool shows_way(const struct conn *conn, const struct subflow *subflow)
{
	struct endpoint local = endpoint_unmap(&subflow->local),
			remote = endpoint_unmap(&subflow->remote),
			first = endpoint_unmap(&conn->remote);

	return subflow->state == SUBFLOW_ESTABLISHED && !subflow->is_doomed &&
	       !subflow->is_silent && listed_allows(conn->listed, &local) &&
	       !(conn->denies_join && endpoint_is_equal(&remote, &first));
}

/* The first one that lives and is no backup; NULL: none. */
static const struct subflow *find_live(const struct conn *conn)
{
	const struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (shows_way(conn, subflow) && !subflow->is_backup)
			return subflow;
	}
	return NULL;
}

/* Whether one lives between the address of @local and @remote. */
static bool is_alive(
	const struct conn *conn, const struct endpoint *local, const struct endpoint *remote)
{
	struct endpoint near = endpoint_unmap(local), far = endpoint_unmap(remote), own, peers;
	const struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		own = endpoint_unmap(&subflow->local);
		peers = endpoint_unmap(&subflow->remote);
		if (shows_way(conn, subflow) && endpoint_is_same_address(&own, &near) &&
			endpoint_is_equal(&peers, &far))
			return true;
	}
	return false;
}

/* From the first subflow's address or, if that may not be used, from one that is listed. */
static bool choose_usual(
	const struct conn *conn, struct endpoint *ret_local, struct endpoint *ret_remote)
{
	struct endpoint local = conn->local, remote = conn->remote;

	if (!listed_allows(conn->listed, &local))
		return choose_listed(conn, ret_local, ret_remote);
	if (conn->denies_join) {
		local = endpoint_unmap(&local);
		if (!ends_choose_remote(conn, &local, &remote))
			return false;
	}
	local.port = 0;
	*ret_local = local;
	*ret_remote = remote;
	return true;
}

/* The peer's addresses by turns: the next after each try of a revival, or two unanswered ones. */
static void take_turn(const struct conn *conn, struct endpoint *local, struct endpoint *remote)
{
	uint32_t turn = conn->revival.tries + conn->unanswered / 2, count;
	struct endpoint list[1 + REMOTES_MAX], near = endpoint_unmap(local);

	count = list_remotes(conn, &near, list);
	if (!count || !(turn % count))
		return;
	*local = near;
	*remote = list[turn % count];
}

bool ends_choose(const struct conn *conn, struct endpoint *ret_local, struct endpoint *ret_remote)
{
	bool is_chosen = choose_usual(conn, ret_local, ret_remote);
	const struct subflow *live;

	if (!conn->wanted_repair || (is_chosen && is_alive(conn, ret_local, ret_remote)))
		return is_chosen;
	live = find_live(conn);
	if (live) {
		*ret_local = live->local;
		*ret_remote = live->remote;
		ret_local->port = 0;
	} else if (is_chosen) {
		take_turn(conn, ret_local, ret_remote);
	}
	return live || is_chosen;
}
