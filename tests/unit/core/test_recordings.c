/* SPDX-License-Identifier: MIT */
/*
 * What real hosts have heard, played again: whatever is decided today, nothing oscillates. That the
 * same is decided by the code that has recorded, tests/e2e/test_record.py checks.
 */
#include "core/repair.h"
#include "core/replay.h"

#include "../unit.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CREATES_MAX 1024
#define CONNS_MAX   64
#define HELD_MAX    16
#define SECOND_NS   1000000000ull

/* What the defaults promise of one connection: the manual, [apart], [benefit], [fairness]. */
#define MOVES_MOST 2
#define TRIES_MOST 2
#define HOLD_NS    (60 * SECOND_NS)
#define REFUSED    8
#define REFUSED_NS (600 * SECOND_NS)
#define CREATES_NS (10 * SECOND_NS)

struct create {
	struct conn_key key;
	uint64_t now_ns;
	enum subflow_asker asker;
};

/* Of one connection. */
struct one {
	struct conn_key key;
	unsigned int replaced;  /* subflows on trial, in a row */
	uint64_t less_until_ns; /* it has fewer, for its last link */
	unsigned int back;      /* of these, opened again all the same */
};

/* A destination to which one more subflow did not help. */
struct held {
	uint64_t netns, until_ns;
	struct endpoint remote;
};

/* What the plan had counted when it was looked at last. */
struct seen {
	uint64_t replaced, judged, taken_back, taken, refused, established;
};

struct watch {
	struct replay replay;
	struct create creates[CREATES_MAX]; /* all, in their order */
	unsigned int n_creates;
	struct one ones[CONNS_MAX];
	unsigned int n_ones;
	struct held held[HELD_MAX];
	unsigned int n_held;
	unsigned int refused; /* joins, in a row */
	uint64_t refused_until_ns;
	unsigned int kinds[ACTION_FORGET + 1];
	struct seen seen;
	char wrong[200]; /* the first thing */
};

static const char *folder;

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
	assert_true(watch->n_held < HELD_MAX);
	watch->held[watch->n_held++] = (struct held){.netns = conn->key.netns,
		.until_ns = now_ns + HOLD_NS,
		.remote = endpoint_unmap(&conn->remote)};
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
	/* Of those that its last link has taken one may have been one too many. */
	if (decision->now_ns < one->less_until_ns && one->back++)
		accuse(watch, "what its last link has taken comes back", decision->number);
}

static void decided(void *owner, const struct replay_decision *decision)
{
	struct watch *watch = owner;
	struct conn *conn = conn_find(&watch->replay.feed.plan.table, decision->key);
	const struct action *action = decision->action;

	if (decision->verdict == REPLAY_GONE)
		return;
	notice_verdicts(watch, decision, conn);
	notice_last_hop(watch, decision);
	notice_refusals(watch, decision);
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

static int play(struct watch *watch, FILE *file)
{
	char *words = NULL;
	size_t room = 0;
	int err = 0;

	watch->replay.does_go_on = true;
	watch->replay.owner = watch;
	watch->replay.decided = decided;
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

static void play_file(const char *name, struct watch *watch)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "r");
	if (!file)
		fail_msg("%s cannot be read", path);
	if (play(watch, file))
		fail_msg("%s: %s", path, watch->replay.error);
	fclose(file);
	if (*watch->wrong)
		fail_msg("%s: %s", path, watch->wrong);
}

static void none_oscillates(void **state)
{
	unsigned int recordings = 0, creates = 0;
	const struct dirent *entry;
	struct watch *watch;
	DIR *stream = opendir(folder);

	(void)state;
	assert_non_null(stream);
	while ((entry = readdir(stream))) {
		if (*entry->d_name == '.')
			continue;
		watch = calloc(1, sizeof(*watch));
		assert_non_null(watch);
		play_file(entry->d_name, watch);
		creates += watch->n_creates;
		recordings++;
		replay_done(&watch->replay);
		free(watch);
	}
	closedir(stream);
	assert_in_range(recordings, 7, 1000);
	assert_in_range(creates, 40, 100000);
}

static struct watch *show(const char *name)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	assert_non_null(watch);
	play_file(name, watch);
	return watch;
}

static void hide(struct watch *watch)
{
	replay_done(&watch->replay);
	free(watch);
}

static void an_elephant_on_four_paths(void **state)
{
	struct watch *watch = show("elephant");
	const struct plan *plan = &watch->replay.feed.plan;

	(void)state;
	assert_int_equal(plan->counters.established, 3);
	assert_in_range(plan->lags.counters.rounds, 10, 100);
	assert_in_range(watch->kinds[ACTION_PACE], 40, 400);
	/* Each has joined as a backup, and it is said twice that it is none. */
	assert_int_equal(watch->kinds[ACTION_BACKUP], 6);
	assert_int_equal(plan->aparts.counters.moved + plan->benefits.counters.replaced, 0);
	hide(watch);
}

