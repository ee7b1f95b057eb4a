/* SPDX-License-Identifier: MIT */
/* Judgement: whether the last link to its peer is what holds an elephant back. */
#include "lasthop.h"

#include "core/closing.h"
#include "core/opening.h"
#include "core/path_table.h"

#include <errno.h>
#include <sys/param.h>

#define AT_ONCE   2    /* questions a round */
#define ENOUGH    8    /* answers that decide */
#define STRAY     2    /* of these, that may say otherwise: a busy machine is late */
#define PART      3    /* up to the last router and back it takes less than 1/3 of the wait */
#define WAIT_US   1000 /* who waits for less does not wait */
#define LOST_NS   1000000000ull  /* an answer that has not come by then does not come */
#define REST_NS   4000000000ull  /* after a verdict; after the first ones half a second, one, two */
#define DOUBT_NS  500000000ull   /* after one that was close */
#define SILENT_NS 60000000000ull /* where the last router says nothing */
#define SECOND_NS 1000000000ull
#define SHIFT_MAX 4 /* of the hold: from then on each is as long as the one before */

static void begin_anew(struct lasthop *lasthop)
{
	lasthop->compared = lasthop->there = lasthop->elsewhere = lasthop->unanswered = 0;
	lasthop->rounds = lasthop->moved = 0;
}

static void rest(const struct plan *plan, struct lasthop *lasthop)
{
	begin_anew(lasthop);
	lasthop->rest_ns = plan->now_ns + REST_NS;
}

static bool is_up(const struct subflow *subflow)
{
	return subflow->state == SUBFLOW_ESTABLISHED && !subflow->is_doomed &&
	       !subflow->is_backup && !quiet_is_on(subflow);
}

/* What an application or the operator asked for is theirs. */
static bool is_theirs(const struct conn *conn)
{
	return conn->is_server || conn->listed || conn->mesh || conn->adds != conn->removes ||
	       conn->lasthop.has_theirs;
}

/* Also when another takes its place, which nobody has asked for. */
void lasthop_hear_established(struct conn *conn, const struct subflow *subflow)
{
	conn->lasthop.has_theirs |= subflow->asker == ASKER_APPLICATION ||
				    subflow->asker == ASKER_OPERATOR ||
				    subflow->asker == ASKER_POLICY;
}

/* While anything comes and goes, rates and ways are those of the moment. */
static bool is_steady(const struct conn *conn)
{
	const struct subflow *subflow;

	if (!conn->n_subflows || conn->benefit.phase > BENEFIT_BEFORE || conn_count_wanted(conn))
		return false;
	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (!is_up(subflow) || subflow->replaces || subflow->is_leaving)
			return false;
	}
	return true;
}

static bool is_ours(const struct conn *conn)
{
	return !is_theirs(conn) && is_steady(conn);
}

/* All of them send as much as they can. */
static bool is_busy(const struct conn *conn)
{
	const struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (!subflow->pace.rate.is_busy || subflow->pace.rate.is_received)
			return false;
	}
	return true;
}

/*
 * Up a fabric and down again there is an odd number of routers: else the last one has not answered.
 * Who has several ways out itself has such peers, with a last link each. 0: nothing can be said.
 */
static uint8_t find_ttl(struct plan *plan, const struct conn *conn, const struct subflow *subflow)
{
	struct endpoint local = endpoint_unmap(&subflow->local),
			remote = endpoint_unmap(&subflow->remote);
	struct path_key key = path_key_of(conn->key.netns, &local, &remote);
	const struct path_map *map = path_table_find(&plan->steer.paths, &key);

	if (!map || !path_is_set(&subflow->path) || subflow->path.tiers[0] || map->hops < 3)
		return 0;
	return map->hops % 2 ? map->hops : 0;
}

/*
 * How long its packets wait, on the way there and back: what is longer than the shortest round
 * trip. A younger one may never have had one without queues, but it has that of its siblings to the
 * same end.
 */
