/* SPDX-License-Identifier: MIT */
/* What the daemon shows of itself, as JSON. */
#include "status.h"

#include "base/log.h"
#include "base/loop.h"
#include "control/connections.h"
#include "control/put.h"
#include "control/tables.h"
#include "kernel/served_list.h"

#include <string.h>
#include <unistd.h>

static struct json_object *write_rule(const struct elephant_rule *rule)
{
	struct json_object *object = json_object_new_object();

	put_number(object, "start", rule->start_bytes);
	put_number(object, "step", rule->step_bytes);
	put_number(object, "stop", rule->stop_bytes);
	put_number(object, "backlog", rule->backlog_bytes);
	put_number(object, "max_subflows", rule->max_subflows);
	return object;
}

static struct json_object *write_rules(const struct rules *rules)
{
	struct json_object *array = json_object_new_array(), *object;

	for (uint32_t i = 0; i < rules->count; i++) {
		object = write_rule(&rules->list[i].elephant);
		put_text(object, "name", rules->list[i].name);
		put_flag(object, "never", rules->list[i].is_never);
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *write_policy(const struct policy *policy)
{
	struct json_object *object = json_object_new_object();

	put_number(object, "ndiffports", policy->ndiffports);
	put_flag(object, "fullmesh", policy->fullmesh);
	return object;
}

static uint64_t count_paths_refused(const struct plan *plan)
{
	const struct path_counters *counters = &plan->steer.paths.counters;

	return counters->maps_refused + counters->prefixes_refused + counters->routers_refused +
	       counters->ports_refused;
}

static struct json_object *write_counters(const struct status_view *view)
{
	const struct plan_counters *plan = &view->plan->counters;
	struct hook_counters hooks = hooks_counters(view->hooks);
	struct json_object *object = json_object_new_object();

	put_number(object, "records", view->hooks->records);
	put_number(object, "records_lost", hooks.lost + hooks.untold);
	put_number(object, "records_deferred", hooks.deferred);
	put_number(object, "records_malformed", view->hooks->malformed);
	put_number(object, "walks", view->hooks->walks);
	put_number(object, "options_refused", hooks.refused);
	put_number(object, "events_overruns", view->monitor->overruns);
	put_number(object, "events_malformed", view->monitor->malformed);
	put_number(object, "looks", view->census->looks);
	put_number(object, "thresholds", plan->thresholds);
	put_number(object, "elephants", plan->elephants);
	put_number(object, "foreseen", plan->foreseen);
	put_number(object, "backlogs", plan->backlogs);
	put_number(object, "single_paths", plan->single_paths);
	put_number(object, "requests", plan->requests);
	put_number(object, "requests_dropped", plan->dropped);
	put_number(object, "orders", plan->orders);
	put_number(object, "policies", plan->policies);
	put_number(object, "creates", plan->created);
	put_number(object, "create_failures", plan->create_failures);
	put_number(object, "retries", plan->retries);
	put_number(object, "established", plan->established);
	put_number(object, "refused_by_peer", plan->refused_by_peer);
	put_number(object, "withheld", plan->withheld);
	put_number(object, "helped", view->plan->benefits.counters.helped);
	put_number(object, "replaced", view->plan->benefits.counters.replaced);
	put_number(object, "taken_back", view->plan->benefits.counters.taken_back);
	put_number(object, "unjudged", view->plan->benefits.counters.unjudged);
	put_number(object, "left_alone", view->plan->benefits.counters.left_alone);
	put_number(object, "held", view->plan->brakes.held);
	put_number(object, "left_alone_displaced", view->plan->in_vain.displaced);
	put_number(object, "destinations_displaced", view->plan->refusals.displaced);
	put_number(object, "moved", view->plan->aparts.counters.moved);
	put_number(object, "moves_failed", view->plan->aparts.counters.failed);
	put_number(object, "slow", view->plan->aparts.counters.slow);
	put_number(object, "slow_stuck", view->plan->aparts.counters.stuck);
	put_number(object, "rounds", view->plan->lags.counters.rounds);
	put_number(object, "last_hop_asked", view->plan->lasthops.counters.asked);
	put_number(object, "last_hop_answered", view->plan->lasthops.counters.answered);
	put_number(object, "last_hop_taken", view->plan->lasthops.counters.taken);
	put_number(object, "last_hop_given", view->plan->lasthops.counters.given);
	put_number(object, "last_hop_withheld", view->plan->lasthops.counters.withheld);
	put_number(object, "moves_held", view->plan->aparts.counters.held);
	put_number(object, "destroys", plan->destroyed);
	put_number(object, "destroy_failures", plan->destroy_failures);
	put_number(object, "announce_failures", plan->announce_failures);
	put_number(object, "withdraw_failures", plan->withdraw_failures);
	put_number(object, "adopted", plan->adopted);
	put_number(object, "repairs", plan->repairs);
	put_number(object, "false_alarms", plan->false_alarms);
	put_number(object, "repairs_denied", plan->repairs_denied);
	put_number(object, "outages", plan->outages);
	put_number(object, "subflows_lost", plan->lost);
	put_number(object, "addresses_refused", plan->addresses_refused);
	put_number(object, "placed", view->plan->steer.counters.placed);
	put_number(object, "placed_shared", view->plan->steer.counters.shared);
	put_number(object, "placed_blind", view->plan->steer.counters.blind);
	put_number(object, "surveys", view->plan->steer.counters.surveys);
	put_number(object, "surveys_refused", view->scout->counters.refused);
	put_number(object, "probes_deferred", view->scout->counters.deferred);
	put_number(object, "probes", view->scout->counters.probes);
	put_number(object, "probe_answers", view->scout->counters.answers);
	put_number(object, "probe_strangers", view->scout->counters.strangers);
	put_number(object, "paths_refused", count_paths_refused(view->plan));
	put_number(object, "packets", view->capture->packets);
	put_number(object, "packets_malformed", view->capture->malformed);
	put_number(object, "packets_lost", capture_count_dropped(view->capture));
	put_number(object, "wire_flows", view->wire->count);
	put_number(object, "wire_flows_refused", view->wire->refused);
	put_number(object, "flows_refused", view->flows->refused);
	put_number(object, "connections_refused", view->plan->table.refused);
	put_number(object, "rules_refused", view->rules_refused);
	put_number(object, "namespaces_refused", view->served->refused);
	put_number(object, "locals_refused", view->locals->refused);
	put_number(object, "log_lines_lost", log_lost());
	put_number(object, "recording_lost", view->is_recording_short);
	put_number(object, "clients_refused", view->server->refused);
	put_number(object, "clients_deferred", view->server->deferred);
	put_number(object, "clients_shut_out", view->server->shut_out);
	put_number(object, "answers_displaced", view->server->displaced);
	put_number(object, "answers_stalled", view->server->stalled);
	put_number(object, "events_untold", view->server->untold);
	return object;
}

static struct json_object *write_histogram(const struct histogram *histogram)
{
	struct json_object *object = json_object_new_object(), *bucket,
			   *buckets = json_object_new_array();

	for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		bucket = json_object_new_object();
		if (histogram_bound_us(i))
			put_number(bucket, "le", histogram_bound_us(i));
		else
			json_object_object_add(bucket, "le", NULL);
		put_number(bucket, "count", histogram->counts[i]);
		json_object_array_add(buckets, bucket);
	}
	put_number(object, "count", histogram->count);
	put_number(object, "sum", histogram->sum_us);
	json_object_object_add(object, "buckets", buckets);
	return object;
}

/* What holds for connections. */
static void put_limits(struct json_object *object, const struct status_view *view)
{
	put_text(object, "version", SUBFLOW_VERSION);
	json_object_object_add(object, "elephant", write_rule(&view->plan->rule));
	json_object_object_add(object, "rules", write_rules(&view->plan->rules));
	json_object_object_add(object, "policy", write_policy(&view->plan->policy));
	put_number(object, "max_subflows", view->plan->max_subflows);
	put_flag(object, "downloads", view->settings->downloads);
}

static struct json_object *write_daemon(const struct status_view *view)
{
	struct json_object *object = json_object_new_object();

