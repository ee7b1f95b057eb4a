/* SPDX-License-Identifier: MIT */
/* Judgement: what the operator orders of a connection. */
#include "order.h"

#include "core/closing.h"
#include "core/opening.h"

#include <errno.h>
#include <sys/param.h>

static void note(struct plan *plan, enum line_kind kind, const struct conn *conn, uint32_t n,
	uint64_t now_ns)
{
	tape_call(plan, kind,
		(struct line_call){.now_ns = now_ns,
			.netns = conn->key.netns,
			.token = conn->key.token,
			.count = n});
}

int order_add(
	struct plan *plan, struct conn *conn, uint32_t n, uint64_t now_ns, const char **ret_why)
{
	uint32_t in_all = conn_count_all(conn);

	note(plan, LINE_ADD, conn, n, now_ns);
	plan->now_ns = MAX(plan->now_ns, now_ns);
	if (conn->is_server) {
		*ret_why = "the other host opened it: only there can subflows be opened";
		return -EOPNOTSUPP;
	}
	if (conn->is_foreign) {
		*ret_why = "the in-kernel path manager owns it";
		return -EOPNOTSUPP;
	}
	if (in_all >= plan->max_subflows || n > plan->max_subflows - in_all) {
		*ret_why = "that is more than [limits] max_subflows allows";
		return -EDQUOT;
	}
	plan->counters.orders += n;
	conn->wanted_operator += n;
	conn_say(conn, "as the operator asked: %u in all", in_all + n);
	news_add(&plan->news, NEWS_REQUEST, conn);
	conn_renew_tries(conn);
	opening_run(plan, conn, now_ns);
	return 0;
}

static bool can_go(const struct subflow *subflow)
{
	return subflow->state == SUBFLOW_ESTABLISHED && !subflow->is_doomed && !subflow->replaces;
}

/* Of those that are not opened yet, or else of the youngest. */
static void remove_one(struct plan *plan, struct conn *conn)
{
	struct subflow *subflow;

	if (conn->wanted_operator) {
		conn->wanted_operator--;
		return;
	}
	TAILQ_FOREACH_REVERSE(subflow, &conn->subflows, subflow_list, entry)
	{
		if (!can_go(subflow))
			continue;
		/* No request of the application's: it has no receipt. */
		subflow->is_lost = true;
		closing_begin(plan, conn, subflow);
		return;
	}
}

int order_remove(
	struct plan *plan, struct conn *conn, uint32_t n, uint64_t now_ns, const char **ret_why)
{
	uint32_t established = 0;
	struct subflow *subflow;

	note(plan, LINE_REMOVE, conn, n, now_ns);
	plan->now_ns = MAX(plan->now_ns, now_ns);
	if (conn->is_foreign) {
		*ret_why = "the in-kernel path manager owns it";
		return -EOPNOTSUPP;
	}
	TAILQ_FOREACH (subflow, &conn->subflows, entry)
		established += can_go(subflow);
	/* One that is established stays, whatever may come of those that are being opened. */
	if (!established || n > conn->wanted_operator + established - 1) {
		*ret_why = "its last subflow stays, and those that are being opened cannot be "
			   "closed yet";
		return -EBUSY;
	}
	plan->counters.orders += n;
	revival_waive(conn);
	conn_say(conn, "as the operator asked: %u in all", conn_count_all(conn) - n);
	news_add(&plan->news, NEWS_REQUEST, conn);
	while (n--)
		remove_one(plan, conn);
	return 0;
}