static uint32_t find_wait_us(const struct conn *conn, const struct subflow *subflow)
{
	const struct rate_sample *last = &subflow->pace.last;
	uint32_t least_us = last->least_us;
	const struct subflow *other;

	TAILQ_FOREACH (other, &conn->subflows, entry) {
		if (other->pace.last.now_ns &&
			endpoint_is_equal(&other->remote, &subflow->remote) &&
			endpoint_is_same_address(&other->local, &subflow->local))
			least_us = MIN(least_us, other->pace.last.least_us);
	}
	return last->srtt_us > least_us ? last->srtt_us - least_us : 0;
}

/* The one after that which was asked about last. */
static struct subflow *choose_next(struct conn *conn)
{
	struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->serial > conn->lasthop.turn)
			return subflow;
	}
	return TAILQ_FIRST(&conn->subflows);
}

static void ask(struct plan *plan, struct conn *conn, struct subflow *subflow, uint8_t ttl)
{
	struct action *action = actions_add_about(&plan->actions, ACTION_REACH, conn, subflow);

	if (!action)
		return;
	action->ttl = ttl;
	conn->lasthop.asked_ns = plan->now_ns;
	conn->lasthop.awaited++;
	plan->lasthops.counters.asked++;
}

static struct subflow *find_youngest(struct conn *conn)
{
	struct subflow *subflow;

	TAILQ_FOREACH_REVERSE(subflow, &conn->subflows, subflow_list, entry)
	{
		if (is_up(subflow) && subflow != TAILQ_FIRST(&conn->subflows))
			return subflow;
	}
	return NULL;
}

/* Where it is of use for long, each hold is twice as long as the one before. */
static void begin_hold(const struct plan *plan, struct lasthop *lasthop)
{
	uint64_t hold_ns = plan->lasthops.rule.hold_ns << MIN(lasthop->holds, SHIFT_MAX);

	lasthop->holds++;
	lasthop->until_ns = plan->now_ns + hold_ns;
}

/* Down to @most. */
static void take_back(struct plan *plan, struct conn *conn, uint32_t most)
{
	struct lasthop *lasthop = &conn->lasthop;
	uint32_t n = conn->n_subflows;
	struct subflow *subflow;

	if (!lasthop->most)
		begin_hold(plan, lasthop);
	lasthop->most = most;
	revival_waive(conn);
	conn_say(conn,
		"the last link to its peer is what holds it back, and %u subflows take from others "
		"there what one would not: %u stay",
		n, lasthop->most);
	for (; n > lasthop->most && (subflow = find_youngest(conn)); n--) {
		subflow->is_lost = subflow->is_in_vain = true;
		news_add_subflow(&plan->news, NEWS_SUBFLOW_JUDGED, conn, subflow, conn->why);
		closing_begin(plan, conn, subflow);
		lasthop->taken++;
		plan->lasthops.counters.taken++;
	}
}

/*
 * How many the elephant rule gives it now: what an application or the operator has asked for
 * meanwhile counts, and so does what it has removed.
 */
static uint32_t find_room(const struct plan *plan, const struct conn *conn)
{
	uint32_t most = rules_of(plan, conn)->max_subflows;
	uint32_t has = conn_count_all(conn) + conn_count_waived(conn);

	return conn->is_elephant && has < most ? most - has : 0;
}

static void give_back(struct plan *plan, struct conn *conn, uint32_t n)
{
	conn->lasthop.taken -= n;
	plan->lasthops.counters.given += n;
	for (conn->wanted_elephant += n; n; n--)
		conn_reopen_passed(conn);
	conn_renew_tries(conn);
	opening_run(plan, conn, 0);
}

/* What was true then need not be any more. */
static void end_hold(struct plan *plan, struct conn *conn)
{
	struct lasthop *lasthop = &conn->lasthop;

	begin_anew(lasthop);
	lasthop->most = 0;
	lasthop->trial = LASTHOP_UNTRIED;
	give_back(plan, conn, MIN(lasthop->taken, find_room(plan, conn)));
	lasthop->taken = 0;
}

