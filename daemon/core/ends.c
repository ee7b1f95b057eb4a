/* SPDX-License-Identifier: MIT */
/* Judgement: between which addresses the next subflow goes. */
#include "ends.h"

#include "core/listed.h"

bool ends_choose_remote(
	const struct conn *conn, const struct endpoint *local, struct endpoint *ret_remote)
{
	struct endpoint remote = endpoint_unmap(&conn->remote);

	if (!conn->denies_join && remote.family == local->family) {
		*ret_remote = remote;
		return true;
	}
	for (uint32_t i = 0; i < conn->remotes.count; i++) {
		remote = conn->remotes.list[i].endpoint;
		if (remote.family == local->family) {
			*ret_remote = remote;
			return true;
		}
	}
	return false;
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

/* The first subflow that lives, from the address of @local or (NULL) from any that may be used. */
static const struct subflow *find_live(const struct conn *conn, const struct endpoint *local)
{
	struct endpoint wanted = local ? endpoint_unmap(local) : (struct endpoint){}, own;
	const struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		own = endpoint_unmap(&subflow->local);
		if (subflow->state == SUBFLOW_ESTABLISHED && !subflow->is_doomed &&
			!subflow->is_silent && listed_allows(conn->listed, &own) &&
			(local ? endpoint_is_same_address(&own, &wanted) : !subflow->is_backup))
			return subflow;
	}
	return NULL;
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

bool ends_choose(const struct conn *conn, struct endpoint *ret_local, struct endpoint *ret_remote)
{
	const struct subflow *live = conn->wanted_repair ? find_live(conn, NULL) : NULL;
	bool is_chosen = choose_usual(conn, ret_local, ret_remote);

	if (!live || (is_chosen && find_live(conn, ret_local)))
		return is_chosen;
	*ret_local = live->local;
	*ret_remote = live->remote;
	ret_local->port = 0;
	return true;
}
