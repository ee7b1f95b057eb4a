/* SPDX-License-Identifier: MIT */
/* Path discovery: carries out surveys with probes, beside everything else in the loop. */
#include "scout.h"

#include "base/log.h"
#include "base/timer.h"
#include "kernel/scout_session.h"
#include "kernel/served_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SURVEYS_FREE 128 /* up to here nobody asks whose they are */
#define BURST        64  /* probes at once, of all surveys */
#define SECOND_NS    1000000000ull

uint64_t scout_draw(struct scout *scout)
{
	return ports_random(&scout->random);
}

static uint64_t price_ns(const struct scout *scout)
{
	return bucket_price_ns(scout->probes_per_second);
}

static bool has_token(struct scout *scout, uint64_t now_ns)
{
	bucket_fill(&scout->bucket, BURST * price_ns(scout), now_ns);
	return bucket_has(&scout->bucket, scout->probes_per_second);
}

/* Those who wait hear of it; a survey that has ended goes. */
static void tell(struct scout_session *session, struct survey *survey)
{
	struct scout *scout = session->scout;
	struct conn_key askers[SURVEY_ASKERS_MAX];
	unsigned int n_askers = survey->n_askers;

	memcpy(askers, survey->askers, sizeof(askers));
	survey->has_news = false;
	if (survey->phase == SURVEY_DONE)
		scout_session_drop(session, survey);
	for (unsigned int i = 0; i < n_askers; i++)
		scout->heard(scout->owner, &askers[i]);
}

static struct survey *find_news(struct scout *scout, struct scout_session **ret_session)
{
	struct scout_session *session;
	struct survey *survey;

	TAILQ_FOREACH (session, &scout->sessions, entry) {
		TAILQ_FOREACH (survey, &session->surveys, entry) {
			if (!survey->has_news)
				continue;
			*ret_session = session;
			return survey;
		}
	}
	return NULL;
}

static uint32_t find_user(const struct scout *scout, const struct conn_key *asker)
{
	uint32_t uid;

	return scout->find_user(scout->owner, asker, &uid) ? uid : QUOTA_NOBODY;
}

/*
 * Whose a connection is takes a question to the kernel: it is put when those who pay so far have
 * nothing left, of each connection that waits.
 */
static bool has_quota(struct scout *scout, struct survey *survey, uint64_t now_ns)
{
	while (!quota_find_payer(&scout->quota, &survey->payers, now_ns)) {
		if (survey->n_identified >= survey->n_askers)
			return false;
		quota_add_payer(
			&survey->payers, find_user(scout, &survey->askers[survey->n_identified++]));
	}
	return true;
}

/* Until when the survey may send no probe, apart from what bounds all of them; 0: it may. */
static uint64_t find_hold(struct scout *scout, struct survey *survey, uint64_t now_ns)
{
	if (!path_prefix_may_send(survey->prefix, now_ns))
		return now_ns + bucket_price_ns(PATH_PREFIX_PER_SECOND);
	return has_quota(scout, survey, now_ns) ? 0 : now_ns + quota_price_ns(&scout->quota);
}

/* Each survey waits for itself: one whose users have nothing left delays no other. */
static void send_due(struct scout_session *session, struct survey *survey, uint64_t now_ns)
{
	struct scout *scout = session->scout;
	struct survey_probe probe;
	uint64_t until_ns;

	while (has_token(scout, now_ns)) {
		until_ns = find_hold(scout, survey, now_ns);
		if (until_ns) {
			scout->counters.deferred += survey_hold(survey, now_ns, until_ns);
			return;
		}
		if (!survey_next(survey, now_ns, &probe))
			return;
		bucket_spend(&scout->bucket, scout->probes_per_second);
		quota_spend(&scout->quota, quota_payer(&survey->payers));
		path_prefix_spend(survey->prefix);
		scout_session_send(session, survey, &probe, now_ns);
	}
	survey_hold(survey, now_ns, now_ns + price_ns(scout));
}

/*
 * A first subflow is placed by two ways that are known; certainty that there are no more is for
 * later.
 */