	put_limits(object, view);
	put_number(object, "pid", getpid());
	json_object_object_add(object, "uptime_s",
		json_object_new_double((loop_now_ns() - view->started_ns) / 1e9));
	put_text(object, "config", view->config_path);
	put_text(object, "cgroup", view->cgroup);
	put_flag(object, "hooks", view->hooks->skeleton);
	put_text(object, "source", view->settings->source);
	put_flag(object, "coupled", view->hooks->coupling.skeleton);
	put_number(object, "watchers", view->server->watchers);
	json_object_object_add(object, "memory", tables_write_memory(view));
	json_object_object_add(object, "tables", tables_write(view));
	json_object_object_add(object, "counters", write_counters(view));
	json_object_object_add(object, "create_us", write_histogram(view->create_us));
	return object;
}

struct json_object *status_write_netns(const struct served_netns *netns, uint64_t count, int err)
{
	static const char *const states[] = {
		[SERVED_YES] = "served",
		[SERVED_ALONE] = "left alone",
		[SERVED_VANISHED] = "vanished",
	};
	struct json_object *object = json_object_new_object();
	const char *why = netns->why;

	if (err && !*why)
		why = "its connections cannot be listed: the kernel module mptcp_diag is missing";
	put_text(object, "name", netns->name);
	put_number(object, "cookie", netns->cookie);
	put_text(object, "state", states[netns->state]);
	put_text(object, "reason", why);
	put_number(object, "connections", count);
	return object;
}

static void add_refusing(
	struct json_object *array, const struct status_view *view, struct refusals *refusals)
{
	const struct refusals_entry *entry, *next;
	const struct served_netns *netns;
	struct json_object *object;

