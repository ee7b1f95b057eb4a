/* SPDX-License-Identifier: MIT */
/* Judgement: which subflow of an elephant is much slower than its siblings, or silent. */
#include "lag.h"

#include "core/plan.h"

#include <sys/param.h>

#define WINDOW_NS   100000000ull /* of a round, and WINDOW_RTTS at least */
#define WINDOW_RTTS 4
#define LAST_NS     40000000ull    /* the last one at least, and up to apart.delay more, by lot */
#define ROUNDS      3              /* in a row that one must lag */
#define YOUNG_RTTS  10             /* slow start says nothing */
#define LOST_NS     1000000000ull  /* an answer that has not come by then does not come */
#define PAUSE_NS    10000000000ull /* at most, while little moves; and after a verdict in vain */
#define LEAST       1000000        /* bytes/s: less says nothing of a path */
#define LEAST_PART  10             /* of a download: less than 1/10 is no elephant's share */
#define PRICE_NS    2500000ull     /* 400 questions a second, whatever many elephants there are */
#define SILENT      5              /* rounds in a row of a download that bring nothing */
#define LEAN        1              /* before them: the one in which the path died */
#define SHARE       4              /* 1/4 of what its siblings bring on average, at least */

void lag_init(struct lags *lags)
{
	*lags = (struct lags){};
	agenda_init(&lags->agenda);
}

/* 0 = nothing is due. */
static void set_due(struct plan *plan, struct conn *conn, uint64_t due_ns)
{
	agenda_set(&plan->lags.agenda, &conn->lag.due, due_ns);
}

static bool is_watched(const struct subflow *subflow)
{
	return subflow->state == SUBFLOW_ESTABLISHED && !subflow->is_doomed &&
	       !subflow->is_leaving && !subflow->replaces && !subflow->is_backup &&
	       !subflow->is_silent && !quiet_is_on(subflow);
}

/* Whether anybody wants to know how fast it is. Where no way is known, there is no other one. */
static bool is_compared(const struct plan *plan, const struct subflow *subflow)
{
	return path_is_set(&subflow->path) &&
	       ((plan->lags.rule.slow_percent && plan->aparts.rule.moves) ||
		       plan->lasthops.rule.is_on);
}

/* Whether silence is looked for: of a download, or where it is not known yet what it is. */
static bool is_listened(const struct plan *plan, const struct subflow *subflow)
{
	const struct rate_sample *last = &subflow->pace.last;

	return plan->does_repair && (!last->now_ns || last->bytes_received > last->bytes_acked);
}

static bool is_any_listened(const struct plan *plan, const struct conn *conn)
{
	const struct subflow *subflow;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (is_watched(subflow) && is_listened(plan, subflow))
			return true;
	}
	return false;
}

/* Of one alone it is asked whether its last link still holds it back. */
static uint32_t count_watched(const struct plan *plan, const struct conn *conn)
{
	const struct subflow *subflow;
	bool is_wanted = is_any_listened(plan, conn);
	uint32_t count = 0;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		count += is_watched(subflow);
		is_wanted |= is_compared(plan, subflow);
	}
	return is_wanted && (count > 1 || conn->lasthop.most) ? count : 0;
}

/* The next round is at @due_ns, or when its questions are within what a second allows. */
static void plan_round(struct plan *plan, struct conn *conn, uint64_t due_ns)
{
	uint64_t free_ns = MAX(plan->lags.free_ns, plan->now_ns);

	plan->lags.free_ns = free_ns + count_watched(plan, conn) * PRICE_NS;
	set_due(plan, conn, MAX(due_ns, free_ns));
}

/* Where the next one is far off, since nothing has moved: now something happens. */
static bool is_expected(const struct lag *lag)
{
	return lag->due.at_ns && (lag->awaited || lag->pause_ns <= PAUSE_NS);
}

void lag_expect(struct plan *plan, struct conn *conn)
{
	if (!conn->is_elephant || is_expected(&conn->lag) || !count_watched(plan, conn))
		return;
	conn->lag.pause_ns = 0;
	conn->lag.moved_ns = plan->now_ns;
	plan_round(plan, conn, plan->now_ns + 1);
}

static void begin_round(struct plan *plan, struct conn *conn)
{
	struct subflow *subflow;

	conn->lag.awaited = 0;
	if (!conn->is_elephant || !count_watched(plan, conn))
		return;
	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (is_watched(subflow) &&
			actions_add_about(&plan->actions, ACTION_PACE, conn, subflow))
			conn->lag.awaited++;
	}
	plan->lags.counters.rounds++;
	set_due(plan, conn, plan->now_ns + LOST_NS);
}

