/* SPDX-License-Identifier: MIT */
/*
 * Detection without hooks: asks the kernel now and then how far each connection has come; beside
 * the hooks each one of which they do not tell.
 */
#include "census.h"

#include "base/log.h"
#include "base/timer.h"
#include "kernel/diag.h"
#include "kernel/netns.h"
#include "kernel/served_list.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>

/* Up to so many are asked for one by one: dearer for each, cheaper than a list of thousands. */
#define SINGLE_MAX 32

/* One namespace being asked. */
struct asking {
	struct census *census;
	uint64_t netns, now_ns;
};

bool census_has(const struct census *census, const struct conn *conn)
{
	return conn->is_created && !conn->is_server && !conn->is_foreign &&
	       (census->is_for_all || conn->progress.is_unwatched);
}

/* When to look at it; 0 = never. */
static uint64_t due_of(const struct census *census, const struct conn *conn, uint64_t now_ns)
{
	if (!census_has(census, conn))
		return 0;
	return progress_due(&conn->progress, rules_of(census->plan, conn), &census->care, now_ns);
}

static bool is_due(const struct census *census, const struct conn *conn, uint64_t now_ns)
{
	uint64_t due_ns = due_of(census, conn, now_ns);

	return due_ns && due_ns <= now_ns;
}

static void arm(struct census *census, uint64_t when_ns)
{
	census->armed_ns = when_ns;
	timer_arm(&census->timer, when_ns);
}

static void schedule(struct census *census, uint64_t now_ns)
{
	struct conn *conn, *after;
	uint64_t next_ns = 0, due_ns;

	HASH_ITER (hh, census->plan->table.conns, conn, after) {
		due_ns = due_of(census, conn, now_ns);
		if (due_ns && (!next_ns || due_ns < next_ns))
			next_ns = due_ns;
	}
	arm(census, next_ns);
}

static void note(
	struct census *census, struct conn *conn, uint64_t sent, uint64_t received, uint64_t now_ns)
{
	struct event event = {.kind = EVENT_THRESHOLD, .key = conn->key, .now_ns = now_ns};
	struct progress told;

	progress_note(&conn->progress, census->downloads ? MAX(sent, received) : sent, now_ns);
	event.bytes = conn->progress.bytes;
	/* Of its own it is told as the plan hears it. */
	told = conn->progress;
	while ((event.threshold = progress_pass(&told, rules_of(census->plan, conn))))
		census->heard(census->owner, &event);
}

static struct conn *find(const struct asking *asking, uint32_t token)
{
	struct conn_key key = {.netns = asking->netns, .token = token};
	struct conn *conn = conn_find(&asking->census->plan->table, &key);

	return conn && census_has(asking->census, conn) ? conn : NULL;
}

static void found(void *arg, const struct diag_conn *seen)
{
	const struct asking *asking = arg;
	struct conn *conn = find(asking, seen->token);

	if (!seen->has_bytes)
		asking->census->has_no_bytes = true;
	else if (conn)
		note(asking->census, conn, seen->bytes_sent, seen->bytes_received, asking->now_ns);
}

static void found_subflow(void *arg, const struct diag_subflow *seen)
{
	struct conn *conn = find(arg, seen->token);

	if (!conn)
		return;
	conn->progress.sum_sent += seen->bytes_acked;
	conn->progress.sum_received += seen->bytes_received;
}

/* Where the kernel counts for subflows only: those of one that has closed are missing. */
static int add_subflows_up(struct asking *asking)
{
	struct conn *conn, *after;
	int err = diag_dump_subflows(found_subflow, asking);

	HASH_ITER (hh, asking->census->plan->table.conns, conn, after) {
		if (conn->key.netns != asking->netns || !census_has(asking->census, conn))
			continue;
		if (!err)
			note(asking->census, conn, conn->progress.sum_sent,
				conn->progress.sum_received, asking->now_ns);
		conn->progress.sum_sent = conn->progress.sum_received = 0;
	}
	return err;
}

static int ask_all(struct asking *asking)
{
	int err = 0;

	if (!asking->census->has_no_bytes)
		err = diag_dump(found, asking);
	if (!err && asking->census->has_no_bytes)
		err = add_subflows_up(asking);
	return err;
}