static void a_collision_of_two_of_this_host(void **state)
{
	struct watch *watch = show("collision");
	const struct apart_counters *counters = &watch->replay.feed.plan.aparts.counters;

	(void)state;
	assert_in_range(counters->moved, 1, 2 * MOVES_MOST);
	assert_int_equal(counters->failed, 0);
	/* Their paths told it, not their rates. */
	assert_int_equal(counters->slow, 0);
	hide(watch);
}

/* It meets somebody once more than it may be moved. */
static void somebody_elses_elephant(void **state)
{
	struct watch *watch = show("stranger");
	const struct apart_counters *counters = &watch->replay.feed.plan.aparts.counters;

	(void)state;
	assert_int_equal(counters->moved, MOVES_MOST);
	assert_in_range(counters->slow, MOVES_MOST + 1, 10);
	assert_in_range(counters->held, 1, 10);
	hide(watch);
}

/* Of three elephants the first and the last are tried, the one in between finds the hold. */
static void a_subflow_that_is_taken_back(void **state)
{
	struct watch *watch = show("in-vain");
	const struct benefit_counters *counters = &watch->replay.feed.plan.benefits.counters;

	(void)state;
	assert_int_equal(counters->taken_back, 2);
	assert_int_equal(counters->replaced, 2 * TRIES_MOST);
	assert_in_range(counters->left_alone, 5, 20);
	assert_int_equal(watch->n_creates, 2 * (1 + TRIES_MOST));
	assert_in_range(watch->kinds[ACTION_MEASURE], 10, 100);
	assert_int_equal(watch->n_held, 2);
	hide(watch);
}

static void a_last_hop_that_is_shared(void **state)
{
	struct watch *watch = show("last-hop");
	const struct lasthop_counters *counters = &watch->replay.feed.plan.lasthops.counters;

	(void)state;
	assert_int_equal(counters->taken, 6);
	assert_int_equal(counters->given, 3);
	assert_in_range(watch->kinds[ACTION_REACH], 24, 400);
	hide(watch);
}

/* The ninth within ten seconds is the kernel's. */
static void a_link_that_flaps(void **state)
{
	struct watch *watch = show("flapping");
	const struct plan_counters *counters = &watch->replay.feed.plan.counters;

	(void)state;
	assert_int_equal(counters->repairs, REPAIR_MOST);
	assert_in_range(counters->repairs_denied, 1, 10);
	hide(watch);
}

static void a_peer_that_refuses(void **state)
{
	struct watch *watch = show("refusals");
	const struct plan_counters *counters = &watch->replay.feed.plan.counters;

	(void)state;
	assert_int_equal(counters->refused_by_peer, REFUSED);
	assert_in_range(counters->withheld, 4, 100);
	hide(watch);
}

/* The watch itself: a plan that is told of a dead path again and again, past its budget. */
static void an_oscillation_is_seen(void **state)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	struct action action = {.kind = ACTION_CREATE, .key = {.netns = 1, .token = 7}};
	struct replay_decision decision = {.action = &action, .key = &action.key};
	const struct elephant_rule rule = {.step_bytes = 1, .max_subflows = 4};
	struct plan *plan = &watch->replay.feed.plan;

	(void)state;
	assert_non_null(watch);
	assert_int_equal(plan_init(plan, &rule, 4, 8), 0);
	assert_non_null(conn_get(&plan->table, &action.key));
	for (int i = 0; i < 3 + REPAIR_MOST + MOVES_MOST + TRIES_MOST; i++)
		decided(watch, &decision);
	assert_string_equal(watch->wrong, "");
	decision.now_ns = CREATES_NS;
	decided(watch, &decision);
	assert_string_equal(watch->wrong, "");
	decision.now_ns = CREATES_NS - 1;
	decided(watch, &decision);
	assert_string_equal(watch->wrong, "line 0: it oscillates");
	plan_done(plan);
	free(watch);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_oscillates),
		cmocka_unit_test(an_elephant_on_four_paths),
		cmocka_unit_test(a_collision_of_two_of_this_host),
		cmocka_unit_test(somebody_elses_elephant),
		cmocka_unit_test(a_subflow_that_is_taken_back),
		cmocka_unit_test(a_last_hop_that_is_shared),
		cmocka_unit_test(a_link_that_flaps),
		cmocka_unit_test(a_peer_that_refuses),
		cmocka_unit_test(an_oscillation_is_seen),
	};

	if (argc != 2)
		return 2;
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