/* Between the same ends: what is slow to one place need not be slow to another. */
static bool is_sibling(const struct subflow *a, const struct subflow *b)
{
	return a != b && is_watched(b) && endpoint_is_same_address(&a->local, &b->local) &&
	       endpoint_is_equal(&a->remote, &b->remote);
}

/*
 * The median of the siblings' rates, bytes/s; 0: they say nothing. Where one of them is not busy
 * the application has too little to send.
 */
static uint64_t median_of(const struct conn *conn, const struct subflow *subflow)
{
	uint64_t rates[SUBFLOWS_HARD_MAX], rate;
	const struct subflow *other;
	uint32_t n = 0, i;

	TAILQ_FOREACH (other, &conn->subflows, entry) {
		if (!is_sibling(subflow, other) || n == SUBFLOWS_HARD_MAX)
			continue;
		if (!other->pace.rate.is_busy ||
			other->pace.rate.is_received != subflow->pace.rate.is_received)
			return 0;
		rate = other->pace.rate.bytes_per_s;
		for (i = n++; i && rates[i - 1] > rate; i--)
			rates[i] = rates[i - 1];
		rates[i] = rate;
	}
	return n ? rates[n / 2] : 0;
}

static bool is_grown(const struct subflow *subflow, uint64_t quiet_ns, uint64_t now_ns)
{
	const struct rate_sample *last = &subflow->pace.last;

	return now_ns >= subflow->established_ns + quiet_ns + last->srtt_us * 1000ull * YOUNG_RTTS +
				 WINDOW_NS;
}

static bool does_lag(const struct plan *plan, const struct subflow *subflow, uint64_t median)
{
	const struct rate *rate = &subflow->pace.rate;

	if (!plan->aparts.rule.moves || !rate->is_busy || !rate->bytes || median < LEAST ||
		!is_grown(subflow, plan->quiets.rule.time_ns, plan->now_ns))
		return false;
	if (rate->is_received && rate->bytes_per_s * LEAST_PART < median)
		return false;
	return rate->bytes_per_s * 100 < median * plan->lags.rule.slow_percent;
}

/* Whom to move, and how fast its siblings are; NULL: nobody. */
static struct subflow *judge(struct plan *plan, struct conn *conn, uint64_t *ret_median)
{
	struct subflow *subflow, *worst = NULL;
	uint64_t median;

	if (plan->now_ns < conn->lag.rest_ns)
		return NULL;
	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		median = is_watched(subflow) ? median_of(conn, subflow) : 0;
		if (!does_lag(plan, subflow, median)) {
			subflow->pace.rounds = 0;
			continue;
		}
		subflow->pace.rounds++;
		if (worst && worst->pace.rounds >= subflow->pace.rounds)
			continue;
		worst = subflow;
		*ret_median = median;
	}
	return worst;
}

/* What its @ret_count siblings bring together, bytes/s; 0: one of them brings nothing either. */
static uint64_t sum_beside(
	const struct conn *conn, const struct subflow *subflow, uint32_t *ret_count)
{
	const struct subflow *other;
	uint32_t count = 0;
	uint64_t sum = 0;

	TAILQ_FOREACH (other, &conn->subflows, entry) {
		if (other == subflow || !is_watched(other))
			continue;
		if (!other->pace.rate.is_received)
			return 0;
		sum += other->pace.rate.bytes_per_s;
		count++;
	}
	*ret_count = count;
	return sum;
}

/*
 * A sender that has too little to send leaves subflows out as well. But it needs less and less of
 * one before, or its other subflows bring less then, too: what goes from its share to nothing at
 * once while they go on as before has died.
 */
static void note_silence(const struct conn *conn, struct subflow *subflow)
{
	struct pace *pace = &subflow->pace;
	const struct rate *rate = &pace->rate;
	uint32_t count = 0;
	uint64_t beside = sum_beside(conn, subflow, &count);

	if (rate->is_known && !rate->bytes && beside && pace->lean <= LEAN && pace->beside &&
		beside * 4 >= pace->beside * 3) {
		pace->silent++;
		return;
	}
	pace->silent = 0;
	if (!rate->bytes || !beside)
		return;
	pace->lean++;
	if (!rate->is_received || rate->bytes_per_s * SHARE * count < beside)
		return;
	pace->beside = beside;
	pace->lean = 0;
}