static int enter(struct census *census, uint64_t cookie, bool *ret_is_away)
{
	struct served_netns *netns = served_find_live(census->served, cookie);

	/* Its name may have gone a moment ago. */
	if (!netns || served_enter(netns))
		return -ENONET;
	*ret_is_away = *netns->path;
	return 0;
}

static void complain(struct census *census, int err)
{
	if (!err || err == -ENONET || census->has_complained)
		return;
	census->has_complained = true;
	log_warning("this kernel does not list its MPTCP connections: %s; without the kernel "
		    "module mptcp_diag no elephant is found by asking",
		strerror(-err));
}

/* All of one namespace. */
static void look_at_all(struct census *census, uint64_t netns, uint64_t now_ns)
{
	struct asking asking = {.census = census, .netns = netns, .now_ns = now_ns};
	struct conn *conn, *after;
	bool is_away = false;
	int err = enter(census, netns, &is_away);

	if (!err)
		err = ask_all(&asking);
	if (is_away)
		netns_leave();
	complain(census, err);
	census->looks++;
	HASH_ITER (hh, census->plan->table.conns, conn, after) {
		/* What was not found waits for its next turn. */
		if (conn->key.netns == netns && is_due(census, conn, now_ns))
			progress_note(&conn->progress, 0, now_ns);
	}
}

void census_look(struct census *census, struct conn *conn, uint64_t now_ns)
{
	struct diag_conn seen;
	bool is_away = false;
	int err = enter(census, conn->key.netns, &is_away);

	if (!err) {
		census->looks++;
		err = diag_find(conn->key.token, &seen);
	}
	if (is_away)
		netns_leave();
	if (!err && seen.has_bytes)
		note(census, conn, seen.bytes_sent, seen.bytes_received, now_ns);
	else if (!err)
		look_at_all(census, conn->key.netns, now_ns);
	else
		progress_note(&conn->progress, 0, now_ns);
}

/* A few, or one namespace: the loop has other things to do between. */
static void look(struct census *census, uint64_t now_ns)
{
	struct conn *due[SINGLE_MAX + 1], *conn, *after;
	size_t n_due = 0;

	HASH_ITER (hh, census->plan->table.conns, conn, after) {
		if (n_due <= SINGLE_MAX && is_due(census, conn, now_ns))
			due[n_due++] = conn;
	}
	if (n_due > SINGLE_MAX || (n_due && census->has_no_bytes)) {
		look_at_all(census, due[0]->key.netns, now_ns);
		return;
	}
	for (size_t i = 0; i < n_due; i++) {
		/* A namespace's list may have told of it meanwhile. */
		if (is_due(census, due[i], now_ns))
			census_look(census, due[i], now_ns);
	}
}

static void timer_ready(struct source *source, uint32_t events)
{
	struct census *census = SOURCE_OWNER(source, struct census, timer);
	uint64_t now_ns = loop_now_ns();

	(void)events;
	if (!timer_has_expired(source))
		return;
	look(census, now_ns);
	census->looked(census->owner);
	schedule(census, now_ns);
}

void census_expect(struct census *census)
{
	uint64_t wait_ns, when_ns;

	if (census->timer.fd < 0 || !census->is_for_all)
		return;
	wait_ns = progress_first_wait(rules_earliest(census->plan), &census->care);
	when_ns = loop_now_ns() + wait_ns;
	if (wait_ns && (!census->armed_ns || when_ns < census->armed_ns))
		arm(census, when_ns);
}

void census_take(struct census *census, struct conn *conn)
{
	uint64_t due_ns;

	if (census->timer.fd < 0)
		return;
	conn->progress.is_unwatched = true;
	due_ns = due_of(census, conn, loop_now_ns());
	if (due_ns && (!census->armed_ns || due_ns < census->armed_ns))
		arm(census, due_ns);
}

void census_renew(struct census *census)
{
	if (census->timer.fd >= 0)
		schedule(census, loop_now_ns());
}

int census_init(struct census *census)
{
	census->timer.ready = timer_ready;
	return timer_open(&census->timer, census->loop);
}

void census_done(struct census *census)
{
	timer_close(&census->timer);
}
