/* SPDX-License-Identifier: MIT */
/* All parts of the daemon: none has begun, and each knows whom it works with. */
#include "parts.h"

#include "control/watchers.h"
#include "ears.h"
#include "window.h"

static void introduce(struct daemon *daemon)
{
	daemon->inquiry.plan = &daemon->plan;
	daemon->inquiry.served = &daemon->served;
	daemon->inquiry.hooks = &daemon->hooks;
	daemon->inquiry.census = &daemon->detector.census;
	daemon->hands.plan = &daemon->plan;
	daemon->hands.served = &daemon->served;
	daemon->hands.hooks = &daemon->hooks;
	daemon->hands.scout = &daemon->scout;
	daemon->hands.reach = &daemon->reach;
	daemon->hands.inquiry = &daemon->inquiry;
	daemon->hands.server = &daemon->server;
	daemon->hands.recorder = &daemon->recorder;
	daemon->hands.family = &daemon->family;
	daemon->scout.loop = &daemon->loop;
	daemon->scout.served = &daemon->served;
	daemon->scout.paths = &daemon->plan.steer.paths;
	daemon->reach.loop = &daemon->loop;
	daemon->reach.served = &daemon->served;
	daemon->reach.scout = &daemon->scout;
	daemon->detector.loop = &daemon->loop;
	daemon->detector.served = &daemon->served;
	daemon->detector.plan = &daemon->plan;
	daemon->detector.hands = &daemon->hands;
	daemon->detector.settings = &daemon->settings;
	daemon->locals.hooks = &daemon->hooks;
	daemon->served.monitor = &daemon->monitor;
	daemon->served.guardian = &daemon->guardian;
	daemon->server.owner = daemon;
	daemon->server.answer = window_answer;
	daemon->server.go_on = window_go_on;
	daemon->server.give_up = window_give_up;
	daemon->server.tell_lost = watchers_tell_lost;
	ears_connect(daemon);
}

void parts_init(struct daemon *daemon)
{
	*daemon = (struct daemon){.lock_fd = -1,
		.signals.fd = -1,
		.ledger.folder_fd = -1,
		.guardian.fd = -1,
		.turn.fd = -1,
		.monitor.rest.fd = -1,
		.recorder.fd = -1,
		.served = {.mounts.fd = -1, .rest.fd = -1, .claims_fd = -1},
		.hands.timer.fd = -1,
		.scout.timer.fd = -1,
		.reach.timer.fd = -1,
		.detector = {.census.timer.fd = -1, .roster.timer.fd = -1, .capture.timer.fd = -1},
		.server = {.source.fd = -1, .turn.fd = -1}};
	TAILQ_INIT(&daemon->scout.sessions);
	TAILQ_INIT(&daemon->reach.questions);
	TAILQ_INIT(&daemon->served.list);
	TAILQ_INIT(&daemon->server.clients);
	LIST_INIT(&daemon->listings);
	conn_table_init(&daemon->plan.table, 0);
	requests_init(&daemon->requests);
	introduce(daemon);
}
