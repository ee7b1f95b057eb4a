/* SPDX-License-Identifier: MIT */
/* What the daemon shows of itself, as JSON; docs/control.md lists the keys. */
#ifndef SUBFLOW_STATUS_H
#define SUBFLOW_STATUS_H

#include "base/histogram.h"
#include "control/peer.h"
#include "control/request.h"
#include "control/server.h"
#include "core/flows.h"
#include "core/plan.h"
#include "core/requests.h"
#include "core/wire.h"
#include "kernel/capture.h"
#include "kernel/census.h"
#include "kernel/hooks.h"
#include "kernel/locals.h"
#include "kernel/monitor.h"
#include "kernel/reach.h"
#include "kernel/scope.h"
#include "kernel/scout.h"
#include "kernel/served.h"
#include "settings.h"

#include <json-c/json.h>
#include <stdint.h>

struct status_view {
	const struct peer *peer; /* who asks: an operator is shown all, others their own */
	const struct settings *settings;
	const char *config_path; /* NULL = defaults */
	const char *cgroup;      /* where the socket options are answered */
	struct plan *plan;
	const struct requests *requests;
	struct served *served;
	const struct hooks *hooks;
	const struct locals *locals;
	const struct monitor *monitor;
	const struct scout *scout;
	const struct reach *reach;
	const struct scope *scope;
	const struct census *census;
	const struct flows *flows;
	const struct capture *capture;
	const struct wire *wire;
	const struct server *server;
	/* Connections whose thresholds, and whose receipts, found no room at the hooks. */
	uint64_t rules_refused, receipts_refused;
	/* The most local addresses of one namespace; those that found no room. */
	uint64_t addresses_most, addresses_refused;
	const struct histogram *create_us;
	uint64_t started_ns;
	bool is_recording_short; /* its recording has ended before it */
};

/* The answer but for connections and namespaces. */
struct json_object *status_write_frame(const struct status_view *view);

/* A namespace with @count connections. @err: why they cannot be listed, 0: they can. */
struct json_object *status_write_netns(const struct served_netns *netns, uint64_t count, int err);

/*
 * The answer about the connection that is named, on the heap; asks the kernel for byte counts. NULL
 * when memory is short. It takes no longer where there are many.
 */
char *status_write_one(const struct status_view *view, const struct command *named);

/* {"error": message}, and {"done": message}, on the heap. */
char *status_write_error(const char *message);
char *status_write_done(const char *message);

#endif