static void send_all(struct scout *scout, uint64_t now_ns)
{
	struct scout_session *session;
	struct survey *survey;

	for (int round = 0; round < 2; round++) {
		TAILQ_FOREACH (session, &scout->sessions, entry) {
			TAILQ_FOREACH (survey, &session->surveys, entry) {
				if (survey_is_blind(survey) == !round)
					send_due(session, survey, now_ns);
			}
		}
	}
}

/* What is told may begin further surveys. */
static void tell_all(struct scout *scout)
{
	struct scout_session *session;
	struct survey *survey;

	while ((survey = find_news(scout, &session)))
		tell(session, survey);
}

/* When to go on; closes sessions that nobody needs any more. 0 = no need. */
static uint64_t find_deadline(struct scout *scout)
{
	struct scout_session *session, *next;
	uint64_t next_ns = 0, deadline_ns;
	struct survey *survey;

	for (session = TAILQ_FIRST(&scout->sessions); session; session = next) {
		next = TAILQ_NEXT(session, entry);
		if (TAILQ_EMPTY(&session->surveys)) {
			scout_session_close(session);
			continue;
		}
		TAILQ_FOREACH (survey, &session->surveys, entry) {
			deadline_ns = survey_deadline(survey);
			if (!next_ns || deadline_ns < next_ns)
				next_ns = deadline_ns;
		}
	}
	return next_ns;
}

static void go_on(struct scout *scout)
{
	struct scout_session *session;
	struct survey *survey;
	uint64_t now_ns;

	/* Who has slept over a deadline may have the answer already: it counts, not the clock. */
	TAILQ_FOREACH (session, &scout->sessions, entry)
		scout_session_read(session);
	now_ns = loop_now_ns();
	TAILQ_FOREACH (session, &scout->sessions, entry) {
		TAILQ_FOREACH (survey, &session->surveys, entry)
			survey_tick(survey, now_ns);
	}
	send_all(scout, now_ns);
	tell_all(scout);
	timer_arm(&scout->timer, find_deadline(scout));
}

static void answers_ready(struct source *source, uint32_t events)
{
	(void)events;
	go_on(SOURCE_OWNER(source, struct scout_session, source)->scout);
}

static void timer_ready(struct source *source, uint32_t events)
{
	(void)events;
	if (timer_has_expired(source))
		go_on(SOURCE_OWNER(source, struct scout, timer));
}

static unsigned int count_surveys(const struct scout *scout, uint32_t uid)
{
	const struct scout_session *session;
	const struct survey *survey;
	unsigned int count = 0;

	TAILQ_FOREACH (session, &scout->sessions, entry) {
		TAILQ_FOREACH (survey, &session->surveys, entry)
			count += quota_payer(&survey->payers) == uid;
	}
	return count;
}

/* -EBUSY: there are too many already, of all or of the connection's user. */
static int admit(const struct scout *scout, const struct conn_key *asker, uint32_t *ret_payer)
{
	bool is_free = scout->n_surveys < SURVEYS_FREE;
	uint32_t payer = is_free ? QUOTA_NOBODY : find_user(scout, asker);

	if (!is_free && !quota_has_room(payer, count_surveys(scout, payer), scout->n_surveys,
				SCOUT_SURVEYS_MAX))
		return -EBUSY;
	*ret_payer = payer;
	return 0;
}

int scout_read_ports(struct scout *scout, uint64_t netns, struct ports *ret_ports)
{
	struct served_netns *served = served_find_live(scout->served, netns);
	int err;

	if (!served)
		return -ENONET;
	err = served_enter(served);
	if (err)
		return err;
	err = probe_read_ports(ret_ports);
	served_leave(served);
	return err;
}

static int begin_survey(struct scout *scout, struct scout_session *session,
	const struct conn_key *asker, const struct endpoint *local, const struct endpoint *remote,
	bool has_uplinks, struct survey **ret_survey)
{
	struct survey *survey;
	uint32_t payer;
	int err = admit(scout, asker, &payer);

	if (!err)
		err = scout_session_refresh_ports(session);
	if (err)
		return err;
	survey = calloc(1, sizeof(*survey));
	if (!survey)
		return -ENOMEM;
	err = survey_init(survey, scout->paths, session->netns, local, remote, &session->ports,
		has_uplinks, scout_draw(scout) | 1, loop_now_ns());
	if (err) {
		free(survey);
		return err;
	}
	survey_note_ttl(survey, scout->find_ttl(scout->owner, session->netns, remote));
	quota_add_payer(&survey->payers, payer);
	scout->n_surveys++;
	TAILQ_INSERT_TAIL(&session->surveys, survey, entry);
	*ret_survey = survey;
	return 0;
}