	refusals_expire(refusals, loop_now_ns());
	HASH_ITER (hh, refusals->entries, entry, next) {
		netns = served_find(view->served, entry->key.netns);
		object = connections_write_refusals(entry);
		put_text(object, "namespace", netns ? netns->name : NULL);
		put_endpoint(object, "remote", &entry->key.remote);
		json_object_array_add(array, object);
	}
}

/* Destinations that refuse joins, whoever asked for them. */
static struct json_object *write_refusing(const struct status_view *view)
{
	struct json_object *array = json_object_new_array();

	if (!view->peer->is_operator)
		return array;
	add_refusing(array, view, &view->plan->refusals);
	add_refusing(array, view, &view->plan->full);
	return array;
}

/* Elephants that cannot be treated. */
static struct json_object *write_untreated(const struct status_view *view)
{
	struct json_object *array = json_object_new_array(), *object;
	const struct served_netns *netns;
	const struct flow *flow;

	for (flow = view->flows->list; flow; flow = flow->hh.next) {
		if (!view->peer->is_operator && (!flow->has_uid || flow->uid != view->peer->uid))
			continue;
		netns = served_find(view->served, flow->key.netns);
		object = json_object_new_object();
		put_text(object, "namespace", netns ? netns->name : NULL);
		put_endpoint(object, "local", &flow->key.local);
		put_endpoint(object, "remote", &flow->key.remote);
		put_number(object, "bytes_sent", flow->bytes_sent);
		put_number(object, "bytes_received", flow->bytes_received);
		json_object_array_add(array, object);
	}
	return array;
}

struct json_object *status_write_frame(const struct status_view *view)
{
	struct json_object *root = json_object_new_object();

	json_object_object_add(root, "daemon", write_daemon(view));
	json_object_object_add(root, "refusing", write_refusing(view));
	json_object_object_add(root, "untreated", write_untreated(view));
	return root;
}

char *status_write_one(const struct status_view *view, const struct command *named)
{
	struct json_object *root = json_object_new_object(), *daemon = json_object_new_object(),
			   *connections = json_object_new_array();
	struct served_netns *netns;

	put_limits(daemon, view);
	TAILQ_FOREACH (netns, &view->served->list, entry) {
		if (!named->namespace_name || !strcmp(named->namespace_name, netns->name))
			connections_write_one(view, netns, named->token, connections);
	}
	json_object_object_add(root, "daemon", daemon);
	json_object_object_add(root, "connections", connections);
	return put_whole(root);
}

static char *write_message(const char *key, const char *message)
{
	struct json_object *root = json_object_new_object();

	put_text(root, key, message);
	return put_whole(root);
}

char *status_write_error(const char *message)
{
	return write_message("error", message);
}

char *status_write_done(const char *message)
{
	return write_message("done", message);
}
