/* SPDX-License-Identifier: MIT */
/* What is shown of connections, as JSON. */
#include "connections.h"

#include "base/loop.h"
#include "control/put.h"

#include <string.h>

static struct json_object *write_subflows(const struct conn *conn)
{
	static const char *const states[] = {
		[SUBFLOW_OPENING] = "opening",
		[SUBFLOW_ESTABLISHED] = "established",
		[SUBFLOW_CLOSING] = "closing",
	};
	struct json_object *array = json_object_new_array(), *object;
	const struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		object = json_object_new_object();
		put_endpoint(object, "local", &subflow->local);
		put_endpoint(object, "remote", &subflow->remote);
		put_number(object, "id", subflow->id);
		put_text(object, "state", states[subflow->state]);
		put_text(object, "asked_by", conn_asker_text(subflow->asker));
		put_flag(object, "backup", subflow->is_backup);
		put_routers(object, "path", &subflow->path);
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *write_announced(const struct conn *conn)
{
	struct json_object *array = json_object_new_array(), *object;

	for (uint32_t i = 0; i < conn->remotes.count; i++) {
		object = json_object_new_object();
		put_endpoint(object, "remote", &conn->remotes.list[i].endpoint);
		put_number(object, "id", conn->remotes.list[i].id);
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *write_thresholds(const struct conn *conn)
{
	struct json_object *array = json_object_new_array(), *object;

	for (uint32_t i = 0; i < conn->n_passed; i++) {
		object = json_object_new_object();
		put_number(object, "threshold", conn->passed[i].threshold);
		put_number(object, "bytes", conn->passed[i].bytes);
		put_number(object, "backlog", conn->passed[i].backlog);
		put_flag(object, "foreseen", !conn->passed[i].bytes && !conn->passed[i].backlog);
		put_number(object, "subflows", conn->passed[i].subflows);
		json_object_array_add(array, object);
	}
	return array;
}

/* One namespace, whose connections are written as they come. */
struct asking {
	const struct peer *peer;
	struct plan *plan;
	const struct census *census;
	const struct served_netns *netns;
	struct json_object *array;
	uint64_t count;
	bool is_out_of_reach; /* it cannot be entered: only what is remembered is shown */
};

/* Why the ports of this connection's subflows are the kernel's choice; NULL: they are not. */
static const char *find_blindness(struct plan *plan, const struct conn *conn)
{
	const struct subflow *first = TAILQ_FIRST(&conn->subflows);
	const char *why = first ? steer_why(&plan->steer, conn, first) : "";

	return *why ? why : NULL;
}

static uint64_t seconds_between(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (to_ns - from_ns) / 1000000000 : 0;
}

struct json_object *connections_write_refusals(const struct refusals_entry *entry)
{
	uint64_t now_ns = loop_now_ns();
	char text[REFUSALS_TEXT_MAX];
	struct json_object *object;

	if (!entry)
		return NULL;
	object = json_object_new_object();
	put_number(object, "in_a_row", entry->in_a_row);
	put_number(object, "beyond", entry->last.room);
	put_text(object, "reason", refusal_text(&entry->last, text));
	put_number(object, "age_s", seconds_between(entry->last_ns, now_ns));
	put_number(object, "hold_s", seconds_between(now_ns, entry->until_ns));
	return object;
}

/* What became of joins to @remote: that one was reset once it was up says that others stayed. */
static const struct refusals_entry *find_refusals(
	struct plan *plan, uint64_t netns, const struct endpoint *remote)
{
	const struct refusals_entry *entry =
		refusals_find(&plan->refusals, netns, remote, loop_now_ns());

	return entry ? entry : refusals_find(&plan->full, netns, remote, loop_now_ns());
}

/* How many subflows it may have for now, as its peer has reset what was beyond. */
static struct json_object *write_room(struct plan *plan, const struct conn *conn)
{
	uint64_t now_ns = loop_now_ns();
	const struct refusals_entry *held =
		refusals_find_held(&plan->full, conn->key.netns, &conn->remote, now_ns);
	struct room room = conn->room;
	struct json_object *object;

	if (now_ns >= room.until_ns)
		room.subflows = 0;
	if (held && (!room.subflows || held->last.room <= room.subflows))
		room = (struct room){.subflows = held->last.room, .until_ns = held->until_ns};
	if (!room.subflows)
		return NULL;
	object = json_object_new_object();
	put_number(object, "subflows", room.subflows);
	put_number(object, "hold_s", seconds_between(now_ns, room.until_ns));
	return object;
}

/* What was measured of the last subflow that was judged. */
static struct json_object *write_judged(const struct conn *conn)
{
	static const char *const verdicts[] = {
		[RATE_UNKNOWN] = "not known",
		[RATE_RISES] = "helps",
		[RATE_STAYS] = "in vain",
	};
	const struct benefit *benefit = &conn->benefit;
	struct json_object *object;

	if (!benefit->has_verdict)
		return NULL;
	object = json_object_new_object();
	put_text(object, "verdict", verdicts[benefit->verdict]);
	put_number(object, "before", benefit->before.bytes_per_s);
	put_number(object, "with", benefit->with.bytes_per_s);
	return object;
}

/* How its subflows were moved to paths of their own. */
static struct json_object *write_apart(const struct aparts *aparts, const struct conn *conn)
{
	const struct apart *apart = &conn->apart;
	struct json_object *object;

	if (!conn->is_elephant || !aparts->rule.moves)
		return NULL;
	object = json_object_new_object();
	put_number(object, "moved", apart->moved);
	put_flag(object, "is_shared", apart->is_waiting);
	put_number(object, "held_s",
		apart->spent < aparts->rule.moves
			? 0
			: seconds_between(
				  loop_now_ns(), apart->moved_ns + apart_hold_ns(aparts, apart)));
	return object;
}

/* @conn may be NULL. */
static uint64_t find_left_alone_s(
	struct plan *plan, const struct conn *conn, uint64_t netns, const struct endpoint *remote)
{
	uint64_t now_ns = loop_now_ns(), until_ns = conn ? conn->benefit.until_ns : 0;
	const struct refusals_entry *held =
		refusals_find_held(&plan->in_vain, netns, remote, now_ns);

	if (held)
		until_ns = held->until_ns;
	return until_ns > now_ns ? seconds_between(now_ns, until_ns) : 0;
}

static const char *find_state(const struct asking *asking, const struct conn *conn)
{
	if (asking->is_out_of_reach)
		return "out of reach";
	if (conn && conn->is_foreign)
		return "in-kernel path manager";
	if (conn && conn->is_created)
		return "served";
	return asking->netns->state == SERVED_ALONE ? "left alone" : "not known";
}

static const char *find_decision(const struct asking *asking, const struct conn *conn)
{
	const struct conn_table *table = &asking->plan->table;
	const char *why = "not heard of yet";

	if (conn && *conn->why)
		return conn->why;
	if (asking->is_out_of_reach)
		why = "none: its network namespace has lost its name";
	else if (asking->netns->state == SERVED_ALONE)
		why = "cannot be split: its namespace is left alone";
	else if (!conn && conn_table_count(table) >= table->limit)
		why = "the table of connections is full ([limits] max_connections)";
	return why;
}

/* The threshold that is to be told next, null: none is, and who tells. */
static void put_next(
	struct json_object *object, const struct asking *asking, const struct conn *conn)
{
	bool is_client = conn && conn->is_created && !conn->is_server;
	uint64_t next = UINT64_MAX;

	if (is_client)
		next = progress_next(&conn->progress, rules_of(asking->plan, conn));
	if (next == UINT64_MAX)
		json_object_object_add(object, "next_threshold", NULL);
	else
		put_number(object, "next_threshold", next);
	put_flag(object, "is_asked", next != UINT64_MAX && census_has(asking->census, conn));
}

/* @conn: what is remembered of it, NULL: nothing. @seen: what the kernel says, or is remembered. */
static void write_conn(
	const struct asking *asking, const struct conn *conn, const struct diag_conn *seen)
{
	struct json_object *object = json_object_new_object();

	put_text(object, "namespace", asking->netns->name);
	put_number(object, "token", seen->token);
	if (asking->is_out_of_reach && !conn->has_uid)
		json_object_object_add(object, "uid", NULL);
	else
		put_number(object, "uid", seen->uid);
	put_text(object, "role",
		!conn || !conn->is_created ? NULL
		: conn->is_server          ? "server"
					   : "client");
	put_endpoint(object, "local", &seen->local);
	put_endpoint(object, "remote", &seen->remote);
	if (seen->has_bytes) {
		put_number(object, "bytes_sent", seen->bytes_sent);
		put_number(object, "bytes_received", seen->bytes_received);
	} else {
		json_object_object_add(object, "bytes_sent", NULL);
		json_object_object_add(object, "bytes_received", NULL);
	}
	put_text(object, "state", find_state(asking, conn));
	json_object_object_add(
		object, "subflows", conn ? write_subflows(conn) : json_object_new_array());
	json_object_object_add(
		object, "announced", conn ? write_announced(conn) : json_object_new_array());
	put_text(object, "unplaced", conn ? find_blindness(asking->plan, conn) : NULL);
	json_object_object_add(object, "refusals",
		connections_write_refusals(
			find_refusals(asking->plan, asking->netns->cookie, &seen->remote)));
	json_object_object_add(object, "room", conn ? write_room(asking->plan, conn) : NULL);
	json_object_object_add(object, "judged", conn ? write_judged(conn) : NULL);
	put_text(object, "held", conn ? brake_text(conn) : NULL);
	put_number(object, "left_alone_s",
		find_left_alone_s(asking->plan, conn, asking->netns->cookie, &seen->remote));
	put_number(object, "last_hop_s",
		conn && lasthop_is_held(conn, loop_now_ns())
			? seconds_between(loop_now_ns(), conn->lasthop.until_ns)
			: 0);
	json_object_object_add(
		object, "apart", conn ? write_apart(&asking->plan->aparts, conn) : NULL);
	put_text(object, "rule", conn ? rules_name(asking->plan, conn) : NULL);
	put_number(object, "wanted", conn ? conn_count_wanted(conn) : 0);
	put_number(object, "waived", conn ? conn_count_waived(conn) : 0);
	put_next(object, asking, conn);
	put_number(object, "expected", conn ? conn->forecast.expected_bytes : 0);
	put_text(object, "intent",
		forecast_purpose_text(conn ? conn->forecast.purpose : PURPOSE_DEFAULT));
	json_object_object_add(
		object, "thresholds", conn ? write_thresholds(conn) : json_object_new_array());
	put_text(object, "decision", find_decision(asking, conn));
	json_object_array_add(asking->array, object);
}

static bool may_see(const struct asking *asking, bool has_uid, uint32_t uid)
{
	return asking->peer->is_operator || (has_uid && asking->peer->uid == uid);
}

static void write_seen(void *arg, const struct diag_conn *seen)
{
	struct asking *asking = arg;
	const struct conn_key key = {.netns = asking->netns->cookie, .token = seen->token};

	asking->count++;
	if (may_see(asking, true, seen->uid))
		write_conn(asking, conn_find(&asking->plan->table, &key), seen);
}

static void write_remembered(struct asking *asking, const struct conn *conn)
{
	const struct diag_conn seen = {.token = conn->key.token,
		.uid = conn->uid,
		.local = conn->local,
		.remote = conn->remote};

	asking->count++;
	if (may_see(asking, conn->has_uid, conn->uid))
		write_conn(asking, conn, &seen);
}

static struct asking begin_asking(
	const struct status_view *view, struct served_netns *netns, struct json_object *array)
{
	return (struct asking){.peer = view->peer,
		.plan = view->plan,
		.census = view->census,
		.netns = netns,
		.array = array};
}

int connections_write_part(const struct status_view *view, struct served_netns *netns,
	struct diag_walk *walk, struct json_object *array, uint64_t *count)
{
	struct asking asking = begin_asking(view, netns, array);
	int r = diag_walk_next(walk, write_seen, &asking);

	*count += asking.count;
	return r;
}

void connections_write_remembered(const struct status_view *view, struct served_netns *netns,
	struct json_object *array, uint64_t *count)
{
	struct asking asking = begin_asking(view, netns, array);
	const struct conn *conn;

	asking.is_out_of_reach = true;
	for (conn = view->plan->table.conns; conn; conn = conn->hh.next) {
		if (conn->is_created && conn->key.netns == netns->cookie)
			write_remembered(&asking, conn);
	}
	*count += asking.count;
}

void connections_write_one(const struct status_view *view, struct served_netns *netns,
	uint32_t token, struct json_object *array)
{
	struct asking asking = begin_asking(view, netns, array);
	const struct conn_key key = {.netns = netns->cookie, .token = token};
	struct diag_conn seen;
	const struct conn *conn;
	int err;

	if (served_enter(netns)) {
		asking.is_out_of_reach = true;
		conn = conn_find(&view->plan->table, &key);
		if (conn && conn->is_created)
			write_remembered(&asking, conn);
		return;
	}
	err = diag_find(token, &seen);
	served_leave(netns);
	if (!err && seen.is_open)
		write_seen(&asking, &seen);
}
