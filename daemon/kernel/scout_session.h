/* SPDX-License-Identifier: MIT */
/* Probes leave a namespace, and the answers to them are heard there. */
#ifndef SUBFLOW_SCOUT_SESSION_H
#define SUBFLOW_SCOUT_SESSION_H

#include "base/loop.h"
#include "core/ports.h"
#include "core/survey.h"
#include "kernel/probe.h"
#include "kernel/scout.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct mnl_socket;

/* The sockets of a namespace and family, for as long as a survey needs them. */
struct scout_session {
	TAILQ_ENTRY(scout_session) entry;
	struct scout *scout;
	uint64_t netns;
	struct probe probe;
	struct source source; /* answers */
	struct mnl_socket *route;
	struct ports ports;
	bool has_ports_of_now; /* they were read a moment ago */
	TAILQ_HEAD(, survey) surveys;
};

/* Finds or opens it; @ready is called when answers have come. -errno. */
int scout_session_get(struct scout *scout, uint64_t netns, int family,
	void (*ready)(struct source *source, uint32_t events), struct scout_session **ret_session);

/* Its surveys are given up. */
void scout_session_close(struct scout_session *session);

/* The survey of @map that is under way; NULL: there is none. */
struct survey *scout_session_find(struct scout_session *session, const struct path_map *map);

/* A survey has ended, or is given up. */
void scout_session_drop(struct scout_session *session, struct survey *survey);

/*
 * Why this destination is not probed at all; NULL: it is. @map has the ports of subflows that are
 * there; NULL: of none.
 */
const char *scout_session_find_objection(struct scout_session *session,
	const struct conn_key *asker, const struct path_map *map, const struct endpoint *local,
	const struct endpoint *remote, bool *ret_has_uplinks);

/* Ports may be reserved at any time: each survey heeds those of its beginning. -errno. */
int scout_session_refresh_ports(struct scout_session *session);

void scout_session_send(struct scout_session *session, struct survey *survey,
	const struct survey_probe *probe, uint64_t now_ns);

/* Its surveys hear what has come. */
void scout_session_read(struct scout_session *session);

#endif
