/* SPDX-License-Identifier: MIT */
/* Probes leave a namespace, and the answers to them are heard there. */
#include "scout_session.h"

#include "kernel/genl.h"
#include "kernel/served_list.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

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

static struct scout_session *find(struct scout *scout, uint64_t netns, int family)
{
	struct scout_session *session;

	TAILQ_FOREACH (session, &scout->sessions, entry) {
		if (session->netns == netns && session->probe.family == family)
			return session;
	}
	return NULL;
}

/* In the namespace that @served is. */
static int open_in(struct scout_session *session, struct served_netns *served, int family,
	void (*ready)(struct source *source, uint32_t events))
{
	int err = served_enter(served);

	if (!err) {
		err = open_inside(session, family);
		served_leave(served);
	}
	session->source.fd = session->probe.receive_fd;
	session->source.ready = ready;
	return err ? err : loop_add(session->scout->loop, &session->source, EPOLLIN);
}

int scout_session_get(struct scout *scout, uint64_t netns, int family,
	void (*ready)(struct source *source, uint32_t events), struct scout_session **ret_session)
{
	struct served_netns *served = served_find_live(scout->served, netns);
	struct scout_session *session = find(scout, netns, family);
	int err;

	if (session) {
		*ret_session = session;
		return 0;
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
	err = open_in(session, served, family, ready);
	if (err) {
		scout_session_close(session);
		return err;
	}
	*ret_session = session;
	return 0;
}

void scout_session_close(struct scout_session *session)
{
	struct survey *survey;

	while ((survey = TAILQ_FIRST(&session->surveys)))
		scout_session_drop(session, survey);
	TAILQ_REMOVE(&session->scout->sessions, session, entry);
	if (session->probe.receive_fd >= 0)
		loop_remove(session->scout->loop, &session->source);
	probe_close(&session->probe);
	if (session->route)
		mnl_socket_close(session->route);
	free(session);
}

struct survey *scout_session_find(struct scout_session *session, const struct path_map *map)
{
	struct survey *survey;

	TAILQ_FOREACH (survey, &session->surveys, entry) {
		if (survey->map == map && survey->phase != SURVEY_DONE)
			return survey;
	}
	return NULL;
}

void scout_session_drop(struct scout_session *session, struct survey *survey)
{
	TAILQ_REMOVE(&session->surveys, survey, entry);
	session->scout->n_surveys--;
	survey_done(survey);
	free(survey);
}

int scout_session_refresh_ports(struct scout_session *session)
{
	bool is_done = session->has_ports_of_now;

	session->has_ports_of_now = false;
	return is_done ? 0 : scout_read_ports(session->scout, session->netns, &session->ports);
}

/* Its namespace is the thread's until served_leave(). NULL: it cannot be entered. */
static struct served_netns *enter(struct scout_session *session)
{
	struct served_netns *served = served_find(session->scout->served, session->netns);

	return served && !served_enter(served) ? served : NULL;
}

/* By which device the socket of a subflow sends, asked from inside; 0: it is not known. */
static unsigned int find_egress(struct scout_session *session, const struct path_port *port,
	const struct endpoint *local, const struct endpoint *remote)
{
	struct endpoint own = *local;

	own.port = port->port;
	return port->is_taken ? session->scout->find_egress(session->scout->owner, &own, remote)
			      : 0;
}

/* Whether a subflow sends by another device than what its addresses alone would. */
static bool sends_elsewhere(struct scout_session *session, const struct path_map *map,
	const struct endpoint *local, const struct endpoint *remote, unsigned int usual)
{
	struct served_netns *served = map ? enter(session) : NULL;
	unsigned int ifindex = 0;

	for (unsigned int i = 0; served && i < map->n_ports; i++) {
		ifindex = find_egress(session, &map->ports[i], local, remote);
		if (ifindex && ifindex != usual)
			break;
	}
	if (served)
		served_leave(served);
	return ifindex && ifindex != usual;
}

/* One that is bound to a device the kernel finds by that device only. */
static bool is_bound_elsewhere(struct scout *scout, const struct conn_key *asker,
	const struct endpoint *local, const struct probe_route *route)
{
	unsigned int ifindex = scout->find_bound(scout->owner, asker, local);

	return ifindex && (route->has_uplinks || ifindex != route->ifindex);
}

const char *scout_session_find_objection(struct scout_session *session,
	const struct conn_key *asker, const struct path_map *map, const struct endpoint *local,
	const struct endpoint *remote, bool *ret_has_uplinks)
{
	struct in6_addr address = path_address(remote);
	struct probe_route route;

	if (probe_find_route(session->route, local, remote, &route))
		return "there is no route to it";
	if (route.is_direct)
		return "no router is on the way";
	if (!prefixes_has(&session->scout->prefixes, &address))
		return "it is outside [placement] probe_prefixes";
	if (is_bound_elsewhere(session->scout, asker, local, &route) ||
		(!route.has_uplinks && sends_elsewhere(session, map, local, remote, route.ifindex)))
		return "its socket leaves by another device than its addresses do";
	*ret_has_uplinks = route.has_uplinks;
	return NULL;
}

/* A socket that is there knows its way out; one that is yet to be bound goes by the host's hash. */
static unsigned int find_device(
	struct scout_session *session, const struct survey *survey, const struct endpoint *local)
{
	const struct path_port *port = path_port_find(survey->map, local->port);
	struct served_netns *served = port && port->is_taken ? enter(session) : NULL;
	unsigned int ifindex = 0;
	struct probe_route route;

	if (served) {
		ifindex = find_egress(session, port, local, &survey->remote);
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

void scout_session_send(struct scout_session *session, struct survey *survey,
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

void scout_session_read(struct scout_session *session)
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
