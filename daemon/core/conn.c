/* SPDX-License-Identifier: MIT */
/* Memory: the connection table. */
#include "conn.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void conn_table_init(struct conn_table *table, uint32_t limit)
{
	*table = (struct conn_table){.limit = limit};
	TAILQ_INIT(&table->retries);
	TAILQ_INIT(&table->owing);
}

void conn_table_done(struct conn_table *table)
{
	struct conn *conn, *next;

	HASH_ITER (hh, table->conns, conn, next)
		conn_free(table, conn);
}

uint32_t conn_table_count(const struct conn_table *table)
{
	return HASH_COUNT(table->conns);
}

struct conn *conn_find(struct conn_table *table, const struct conn_key *key)
{
	struct conn *conn;

	HASH_FIND(hh, table->conns, key, sizeof(*key), conn);
	return conn;
}

/*
 * While the table is full the hooks refuse what connections ask for that are not in it. They tell
 * them by the receipts, of which there is room for as many: who has none gets one. Not before the
 * connection is known: an earlier daemon may have left it one.
 */
static void introduce(struct conn_table *table, struct conn *conn)
{
	conn->is_introduced = true;
	if (!conn->has_receipt)
		conn_owe_receipt(table, conn);
}

/* The table is in the order of time. */
static void introduce_older(struct conn_table *table, const struct conn *youngest)
{
	struct conn *conn = youngest->hh.prev;

	for (; conn && !conn->is_introduced; conn = conn->hh.prev) {
		if (conn->is_created)
			introduce(table, conn);
	}
}

void conn_hear_created(struct conn_table *table, struct conn *conn)
{
	conn->is_created = true;
	if (conn_table_count(table) >= table->limit)
		introduce(table, conn);
}

struct conn *conn_get(struct conn_table *table, const struct conn_key *key)
{
	struct conn *conn = conn_find(table, key);

	if (conn)
		return conn;
	if (conn_table_count(table) < table->limit)
		conn = calloc(1, sizeof(*conn));
	if (!conn) {
		table->refused++;
		return NULL;
	}
	conn->key = *key;
	TAILQ_INIT(&conn->subflows);
	HASH_ADD(hh, table->conns, key, sizeof(conn->key), conn);
	if (conn_table_count(table) == table->limit)
		introduce_older(table, conn);
	return conn;
}

void conn_join(struct conn_table *table, struct conn *conn)
{
	struct path_key key = path_key_of(conn->key.netns, &conn->local, &conn->remote);
	struct conn_ends *ends;

	if (conn->is_server || conn->ends)
		return;
	HASH_FIND(hh, table->ends, &key, sizeof(key), ends);
	if (!ends) {
		ends = calloc(1, sizeof(*ends));
		if (!ends)
			return;
		ends->key = key;
		TAILQ_INIT(&ends->conns);
		HASH_ADD(hh, table->ends, key, sizeof(ends->key), ends);
	}
	conn->ends = ends;
	TAILQ_INSERT_TAIL(&ends->conns, conn, rival);
}

static void leave(struct conn_table *table, struct conn *conn)
{
	struct conn_ends *ends = conn->ends;

	if (!ends)
		return;
	conn->ends = NULL;
	TAILQ_REMOVE(&ends->conns, conn, rival);
	if (!TAILQ_EMPTY(&ends->conns))
		return;
	HASH_DEL(table->ends, ends);
	free(ends);
}

void conn_free(struct conn_table *table, struct conn *conn)
{
	struct subflow *subflow;

	while ((subflow = TAILQ_FIRST(&conn->subflows)))
		conn_remove_subflow(conn, subflow);
	conn_set_retry(table, conn, 0);
	conn_pay_receipt(table, conn);
	leave(table, conn);
	HASH_DEL(table->conns, conn);
	free(conn->passed);
	ids_done(&conn->ids);
	remotes_done(&conn->remotes);
	mesh_free(conn->mesh);
	free(conn->listed);
	free(conn);
}

void conn_set_retry(struct conn_table *table, struct conn *conn, uint64_t retry_ns)
{
	if (conn->retry_ns)
		TAILQ_REMOVE(&table->retries, conn, retry);
	conn->retry_ns = retry_ns;
	if (conn->retry_ns)
		TAILQ_INSERT_TAIL(&table->retries, conn, retry);
}