static void silence(struct scout *scout, const struct path_key *key, const char *why)
{
	struct path_map *map = path_table_get(scout->paths, key);

	if (!map)
		return;
	path_map_reset(map);
	path_map_silence(map, why, loop_now_ns());
}

bool scout_spend(struct scout *scout, const struct conn_key *asker, const struct endpoint *local,
	const struct endpoint *remote)
{
	struct path_key key = path_key_of(asker->netns, local, remote);
	struct in6_addr address = path_address(remote);
	struct path_prefix *prefix;
	uint64_t now_ns = loop_now_ns();
	uint32_t payer = QUOTA_NOBODY;

	if (!prefixes_has(&scout->prefixes, &address) || !has_token(scout, now_ns))
		return false;
	prefix = path_table_get_prefix(scout->paths, &key);
	if (!prefix || !path_prefix_may_send(prefix, now_ns))
		return false;
	if (!quota_has(&scout->quota, payer, now_ns))
		payer = find_user(scout, asker);
	if (!quota_has(&scout->quota, payer, now_ns))
		return false;
	quota_spend(&scout->quota, payer);
	path_prefix_spend(prefix);
	bucket_spend(&scout->bucket, scout->probes_per_second);
	return true;
}

bool scout_survey(struct scout *scout, const struct action *action)
{
	struct endpoint local = endpoint_unmap(&action->local),
			remote = endpoint_unmap(&action->remote);
	struct path_key key = path_key_of(action->key.netns, &local, &remote);
	struct path_map *map = path_table_find(scout->paths, &key);
	struct scout_session *session;
	struct survey *survey;
	const char *objection;
	bool has_uplinks;
	int err =
		scout_session_get(scout, action->key.netns, remote.family, answers_ready, &session);

	if (err) {
		log_debug("cannot probe: %s", strerror(-err));
		silence(scout, &key, "probes cannot be sent from this host");
		return true;
	}
	/* Not from here: go_on() may be what has led here. It also closes an idle session. */
	timer_arm(&scout->timer, 1);
	survey = map ? scout_session_find(session, map) : NULL;
	if (!survey) {
		objection = scout_session_find_objection(
			session, &action->key, map, &local, &remote, &has_uplinks);
		if (objection) {
			silence(scout, &key, objection);
			return true;
		}
		err = begin_survey(
			scout, session, &action->key, &local, &remote, has_uplinks, &survey);
	}
	if (!err)
		err = survey_ask(survey, &action->key, action->want);
	/* Who finds no place among those who wait has the survey go on nevertheless. */
	if (err == -ENOSPC)
		quota_add_payer(&survey->payers, find_user(scout, &action->key));
	if (err)
		scout->counters.refused++;
	return false;
}

void scout_forget(struct scout *scout, uint64_t netns)
{
	struct scout_session *session, *next;

	for (session = TAILQ_FIRST(&scout->sessions); session; session = next) {
		next = TAILQ_NEXT(session, entry);
		if (session->netns == netns)
			scout_session_close(session);
	}
}

int scout_init(struct scout *scout, uint64_t *ret_random)
{
	TAILQ_INIT(&scout->sessions);
	scout->bucket = (struct bucket){.saved_ns = SECOND_NS, .filled_ns = loop_now_ns()};
	if (getrandom(&scout->random, sizeof(scout->random), 0) < 0)
		return -errno;
	scout->random |= 1;
	*ret_random = scout_draw(scout);
	scout->timer.ready = timer_ready;
	return timer_open(&scout->timer, scout->loop);
}

void scout_done(struct scout *scout)
{
	struct scout_session *session;

	while ((session = TAILQ_FIRST(&scout->sessions)))
		scout_session_close(session);
	quota_done(&scout->quota);
	timer_close(&scout->timer);
}
