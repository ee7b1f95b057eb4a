/* SPDX-License-Identifier: MIT */
/* What is noticed while a recording is played: whatever is decided, nothing oscillates. */
#include "watch.h"

#include <stdlib.h>
#include <string.h>

static void accuse(struct watch *watch, const char *what, unsigned int number)
{
	if (!*watch->wrong)
		snprintf(watch->wrong, sizeof(watch->wrong), "line %u: %s", number, what);
}

static struct one *find_one(struct watch *watch, const struct conn_key *key)
{
	for (unsigned int i = 0; i < watch->n_ones; i++) {
		if (!memcmp(&watch->ones[i].key, key, sizeof(*key)))
			return &watch->ones[i];
	}
	assert_true(watch->n_ones < CONNS_MAX);
	watch->ones[watch->n_ones].key = *key;
	return &watch->ones[watch->n_ones++];
}

/* Those of a connection in the time before the last one, with it. */
static unsigned int count_recent(const struct watch *watch, const struct create *last,
	enum subflow_asker asker, uint64_t time_ns)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < watch->n_creates; i++)
		count += !memcmp(&watch->creates[i].key, &last->key, sizeof(last->key)) &&
			 watch->creates[i].now_ns + time_ns > last->now_ns &&
			 (asker == ASKER_NOBODY || watch->creates[i].asker == asker);
	return count;
}

static bool is_held(
	const struct watch *watch, uint64_t netns, const struct endpoint *remote, uint64_t now_ns)
{
	struct endpoint plain = endpoint_unmap(remote);

	for (unsigned int i = 0; i < watch->n_held; i++) {
		if (watch->held[i].netns == netns && now_ns < watch->held[i].until_ns &&
			endpoint_is_equal(&watch->held[i].remote, &plain))
			return true;
	}
	return false;
}

static void note_held(struct watch *watch, const struct conn *conn, uint64_t now_ns)
{
	struct endpoint plain = endpoint_unmap(&conn->remote);

	for (unsigned int i = 0; i < watch->n_held; i++) {
		if (watch->held[i].netns == conn->key.netns &&
			endpoint_is_equal(&watch->held[i].remote, &plain)) {
			watch->held[i].until_ns = now_ns + HOLD_NS;
			return;
		}
	}
	assert_true(watch->n_held < HELD_MAX);
	watch->held[watch->n_held++] = (struct held){
		.netns = conn->key.netns, .until_ns = now_ns + HOLD_NS, .remote = plain};
}

static void notice_verdicts(
	struct watch *watch, const struct replay_decision *decision, const struct conn *conn)
{
	const struct benefit_counters *counters = &watch->replay.feed.plan.benefits.counters;
	uint64_t judged = counters->helped + counters->unjudged + counters->taken_back;
	struct one *one = find_one(watch, decision->key);

	if (judged > watch->seen.judged)
		one->replaced = 0;
	one->replaced += counters->replaced - watch->seen.replaced;
	if (one->replaced > TRIES_MOST)
		accuse(watch, "one that does not help is replaced again and again",
			decision->number);
	/* Where its application may be what is slow, that says nothing of where it goes. */
	if (counters->taken_back > watch->seen.taken_back && conn && conn->benefit.with.is_supplied)
		note_held(watch, conn, decision->now_ns);
	watch->seen.judged = judged;
	watch->seen.replaced = counters->replaced;
	watch->seen.taken_back = counters->taken_back;
}

static void notice_last_hop(struct watch *watch, const struct replay_decision *decision)
{
	const struct lasthop_counters *counters = &watch->replay.feed.plan.lasthops.counters;
	struct one *one = find_one(watch, decision->key);

	if (counters->given > counters->taken)
		accuse(watch, "more is given back than was taken", decision->number);
	if (counters->taken > watch->seen.taken && decision->now_ns >= one->less_until_ns) {
		one->less_until_ns = decision->now_ns + HOLD_NS;
		one->back = 0;
	}
	watch->seen.taken = counters->taken;
}

static void notice_refusals(struct watch *watch, const struct replay_decision *decision)
{
	const struct plan_counters *counters = &watch->replay.feed.plan.counters;

	if (counters->established > watch->seen.established)
		watch->refused = 0;
	watch->refused += counters->refused_by_peer - watch->seen.refused;
	if (watch->refused >= REFUSED && counters->refused_by_peer > watch->seen.refused)
		watch->refused_until_ns = decision->now_ns + REFUSED_NS;
	watch->seen.established = counters->established;
	watch->seen.refused = counters->refused_by_peer;
}

/* The last of the connection came to nothing, its port being somebody else's: another takes its
 * place. */
static void notice_retries(struct watch *watch, const struct replay_decision *decision)
{
	uint64_t retries = watch->replay.feed.plan.counters.retries;
	bool has_failed = retries > watch->seen.retries;

	watch->seen.retries = retries;
	for (unsigned int i = watch->n_creates; has_failed && i-- > 0;) {
		if (memcmp(&watch->creates[i].key, decision->key, sizeof(*decision->key)))
			continue;
		watch->n_creates--;
		memmove(&watch->creates[i], &watch->creates[i + 1],
			(watch->n_creates - i) * sizeof(*watch->creates));
		break;
	}
}