struct subflow *conn_add_subflow(struct conn *conn)
{
	struct subflow *subflow = calloc(1, sizeof(*subflow));

	if (!subflow)
		return NULL;
	subflow->serial = ++conn->next_serial;
	TAILQ_INSERT_TAIL(&conn->subflows, subflow, entry);
	conn->n_subflows++;
	return subflow;
}

void conn_remove_subflow(struct conn *conn, struct subflow *subflow)
{
	path_unload(&subflow->path, subflow->is_light);
	TAILQ_REMOVE(&conn->subflows, subflow, entry);
	conn->n_subflows--;
	free(subflow);
}

struct subflow *conn_find_subflow(
	struct conn *conn, const struct endpoint *local, const struct endpoint *remote)
{
	struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (endpoint_is_equal(&subflow->local, local) &&
			endpoint_is_equal(&subflow->remote, remote))
			return subflow;
	}
	return NULL;
}

struct subflow *conn_find_serial(struct conn *conn, uint32_t serial)
{
	struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->serial == serial)
			return subflow;
	}
	return NULL;
}

struct subflow *conn_find_opening(
	struct conn *conn, const struct endpoint *local, const struct endpoint *remote)
{
	struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->state == SUBFLOW_OPENING &&
			(!subflow->local.port || subflow->local.port == local->port) &&
			endpoint_is_same_address(&subflow->local, local) &&
			endpoint_is_equal(&subflow->remote, remote))
			return subflow;
	}
	return NULL;
}

int conn_add_passed(struct conn *conn, uint64_t threshold, uint64_t bytes, uint64_t backlog)
{
	struct passed *passed = conn->passed;

	if (conn->n_passed == CONN_PASSED_MAX)
		memmove(passed, passed + 1, --conn->n_passed * sizeof(*passed));
	else
		passed = reallocarray(passed, conn->n_passed + 1, sizeof(*passed));
	if (!passed)
		return -ENOMEM;
	conn->passed = passed;
	passed[conn->n_passed++] =
		(struct passed){.threshold = threshold, .bytes = bytes, .backlog = backlog};
	return 0;
}

void conn_note_passed(struct conn *conn)
{
	uint32_t established = 0;
	struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry)
		established += subflow->state == SUBFLOW_ESTABLISHED && !subflow->replaces;
	for (uint32_t i = 0; i < conn->n_passed; i++) {
		if (!conn->passed[i].subflows) {
			conn->passed[i].subflows = established;
			return;
		}
	}
}

bool conn_is_foreseen(const struct conn *conn)
{
	for (uint32_t i = 0; i < conn->n_passed; i++) {
		if (!conn->passed[i].subflows)
			return !conn->passed[i].bytes && !conn->passed[i].backlog;
	}
	return false;
}

void conn_reopen_passed(struct conn *conn)
{
	for (uint32_t i = conn->n_passed; i-- > 0;) {
		if (conn->passed[i].subflows) {
			conn->passed[i].subflows = 0;
			return;
		}
	}
}

void conn_drop_passed(struct conn *conn)
{
	if (conn->n_passed && !conn->passed[conn->n_passed - 1].subflows)
		conn->n_passed--;
}

void conn_drop_elephant(struct conn *conn)
{
	for (; conn->wanted_elephant; conn->wanted_elephant--)
		conn_drop_passed(conn);
	conn->is_elephant = false;
	conn->lasthop.taken = 0;
}

void conn_owe_receipt(struct conn_table *table, struct conn *conn)
{
	conn->has_receipt = true;
	if (!conn->owes_receipt)
		TAILQ_INSERT_TAIL(&table->owing, conn, owing);
	conn->owes_receipt = true;
}

void conn_pay_receipt(struct conn_table *table, struct conn *conn)
{
	if (conn->owes_receipt)
		TAILQ_REMOVE(&table->owing, conn, owing);
	conn->owes_receipt = false;
}

