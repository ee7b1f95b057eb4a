/* SPDX-License-Identifier: MIT */
/* Judgement: what became of the commands that the kernel was given. */
#include "command.h"

#include "core/intent.h"
#include "core/lists.h"
#include "core/opening.h"
#include "core/subflows.h"

#include <errno.h>
#include <string.h>

#define TRIES_MAX      8
#define PORTS_MAX      64          /* in use, one after the other: the next need not wait */
#define RETRY_FIRST_NS 10000000ull /* doubles with each failure */

static bool is_worth_another_try(int error)
{
	return error == ENOTCONN || error == EADDRINUSE || error == EAGAIN || error == ENOBUFS ||
	       error == ENOMEM || error == EINTR || error == EBUSY;
}

/* What there is no way for now, there may be later. */
static bool may_pass(int error)
{
	return error == ENETUNREACH || error == EHOSTUNREACH || error == ENETDOWN ||
	       error == EADDRNOTAVAIL || is_worth_another_try(error);
}

static bool is_listed(const struct subflow *subflow)
{
	return subflow->asker == ASKER_LIST && subflow->slot >= 0;
}

/* By number or by address. */
static bool is_requested(const struct subflow *subflow)
{
	return subflow->asker == ASKER_APPLICATION || is_listed(subflow);
}

static void note_success(
	struct plan *plan, struct conn *conn, struct subflow *subflow, uint64_t now_ns)
{
	subflow->is_sent = true;
	silence_begin(plan, conn, subflow, now_ns);
	news_add_subflow(&plan->news, NEWS_SUBFLOW_ASKED, conn, subflow, "");
	if (is_listed(subflow))
		lists_settle(plan, conn, subflow);
	else if (subflow->asker == ASKER_APPLICATION)
		conn_settle(&plan->table, conn, 1, 0);
}

/* The port is in use, and another one may not be. */
static bool has_next(const struct conn *conn, const struct subflow *subflow, int error)
{
	return error == EADDRINUSE && subflow->local.port && !subflow->is_exact &&
	       conn->ports_in_use < PORTS_MAX;
}

/* Those that failed together are tried again together. */
static bool may_try_again(const struct conn *conn, const struct subflow *subflow, int error)
{
	if (subflow->is_doomed || subflow->asker == ASKER_MOVE ||
		(subflow->asker == ASKER_LIST && !is_listed(subflow)))
		return false;
	return is_worth_another_try(error) &&
	       (has_next(conn, subflow, error) || conn->retry_ns || conn->tries < TRIES_MAX);
}

static void try_again(
	struct plan *plan, struct conn *conn, struct subflow *subflow, const struct event *event)
{
	bool is_at_once = has_next(conn, subflow, event->error);

	plan->counters.retries++;
	if (subflow->asker == ASKER_MESH)
		mesh_give_back(conn->mesh, &subflow->local, &subflow->remote);
	else if (is_listed(subflow))
		lists_want_again(conn, subflow);
	else
		conn_want_again(conn, subflow->asker);
	if (is_requested(subflow))
		conn_owe_receipt(&plan->table, conn);
	subflows_remove(plan, conn, subflow);
	if (conn->retry_ns)
		return;
	if (is_at_once) {
		conn->ports_in_use++;
		opening_run(plan, conn, 0);
	} else {
		conn_set_retry(
			&plan->table, conn, event->now_ns + (RETRY_FIRST_NS << conn->tries++));
	}
}

static void say_failure(
	struct plan *plan, struct conn *conn, const struct subflow *subflow, int error)
{
	char local[ENDPOINT_TEXT_MAX], remote[ENDPOINT_TEXT_MAX];

	plan->counters.create_failures++;
	if (error == ENONET)
		conn_say(
			conn, "no more subflows: its network namespace has no name to enter it by");
	else
		conn_say(conn, "the kernel opened no subflow from %s to %s: %s%s",
			endpoint_text(&subflow->local, local),
			endpoint_text(&subflow->remote, remote), strerror(error),
			error == EINVAL && endpoint_is_link_local(&subflow->local)
				? "; it takes no device for a link-local address"
				: "");
	news_add_subflow(&plan->news, NEWS_SUBFLOW_FAILED, conn, subflow, conn->why);
}

static void give_up(struct plan *plan, struct conn *conn, struct subflow *subflow, int error)
{
	bool misses_one = subflow->asker == ASKER_REPAIR && !subflow->is_doomed && may_pass(error);

	if (subflow->asker == ASKER_ELEPHANT)
		conn_drop_passed(conn);
	conn_settle(&plan->table, conn, subflow->asker == ASKER_APPLICATION,
		subflow->is_doomed && !subflow->is_lost);
	if (is_listed(subflow))
		lists_settle(plan, conn, subflow);
	if (!subflow->is_doomed)
		say_failure(plan, conn, subflow, error);
	subflows_remove(plan, conn, subflow);
	if (misses_one)
		revival_miss(plan, conn, 0);
	opening_run(plan, conn, 0);
}

void command_hear_created(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct subflow *subflow = conn_find_serial(conn, event->serial);

	if (!event->error) {
		plan->counters.created++;
		conn->tries = conn->ports_in_use = 0;
	}
	if (!subflow)
		return;
	if (is_requested(subflow))
		conn->receipt.creating = 0;
	if (!event->error) {
		note_success(plan, conn, subflow, event->now_ns);
		return;
	}
	if (event->error == EADDRINUSE && !subflow->is_exact)
		steer_refuse(&plan->steer, conn, subflow, event->now_ns);
	if (may_try_again(conn, subflow, event->error))
		try_again(plan, conn, subflow, event);
	else
		give_up(plan, conn, subflow, event->error);
}

void command_hear_destroyed(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct subflow *subflow = conn_find_serial(conn, event->serial);

	if (!subflow || !subflow->is_lost) {
		conn->receipt.destroying = 0;
		/* It was gone, and the application meant one of those that it saw. */
		if (event->error != ESRCH || !intent_remove_youngest(plan, conn))
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
	if (subflow && event->error && event->error != ESRCH) {
		repair_hear_kept(plan, conn, subflow);
		apart_hear_kept(plan, conn, subflow);
		subflow->state = SUBFLOW_ESTABLISHED;
		subflow->is_doomed = subflow->is_lost = subflow->is_in_vain = false;
		subflow->is_withdrawn = false;
		silence_hear_kept(subflow);
	}
	opening_run(plan, conn, 0);
}

void command_hear_not_announced(struct plan *plan, struct conn *conn, const struct event *event)
{
	char text[ENDPOINT_TEXT_MAX];

	plan->counters.announce_failures++;
	for (int i = 0; i < WISHES_MAX; i++) {
		if (conn->receipt.announced[i] == event->id)
			conn->receipt.announced[i] = 0; /* there is nothing to withdraw */
	}
	conn_owe_receipt(&plan->table, conn);
	conn_say(conn, "the kernel did not announce %s: %s", endpoint_text(&event->local, text),
		strerror(event->error));
	news_add(&plan->news, NEWS_REQUEST, conn);
}

void command_hear_not_withdrawn(struct plan *plan, struct conn *conn, const struct event *event)
{
	char why[CONN_WHY_MAX];

	plan->counters.withdraw_failures++;
	/* Why it was to be told stands there; once is enough for several addresses. */
	if (strstr(conn->why, "the peer could not be told"))
		return;
	memcpy(why, conn->why, sizeof(why));
	conn_say(conn, "%s%sthe peer could not be told: %s", why, *why ? "; " : "",
		strerror(event->error));
}
