/* SPDX-License-Identifier: MIT */
/* What is asked at the control socket, and its answer. */
#include "window.h"

#include "base/log.h"
#include "control/listing.h"
#include "control/paths.h"
#include "control/request.h"
#include "control/watchers.h"
#include "core/order.h"
#include "parts.h"
#include "tuning.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static char *begin_watch(struct daemon *daemon, const struct peer *peer, bool *ret_stays)
{
	if (!peer->is_operator && !daemon->plan.wants_owners) {
		inquiry_find_owners(&daemon->inquiry);
		hands_act(&daemon->hands);
		/* From now on that of each new one is found out too. */
		daemon->plan.wants_owners = true;
	}
	*ret_stays = daemon->plan.news.is_wanted = true;
	return watchers_greet();
}

/* The connection that a request names. -ENOENT, -ENOTUNIQ, with @ret_said filled. */
static int find_named(struct daemon *daemon, const struct command *command, struct conn **ret_conn,
	char *ret_said, size_t size)
{
	struct conn_key key = {.token = command->token};
	const struct served_netns *netns;
	struct conn *conn, *found = NULL;
	unsigned int count = 0;

	TAILQ_FOREACH (netns, &daemon->served.list, entry) {
		if (command->namespace_name && strcmp(command->namespace_name, netns->name))
			continue;
		key.netns = netns->cookie;
		conn = conn_find(&daemon->plan.table, &key);
		if (!conn || !conn->is_created)
			continue;
		found = conn;
		count++;
	}
	if (count != 1) {
		snprintf(ret_said, size,
			count ? "several namespaces have a connection %08x: say NAMESPACE/TOKEN"
			      : "no connection %08x that can be changed; `subflow status` lists "
				"all",
			command->token);
		return count ? -ENOTUNIQ : -ENOENT;
	}
	*ret_conn = found;
	return 0;
}

static int order(struct daemon *daemon, const struct command *command, char *ret_said, size_t size)
{
	struct conn_key key;
	struct conn *conn;
	const char *why;
	int err = find_named(daemon, command, &conn, ret_said, size);

	if (err)
		return err;
	key = conn->key;
	err = command->kind == COMMAND_ADD
		      ? order_add(&daemon->plan, conn, command->count, loop_now_ns(), &why)
		      : order_remove(&daemon->plan, conn, command->count, loop_now_ns(), &why);
	if (err) {
		snprintf(ret_said, size, "%s", why);
		return err;
	}
	hands_act(&daemon->hands);
	conn = conn_find(&daemon->plan.table, &key);
	snprintf(ret_said, size, "%s", conn ? conn->why : "it is closed");
	return 0;
}

/* What operators alone may do. */
static char *change(struct daemon *daemon, const struct peer *peer, const struct command *command)
{
	char said[TUNING_SAID_MAX] = "";
	int err;

	if (!peer->is_operator)
		return status_write_error("not permitted: ask as root, or as a member of the group "
					  "that [control] group names");
	if (command->kind == COMMAND_RELOAD)
		err = tuning_reload(daemon, said, sizeof(said));
	else if (command->kind == COMMAND_SET)
		err = tuning_set(daemon, command->key, command->value, said, sizeof(said));
	else
		err = order(daemon, command, said, sizeof(said));
	if (command->kind != COMMAND_SET)
		log_info("%s by user %u: %s", command->kind == COMMAND_RELOAD ? "reload" : "order",
			peer->uid, said);
	else
		log_info("%s = %s by user %u: %s", command->key, command->value, peer->uid, said);
	return err ? status_write_error(said) : status_write_done(said);
}

static struct server_answer begin_listing(struct daemon *daemon, const struct status_view *view)
{
	struct server_answer answer = {};
	struct listing *listing = listing_begin(&daemon->listings, view);
	bool is_last;

	if (!listing)
		return answer;
	answer.text = listing_next(listing, &is_last);
	answer.rest = listing;
	return answer;
}

char *window_go_on(void *rest, bool *ret_is_last)
{
	return listing_next(rest, ret_is_last);
}

void window_give_up(void *rest)
{
	listing_end(rest);
}

struct server_answer window_answer(void *owner, const struct peer *peer, const char *request)
{
	struct daemon *daemon = owner;
	struct status_view view = {
		.peer = peer,
		.settings = &daemon->settings,
		.config_path = daemon->config_path,
		.cgroup = daemon->cgroup,
		.plan = &daemon->plan,
		.requests = &daemon->requests,
		.served = &daemon->served,
		.hooks = &daemon->hooks,
		.locals = &daemon->locals,
		.monitor = &daemon->monitor,
		.scout = &daemon->scout,
		.reach = &daemon->reach,
		.scope = &daemon->inquiry.scope,
		.census = &daemon->detector.census,
		.flows = &daemon->detector.flows,
		.capture = &daemon->detector.capture,
		.wire = &daemon->detector.wire,
		.server = &daemon->server,
		.rules_refused = daemon->hands.rules_refused,
		.receipts_refused = daemon->hands.receipts_refused,
		.addresses_most = daemon->inquiry.addresses_most,
		.addresses_refused = daemon->inquiry.addresses_refused,
		.create_us = &daemon->hands.create_us,
		.started_ns = daemon->started_ns,
		.is_recording_short = daemon->recorder.is_short,
	};
	char line[REQUEST_BYTES_MAX];
	struct server_answer answer = {};
	struct command command;
	const char *why;

	monitor_rouse(&daemon->monitor);
	snprintf(line, sizeof(line), "%s", request);
	if (request_parse(line, &command, &why))
		answer.text = status_write_error(why);
	else if (command.kind == COMMAND_STATUS && !command.has_token)
		answer = begin_listing(daemon, &view);
	else if (command.kind == COMMAND_STATUS)
		answer.text = status_write_one(&view, &command);
	else if (command.kind == COMMAND_PATHS)
		answer.text = paths_write(peer, &daemon->plan, &daemon->served);
	else if (command.kind == COMMAND_WATCH)
		answer.text = begin_watch(daemon, peer, &answer.stays);
	else
		answer.text = change(daemon, peer, &command);
	return answer;
}