void conn_settle(struct conn_table *table, struct conn *conn, uint32_t adds, uint32_t removes)
{
	if (!adds && !removes)
		return;
	conn->receipt.adds += adds;
	conn->receipt.removes += removes;
	conn_owe_receipt(table, conn);
}

uint32_t conn_count_shown(const struct conn *conn)
{
	const struct subflow *subflow;
	uint32_t shown = 0;

	TAILQ_FOREACH (subflow, &conn->subflows, entry)
		shown += (subflow->state != SUBFLOW_OPENING || subflow->is_sent) &&
			 !subflow->is_gone;
	return shown;
}

uint32_t conn_count_there(const struct conn *conn)
{
	const struct subflow *subflow;
	uint32_t there = 0;

	TAILQ_FOREACH (subflow, &conn->subflows, entry)
		there += !subflow->is_gone;
	return there;
}

bool conn_has_established(const struct conn *conn, const struct subflow *subflow)
{
	const struct subflow *other;

	TAILQ_FOREACH (other, &conn->subflows, entry) {
		if (other != subflow && other->state == SUBFLOW_ESTABLISHED && !other->is_doomed)
			return true;
	}
	return false;
}

uint32_t conn_count_live(const struct conn *conn)
{
	const struct subflow *subflow;
	uint32_t live = 0;

	TAILQ_FOREACH (subflow, &conn->subflows, entry)
		live += subflow->state != SUBFLOW_CLOSING && !subflow->is_doomed &&
			!subflow->replaces;
	return live;
}

uint32_t conn_count_wanted(const struct conn *conn)
{
	return conn->wanted_application + conn->wanted_operator + conn->wanted_elephant +
	       conn->wanted_policy + conn->wanted_repair;
}

uint32_t conn_count_all(const struct conn *conn)
{
	bool is_to_come = !conn->is_created && !listed_owes_first(conn->listed);

	return conn_count_live(conn) + conn_count_wanted(conn) + conn->revival.missing +
	       listed_count_wanted(conn->listed) + listed_count_owed(conn->listed) + is_to_come;
}

uint32_t conn_count_waived(const struct conn *conn)
{
	int32_t more = (int32_t)(conn->removes - conn->adds);

	return more > 0 ? more : 0;
}

bool conn_is_confined(const struct conn *conn)
{
	return conn->is_bound && !(conn->listed && conn->listed->is_restricted);
}

enum subflow_asker conn_take_wanted(struct conn *conn)
{
	if (conn->wanted_repair) {
		conn->wanted_repair--;
		return ASKER_REPAIR;
	}
	if (conn->wanted_application) {
		conn->wanted_application--;
		return ASKER_APPLICATION;
	}
	if (conn->wanted_operator) {
		conn->wanted_operator--;
		return ASKER_OPERATOR;
	}
	if (conn->wanted_policy) {
		conn->wanted_policy--;
		return ASKER_POLICY;
	}
	conn->wanted_elephant--;
	return ASKER_ELEPHANT;
}

void conn_want_again(struct conn *conn, enum subflow_asker asker)
{
	if (asker == ASKER_APPLICATION)
		conn->wanted_application++;
	else if (asker == ASKER_ELEPHANT)
		conn->wanted_elephant++;
	else if (asker == ASKER_OPERATOR)
		conn->wanted_operator++;
	else if (asker == ASKER_REPAIR)
		conn->wanted_repair++;
	else
		conn->wanted_policy++;
}

const char *conn_asker_text(enum subflow_asker asker)
{
	switch (asker) {
	case ASKER_NOBODY:
		break;
	case ASKER_APPLICATION:
	case ASKER_LIST:
		return "application";
	case ASKER_ELEPHANT:
		return "elephant";
	case ASKER_POLICY:
		return "ndiffports";
	case ASKER_REPAIR:
		return "repair";
	case ASKER_MESH:
		return "fullmesh";
	case ASKER_OPERATOR:
		return "operator";
	case ASKER_MOVE:
		return "move";
	}
	return NULL;
}

void conn_renew_tries(struct conn *conn)
{
	if (!conn->retry_ns)
		conn->tries = conn->ports_in_use = 0;
}

void conn_say(struct conn *conn, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(conn->why, sizeof(conn->why), format, args);
	va_end(args);
}
