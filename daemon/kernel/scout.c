/* SPDX-License-Identifier: MIT */
/* Path discovery: carries out surveys with probes, beside everything else in the loop. */
#include "scout.h"

#include "base/log.h"
#include "core/survey.h"
#include "kernel/genl.h"
#include "kernel/probe.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SURVEYS_FREE 128 /* up to here nobody asks whose they are */
#define BURST        64  /* probes at once, of all surveys */
#define SECOND_NS    1000000000ull

struct scout_session {
	TAILQ_ENTRY(scout_session) entry;
	struct scout *scout;
	uint64_t netns;
	struct probe probe;
	struct source source;
	struct mnl_socket *route;
	struct ports ports;
	bool has_ports_of_now; /* they were read a moment ago */
	TAILQ_HEAD(, survey) surveys;
};

uint64_t scout_draw(struct scout *scout)
{
	return ports_random(&scout->random);
}

static void drop_survey(struct scout_session *session, struct survey *survey)
{
	TAILQ_REMOVE(&session->surveys, survey, entry);
	session->scout->n_surveys--;
	survey_done(survey);
	free(survey);
}

static void close_session(struct scout_session *session)
{
	struct survey *survey;

	while ((survey = TAILQ_FIRST(&session->surveys)))
		drop_survey(session, survey);
	TAILQ_REMOVE(&session->scout->sessions, session, entry);
	if (session->probe.receive_fd >= 0)
		loop_remove(session->scout->loop, &session->source);
	probe_close(&session->probe);
	if (session->route)
		mnl_socket_close(session->route);
	free(session);
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

/* A socket that is there knows its way out; one that is yet to be bound goes by the host's hash. */
static unsigned int find_device(
	struct scout_session *session, const struct survey *survey, const struct endpoint *local)
{
	const struct path_port *port = path_port_find(survey->map, local->port);
	struct scout *scout = session->scout;
	unsigned int ifindex = 0;
	struct served_netns *served;
	struct probe_route route;

	served = port && port->is_taken ? served_find(scout->served, session->netns) : NULL;
	if (served && !served_enter(served)) {
		ifindex = scout->find_egress(scout->owner, local, &survey->remote);
		served_leave(served);
	}
	if (!ifindex && !probe_find_route(session->route, local, &survey->remote, &route))
		ifindex = route.ifindex;
	return ifindex;
}

/* The way out of the host is the first thing that a port decides. */
static unsigned int find_uplink(
	struct scout_session *session, struct survey *survey, const struct endpoint *local)
{
	unsigned int ifindex = find_device(session, survey, local);
	uint32_t ifindex_be = htonl(ifindex);
	struct in6_addr device = {};

	memcpy(&device.s6_addr[12], &ifindex_be, sizeof(ifindex_be));
	if (ifindex)
		path_learn(survey->table, survey->map, local->port, 0, &device);
	return ifindex;
}

static void send_probe(struct scout_session *session, struct survey *survey,
	const struct survey_probe *probe, uint64_t now_ns)
{
	struct probe_packet packet = {.local = survey->local,
		.remote = survey->remote,
		.ttl = probe->ttl,
		.sequence = probe->cookie,
		.acknowledgement = scout_draw(session->scout),
		.label = probe->label};
	int err;

	packet.local.port = probe->port;
	if (survey->has_uplinks)
		packet.ifindex = find_uplink(session, survey, &packet.local);
	err = probe_send(&session->probe, &packet);
	session->scout->counters.probes++;
	if (err == -EPERM)
		survey_refuse(survey, "a firewall of this host refuses probes", now_ns);
	else if (err && err != -EAGAIN && err != -ENOBUFS)
		survey_refuse(survey, "probes cannot be sent from this host", now_ns);
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
		drop_survey(session, survey);
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

static void arm(struct scout *scout, uint64_t deadline_ns)
{
	struct itimerspec when = {.it_value = {.tv_sec = deadline_ns / SECOND_NS,
					  .tv_nsec = deadline_ns % SECOND_NS}};

	timerfd_settime(scout->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
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
	if (!survey_may_send(survey, now_ns))
		return now_ns + bucket_price_ns(SURVEY_PER_SECOND);
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
		survey_spend(survey);
		send_probe(session, survey, &probe, now_ns);
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
			close_session(session);
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

static bool is_between(const struct survey *survey, const struct icmp_answer *answer)
{
	return endpoint_is_same_address(&survey->local, &answer->local) &&
	       endpoint_is_equal(&survey->remote, &answer->remote);
}

static void hear(struct scout_session *session, const struct icmp_answer *answer)
{
	struct scout *scout = session->scout;
	struct survey *survey;

	TAILQ_FOREACH (survey, &session->surveys, entry) {
		if (is_between(survey, answer) &&
			!survey_hear(survey, answer->local.port, answer->sequence, &answer->router,
				loop_now_ns())) {
			scout->counters.answers++;
			return;
		}
	}
	scout->counters.strangers++;
}

static void read_answers(struct scout_session *session)
{
	struct icmp_answer answer;
	int got;

	for (int i = 0; i < PROBE_READS_MAX; i++) {
		got = probe_receive(&session->probe, &answer);
		if (!got)
			break;
		if (got > 0)
			hear(session, &answer);
		else
			session->scout->counters.strangers++;
	}
}

static void go_on(struct scout *scout)
{
	struct scout_session *session;
	struct survey *survey;
	uint64_t now_ns;

	/* Who has slept over a deadline may have the answer already: it counts, not the clock. */
	TAILQ_FOREACH (session, &scout->sessions, entry)
		read_answers(session);
	now_ns = loop_now_ns();
	TAILQ_FOREACH (session, &scout->sessions, entry) {
		TAILQ_FOREACH (survey, &session->surveys, entry)
			survey_tick(survey, now_ns);
	}
	send_all(scout, now_ns);
	tell_all(scout);
	arm(scout, find_deadline(scout));
}

static void answers_ready(struct source *source, uint32_t events)
{
	(void)events;
	go_on(SOURCE_OWNER(source, struct scout_session, source)->scout);
}

static void timer_ready(struct source *source, uint32_t events)
{
	uint64_t expirations;

	(void)events;
	if (read(source->fd, &expirations, sizeof(expirations)) > 0)
		go_on(SOURCE_OWNER(source, struct scout, timer));
}

/* In the namespace that the thread is in. */
static int open_inside(struct scout_session *session, int family)
{
	int err = probe_read_ports(&session->ports);

	session->has_ports_of_now = !err;
	if (!err)
		err = genl_open(NETLINK_ROUTE, &session->route);
	if (!err)
		err = probe_open(&session->probe, family, scout_draw(session->scout) >> 48 | 1);
	return err;
}

static int open_session(
	struct scout *scout, uint64_t netns, int family, struct scout_session **ret_session)
{
	struct served_netns *served = served_find_live(scout->served, netns);
	struct scout_session *session;
	int err;

	TAILQ_FOREACH (session, &scout->sessions, entry) {
		if (session->netns == netns && session->probe.family == family) {
			*ret_session = session;
			return 0;
		}
	}
	if (!served)
		return -ENONET;
	session = calloc(1, sizeof(*session));
	if (!session)
		return -ENOMEM;
	session->scout = scout;
	session->netns = netns;
	session->probe.send_fd = session->probe.receive_fd = -1;
	TAILQ_INIT(&session->surveys);
	TAILQ_INSERT_TAIL(&scout->sessions, session, entry);
	err = served_enter(served);
	if (!err) {
		err = open_inside(session, family);
		served_leave(served);
	}
	session->source.fd = session->probe.receive_fd;
	session->source.ready = answers_ready;
	if (!err)
		err = loop_add(scout->loop, &session->source, EPOLLIN);
	if (err) {
		close_session(session);
		return err;
	}
	*ret_session = session;
	return 0;
}

static struct survey *find_survey(struct scout_session *session, const struct path_map *map)
{
	struct survey *survey;

	TAILQ_FOREACH (survey, &session->surveys, entry) {
		if (survey->map == map && survey->phase != SURVEY_DONE)
			return survey;
	}
	return NULL;
}

/* Why this destination is not probed at all; NULL: it is. */
static const char *find_objection(struct scout *scout, struct scout_session *session,
	const struct endpoint *local, const struct endpoint *remote, bool *ret_has_uplinks)
{
	struct in6_addr address = path_address(remote);
	struct probe_route route;

	if (probe_find_route(session->route, local, remote, &route))
		return "there is no route to it";
	if (route.is_direct)
		return "no router is on the way";
	if (!prefixes_has(&scout->prefixes, &address))
		return "it is outside [placement] probe_prefixes";
	*ret_has_uplinks = route.has_uplinks;
	return NULL;
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

/* Ports may be reserved at any time: each survey heeds those of its beginning. */
static int refresh_ports(struct scout_session *session)
{
	bool is_done = session->has_ports_of_now;

	session->has_ports_of_now = false;
	return is_done ? 0 : scout_read_ports(session->scout, session->netns, &session->ports);
}

static int begin_survey(struct scout *scout, struct scout_session *session,
	const struct conn_key *asker, const struct endpoint *local, const struct endpoint *remote,
	bool has_uplinks, struct survey **ret_survey)
{
	struct survey *survey;
	uint32_t payer;
	int err = admit(scout, asker, &payer);

	if (!err)
		err = refresh_ports(session);
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

bool scout_spend(struct scout *scout, const struct conn_key *asker, const struct endpoint *remote)
{
	struct in6_addr address = path_address(remote);
	uint64_t now_ns = loop_now_ns();
	uint32_t payer = QUOTA_NOBODY;

	if (!prefixes_has(&scout->prefixes, &address) || !has_token(scout, now_ns))
		return false;
	if (!quota_has(&scout->quota, payer, now_ns))
		payer = find_user(scout, asker);
	if (!quota_has(&scout->quota, payer, now_ns))
		return false;
	quota_spend(&scout->quota, payer);
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
	int err = open_session(scout, action->key.netns, remote.family, &session);

	if (err) {
		log_debug("cannot probe: %s", strerror(-err));
		silence(scout, &key, "probes cannot be sent from this host");
		return true;
	}
	/* Not from here: go_on() may be what has led here. It also closes an idle session. */
	arm(scout, 1);
	survey = map ? find_survey(session, map) : NULL;
	if (!survey) {
		objection = find_objection(scout, session, &local, &remote, &has_uplinks);
		if (objection) {
			silence(scout, &key, objection);
			return true;
		}
		err = begin_survey(
			scout, session, &action->key, &local, &remote, has_uplinks, &survey);
	}
	if (!err)
		err = survey_ask(survey, &action->key, action->wants_more);
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
			close_session(session);
	}
}

int scout_init(struct scout *scout, uint64_t *ret_random)
{
	int err;

	TAILQ_INIT(&scout->sessions);
	scout->bucket = (struct bucket){.saved_ns = SECOND_NS, .filled_ns = loop_now_ns()};
	if (getrandom(&scout->random, sizeof(scout->random), 0) < 0)
		return -errno;
	scout->random |= 1;
	*ret_random = scout_draw(scout);
	scout->timer.ready = timer_ready;
	scout->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (scout->timer.fd < 0)
		return -errno;
	err = loop_add(scout->loop, &scout->timer, EPOLLIN);
	return err;
}

void scout_done(struct scout *scout)
{
	struct scout_session *session;

	while ((session = TAILQ_FIRST(&scout->sessions)))
		close_session(session);
	quota_done(&scout->quota);
	if (scout->timer.fd >= 0)
		close(scout->timer.fd);
	scout->timer.fd = -1;
}