/* All its subflows together, since it is looked at anew. */
static uint64_t find_bytes_per_s(const struct lasthop *lasthop)
{
	return lasthop->rounds ? lasthop->moved / lasthop->rounds : 0;
}

/* Something else holds it back now. */
static void relent(struct plan *plan, struct conn *conn)
{
	struct lasthop *lasthop = &conn->lasthop;

	lasthop->most++;
	lasthop->trial = LASTHOP_TRIED;
	lasthop->untried = find_bytes_per_s(lasthop);
	conn_say(conn, "the last link to its peer does not hold it back any more: %u subflows",
		lasthop->most);
	give_back(plan, conn, 1);
}

/* What as many as before it came back would carry now, as far as all paths are alike. */
static void renew_untried(struct lasthop *lasthop, uint32_t n_subflows)
{
	if (n_subflows == lasthop->most)
		lasthop->untried = find_bytes_per_s(lasthop) / n_subflows * (n_subflows - 1);
}

/*
 * The last link is full again. Where the others were held back by a path, and there was room on
 * that link, the one that came back brings as much as each of them; where it brings less than two
 * thirds of that, it takes most of it from others. They may come later, too, or need a while to
 * take what is theirs.
 */
static bool is_vain(const struct conn *conn)
{
	const struct lasthop *lasthop = &conn->lasthop;
	uint64_t share = lasthop->untried / (lasthop->most - 1);

	return find_bytes_per_s(lasthop) < lasthop->untried + share * 2 / 3;
}

/* Of a young elephant, whose neighbours have not come to terms with it, more is found out soon. */
static uint64_t lengthen_pause_ns(struct lasthop *lasthop)
{
	uint64_t pause_ns = DOUBT_NS << lasthop->verdicts;

	lasthop->verdicts += pause_ns < REST_NS;
	return pause_ns;
}

/* Its packets wait for the last link, and it has more than one subflow. */
static void judge(struct plan *plan, struct conn *conn)
{
	struct lasthop *lasthop = &conn->lasthop;

	if (lasthop->trial != LASTHOP_TRIED) {
		take_back(plan, conn, conn->n_subflows / 2);
	} else if (is_vain(conn)) {
		lasthop->trial = LASTHOP_SETTLED;
		take_back(plan, conn, conn->n_subflows - 1);
	} else {
		lasthop->rest_ns = plan->now_ns + lengthen_pause_ns(lasthop);
	}
}

/* It waits elsewhere. Once is not enough: right after some went much is of the moment. */
static void doubt(struct plan *plan, struct conn *conn, bool is_doubted)
{
	struct lasthop *lasthop = &conn->lasthop;

	if (is_doubted) {
		relent(plan, conn);
		return;
	}
	lasthop->is_doubted = true;
	lasthop->rest_ns = plan->now_ns + DOUBT_NS;
}

static void conclude(struct plan *plan, struct conn *conn)
{
	struct lasthop *lasthop = &conn->lasthop;
	uint32_t others = lasthop->compared - lasthop->there;
	bool is_last = others <= STRAY, is_close = lasthop->there >= others;
	bool is_elsewhere = lasthop->elsewhere + STRAY >= ENOUGH;
	bool is_doubted = lasthop->is_doubted;

	if (lasthop->compared < ENOUGH && (is_last || lasthop->taken))
		return;
	lasthop->is_doubted = false;
	if (is_elsewhere && lasthop->trial == LASTHOP_TRIED)
		renew_untried(lasthop, conn->n_subflows);
	if (is_last && conn->n_subflows > 1)
		judge(plan, conn);
	else if (is_elsewhere && lasthop->taken && lasthop->trial == LASTHOP_UNTRIED &&
		 find_room(plan, conn))
		doubt(plan, conn, is_doubted);
	else
		lasthop->rest_ns = plan->now_ns +
				   (is_close && !is_last ? DOUBT_NS : lengthen_pause_ns(lasthop));
	begin_anew(lasthop);
}