/* Two that are silent prove nothing, as each wants all others to go on. */
static struct subflow *find_silent(struct conn *conn)
{
	struct subflow *subflow, *silent = NULL;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (!is_watched(subflow))
			continue;
		note_silence(conn, subflow);
		if (subflow->pace.silent >= SILENT)
			silent = subflow;
	}
	return silent;
}

/*
 * Of those that have nothing to say. Where nothing has moved at all for long it is as long as that
 * has been so: one that is idle for ever is asked ever more seldom. Only a hold of the last hop is
 * ended by a round.
 */
static uint64_t find_pause_ns(const struct conn *conn, uint64_t now_ns)
{
	uint64_t idle_ns = now_ns - conn->lag.moved_ns;

	if (idle_ns > PAUSE_NS && !conn->lasthop.most)
		return idle_ns;
	return MIN(2 * conn->lag.pause_ns + WINDOW_NS, PAUSE_NS);
}

/* How long the next round is to last. */
static uint64_t window_ns(struct plan *plan, struct conn *conn, const struct subflow *worst)
{
	uint64_t delay_ns = plan->aparts.rule.delay_ns, window_ns = WINDOW_NS, moved = 0;
	const struct subflow *subflow;
	uint64_t rtt_ns = 0;

	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (!is_watched(subflow))
			continue;
		rtt_ns = MAX(rtt_ns, subflow->pace.last.srtt_us * 1000ull);
		moved += subflow->pace.rate.bytes_per_s;
		if (subflow->pace.rate.bytes)
			conn->lag.moved_ns = plan->now_ns;
	}
	/* Many hosts are not to move in step: who is last finds its way free again. */
	if (worst && worst->pace.rounds == ROUNDS - 1)
		window_ns = LAST_NS + ((ports_random(&plan->steer.random) >> 32) * delay_ns >> 32);
	conn->lag.pause_ns = moved < LEAST ? find_pause_ns(conn, plan->now_ns) : 0;
	return MAX(MAX(window_ns, rtt_ns * WINDOW_RTTS), conn->lag.pause_ns);
}

static void end_round(struct plan *plan, struct conn *conn)
{
	uint64_t median = 0, due_ns;
	struct subflow *worst = judge(plan, conn, &median), *silent = find_silent(conn);

	due_ns = plan->now_ns + window_ns(plan, conn, worst);
	if (worst && worst->pace.rounds >= ROUNDS) {
		if (apart_leave(plan, conn, worst, median))
			conn->lag.rest_ns = plan->now_ns + PAUSE_NS;
		worst->pace.rounds = 0;
	}
	if (silent) {
		silent->pace.silent = 0;
		repair_hear_silence(plan, conn, silent);
	}
	/* Who may fall silent is asked all the same. */
	if (!is_any_listened(plan, conn))
		due_ns = MAX(due_ns, MIN(conn->lag.rest_ns, lasthop_find_rest_ns(plan, conn)));
	plan_round(plan, conn, due_ns);
	lasthop_hear_round(plan, conn);
	if (conn->lag.moved_ns == plan->now_ns)
		apart_hear_busy(plan, conn);
}

/* While the receiver's window is closed, the way is not what is slow. */
static bool is_limited(const struct rate_sample *from, const struct rate_sample *to)
{
	return (to->held_us - from->held_us) * 4000 > to->now_ns - from->now_ns;
}

void lag_hear_paced(struct plan *plan, struct conn *conn, const struct event *event)
{
	struct subflow *subflow = conn_find_serial(conn, event->serial);
	struct rate_sample sample = event->sample;
	struct pace *pace;

	sample.now_ns = event->error ? 0 : event->now_ns;
	if (subflow) {
		pace = &subflow->pace;
		pace->rate = rate_between(&pace->last, &sample);
		pace->rate.is_busy &= pace->rate.is_received || !is_limited(&pace->last, &sample);
		pace->last = sample;
	}
	if (conn->lag.awaited && !--conn->lag.awaited)
		end_round(plan, conn);
}

void lag_tick(struct plan *plan, uint64_t now_ns)
{
	struct agenda_entry *due;
	struct conn *conn;

	while ((due = agenda_find_due(&plan->lags.agenda, now_ns))) {
		conn = AGENDA_OWNER(due, struct conn, lag.due);
		set_due(plan, conn, 0);
		begin_round(plan, conn);
	}
}

void lag_forget(struct plan *plan, struct conn *conn)
{
	set_due(plan, conn, 0);
}