static void check_create(struct watch *watch, const struct replay_decision *decision,
	const struct conn *conn, const struct subflow *subflow)
{
	const struct plan *plan = &watch->replay.feed.plan;
	struct one *one = find_one(watch, decision->key);
	uint32_t most = plan->max_subflows;
	struct create *create;

	if (most < plan->rule.max_subflows)
		most = plan->rule.max_subflows;
	if (!conn || conn_count_all(conn) > most)
		accuse(watch, "more subflows than may be", decision->number);
	if (watch->n_creates == CREATES_MAX) {
		accuse(watch, "more subflows than this test can count", decision->number);
		return;
	}
	create = &watch->creates[watch->n_creates++];
	*create = (struct create){.key = *decision->key,
		.now_ns = decision->now_ns,
		.asker = subflow ? subflow->asker : ASKER_NOBODY};
	/* Each once, and what is replaced or moved. */
	if (count_recent(watch, create, ASKER_NOBODY, CREATES_NS) >
		most - 1 + REPAIR_MOST + MOVES_MOST + TRIES_MOST)
		accuse(watch, "it oscillates", decision->number);
	if (count_recent(watch, create, ASKER_MOVE, HOLD_NS) > MOVES_MOST)
		accuse(watch, "it is moved again and again", decision->number);
	if (count_recent(watch, create, ASKER_REPAIR, REPAIR_WINDOW_NS) > REPAIR_MOST)
		accuse(watch, "it is repaired again and again", decision->number);
	if (decision->now_ns < watch->refused_until_ns)
		accuse(watch, "a destination that refuses joins is not left alone",
			decision->number);
	if (create->asker != ASKER_ELEPHANT)
		return;
	if (!path_is_set(&subflow->path) &&
		is_held(watch, decision->key->netns, &decision->action->remote, decision->now_ns))
		accuse(watch, "a destination to which more did not help is not left alone",
			decision->number);
	/* Of those that its last link has taken one may come back, on trial. */
	if (decision->now_ns < one->less_until_ns && one->back++)
		accuse(watch, "what its last link has taken comes back", decision->number);
}

void watch_hear(void *owner, const struct replay_decision *decision)
{
	struct watch *watch = owner;
	struct conn *conn = conn_find(&watch->replay.feed.plan.table, decision->key);
	const struct action *action = decision->action;

	if (decision->verdict == REPLAY_GONE)
		return;
	notice_verdicts(watch, decision, conn);
	notice_last_hop(watch, decision);
	notice_refusals(watch, decision);
	notice_retries(watch, decision);
	if (!action)
		return;
	watch->kinds[action->kind]++;
	if (action->kind == ACTION_CREATE)
		check_create(watch, decision, conn,
			conn ? conn_find_serial(conn, action->serial) : NULL);
}

/* What is off in a recording is not shown by it. */
static bool is_as_by_default(const struct plan *plan)
{
	const struct benefit_rule *benefit = &plan->benefits.rule;
	const struct apart_rule *apart = &plan->aparts.rule;

	return plan->does_repair && plan->steer.mode == STEER_PATHS &&
	       benefit->margin_percent == 10 && benefit->time_rtts == 20 &&
	       benefit->time_min_ns == SECOND_NS / 5 && benefit->tries == TRIES_MOST &&
	       plan->in_vain.rule.hold_ns == HOLD_NS && apart->moves == MOVES_MOST &&
	       apart->hold_ns == HOLD_NS && apart->delay_ns == SECOND_NS / 10 &&
	       plan->lags.rule.slow_percent == 60 && plan->lasthops.rule.is_on &&
	       plan->lasthops.rule.hold_ns == HOLD_NS &&
	       plan->brakes.rule.fast_bytes_per_s == 625000000 &&
	       plan->quiets.rule.time_ns == SECOND_NS / 50 && plan->refusals.rule.most == REFUSED &&
	       plan->refusals.rule.hold_ns == REFUSED_NS;
}

int watch_play(struct watch *watch, FILE *file)
{
	char *words = NULL;
	size_t room = 0;
	int err = 0;

	watch->replay.does_go_on = true;
	watch->replay.owner = watch;
	watch->replay.decided = watch_hear;
	while (!err && getline(&words, &room, file) > 0) {
		words[strcspn(words, "\n")] = '\0';
		err = replay_line(&watch->replay, words);
		if (watch->replay.feed.has_begun && !is_as_by_default(&watch->replay.feed.plan))
			accuse(watch, "the settings are not the default ones",
				watch->replay.number);
	}
	free(words);
	return err ? err : replay_end(&watch->replay);
}

struct watch *watch_new(void)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	assert_non_null(watch);
	return watch;
}

void watch_free(struct watch *watch)
{
	replay_done(&watch->replay);
	free(watch);
}