/* @reach_us: how long it takes to the last router and back. */
static void compare(
	struct plan *plan, struct conn *conn, const struct subflow *subflow, uint64_t reach_us)
{
	struct lasthop *lasthop = &conn->lasthop;
	uint32_t wait_us = find_wait_us(conn, subflow);
	bool is_there = reach_us * PART < wait_us;

	lasthop->compared++;
	lasthop->there += wait_us >= WAIT_US && is_there;
	lasthop->elsewhere += wait_us >= WAIT_US && !is_there;
	conclude(plan, conn);
}

static void note_rate(struct conn *conn)
{
	const struct subflow *subflow;

	conn->lasthop.rounds++;
	TAILQ_FOREACH (subflow, &conn->subflows, entry)
		conn->lasthop.moved += subflow->pace.rate.bytes_per_s;
}

void lasthop_hear_round(struct plan *plan, struct conn *conn)
{
	struct lasthop *lasthop = &conn->lasthop;
	struct subflow *subflow;
	uint8_t ttl;

	if (lasthop->most && plan->now_ns >= lasthop->until_ns) {
		end_hold(plan, conn);
		return;
	}
	if (!plan->lasthops.rule.is_on || plan->now_ns < lasthop->rest_ns ||
		(lasthop->awaited && plan->now_ns < lasthop->asked_ns + LOST_NS))
		return;
	lasthop->awaited = 0;
	if (!is_ours(conn) || !is_busy(conn)) {
		begin_anew(lasthop);
		return;
	}
	note_rate(conn);
	for (int i = 0; i < AT_ONCE && lasthop->rest_ns <= plan->now_ns; i++) {
		subflow = choose_next(conn);
		lasthop->turn = subflow->serial;
		ttl = find_ttl(plan, conn, subflow);
		if (!ttl)
			rest(plan, lasthop);
		else if (find_wait_us(conn, subflow) < WAIT_US)
			compare(plan, conn, subflow, 0);
		else
			ask(plan, conn, subflow, ttl);
	}
}

uint64_t lasthop_find_rest_ns(const struct plan *plan, const struct conn *conn)
{
	return plan->lasthops.rule.is_on && !is_theirs(conn) ? conn->lasthop.rest_ns : UINT64_MAX;
}

void lasthop_hear_reached(struct plan *plan, struct conn *conn, const struct event *event)
{
	const struct subflow *subflow = conn_find_serial(conn, event->serial);
	struct lasthop *lasthop = &conn->lasthop;

	lasthop->awaited -= lasthop->awaited > 0;
	if (!subflow || !is_ours(conn))
		return;
	if (!event->error) {
		lasthop->unanswered = 0;
		plan->lasthops.counters.answered++;
		compare(plan, conn, subflow, event->sample.srtt_us);
	} else if (++lasthop->unanswered >= ENOUGH) {
		begin_anew(lasthop);
		lasthop->rest_ns = plan->now_ns + SILENT_NS;
	}
}

bool lasthop_is_held(const struct conn *conn, uint64_t now_ns)
{
	return conn->lasthop.most && now_ns < conn->lasthop.until_ns;
}

int lasthop_admit(struct plan *plan, struct conn *conn)
{
	struct lasthop *lasthop = &conn->lasthop;

	if (!lasthop_is_held(conn, plan->now_ns) || conn_count_live(conn) < lasthop->most)
		return 0;
	plan->lasthops.counters.withheld++;
	conn_say(conn,
		"no subflow: the last link to its peer is what held it back; none is tried for "
		"another %llu s",
		(lasthop->until_ns - plan->now_ns + SECOND_NS - 1) / SECOND_NS);
	return -EHOSTDOWN;
}
