/* SPDX-License-Identifier: MIT */
/*
 * One line of a recording. Whatever a decision depends on has its field here, or a replay decides
 * otherwise: of events, of actions, of the settings (with tape.c and feed.c).
 */
#include "line.h"

#include "core/shapes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

_Static_assert(PATH_WHY_MAX <= FIELD_NAME_MAX, "a reason is read as a name");
_Static_assert(offsetof(struct event, n_locals) - offsetof(struct event, locals) ==
		       offsetof(struct field_ends, count),
	"the locals of an event are read as ends");

#define FIELD(name, type, object, member)                                                          \
	{                                                                                          \
		name, &type, offsetof(object, member)                                              \
	}
#define FIELDS(list)                                                                               \
	{                                                                                          \
		list, COUNT(list)                                                                  \
	}

#define ELEPHANT_FIELDS(object, member)                                                            \
	FIELD("start", field_u64, object, member.start_bytes),                                     \
		FIELD("step", field_u64, object, member.step_bytes),                               \
		FIELD("stop", field_u64, object, member.stop_bytes),                               \
		FIELD("backlog", field_u64, object, member.backlog_bytes),                         \
		FIELD("elephant_subflows", field_u32, object, member.max_subflows),                \
		FIELD("single_path", field_bool, object, member.on_single_path)

#define RECEIPT_FIELDS(object)                                                                     \
	FIELD("paid_adds", field_u32, object, receipt.adds),                                       \
		FIELD("paid_removes", field_u32, object, receipt.removes),                         \
		FIELD("creating", field_u16, object, receipt.creating),                            \
		FIELD("destroying", field_u16, object, receipt.destroying),                        \
		FIELD("live", field_u32, object, receipt.live),                                    \
		FIELD("heard", field_u32, object, receipt.heard),                                  \
		FIELD("ids", field_u32, object, receipt.ids),                                      \
		FIELD("paid_wishes", shape_paid, object, receipt.wishes),                          \
		FIELD("moved", field_u16, object, receipt.moved),                                  \
		FIELD("heir", field_u16, object, receipt.heir),                                    \
		FIELD("quiet", field_u16, object, receipt.quiet),                                  \
		FIELD("announced_ids", shape_ids, object, receipt.announced)

static const struct field settings_list[] = {
	ELEPHANT_FIELDS(struct line_settings, elephant),
	FIELD("ndiffports", field_u32, struct line_settings, ndiffports),
	FIELD("fullmesh", field_bool, struct line_settings, fullmesh),
	FIELD("repair", field_bool, struct line_settings, does_repair),
	FIELD("max_subflows", field_u32, struct line_settings, max_subflows),
	FIELD("max_connections", field_u32, struct line_settings, max_connections),
	FIELD("refusals", field_u32, struct line_settings, refusals.most),
	FIELD("hold", field_u64, struct line_settings, refusals.hold_ns),
	FIELD("in_vain", field_u32, struct line_settings, in_vain.most),
	FIELD("left_alone", field_u64, struct line_settings, in_vain.hold_ns),
	FIELD("margin", field_u32, struct line_settings, benefit.margin_percent),
	FIELD("time_rtts", field_u32, struct line_settings, benefit.time_rtts),
	FIELD("time_min", field_u64, struct line_settings, benefit.time_min_ns),
	FIELD("tries", field_u32, struct line_settings, benefit.tries),
	FIELD("own_paths", field_bool, struct line_settings, benefit.judges_own),
	FIELD("moves", field_u32, struct line_settings, apart.moves),
	FIELD("moved_hold", field_u64, struct line_settings, apart.hold_ns),
	FIELD("delay", field_u64, struct line_settings, apart.delay_ns),
	FIELD("fast", field_u64, struct line_settings, brake.fast_bytes_per_s),
	FIELD("slow", field_u32, struct line_settings, lag.slow_percent),
	FIELD("last_hop", field_bool, struct line_settings, lasthop.is_on),
	FIELD("last_hop_hold", field_u64, struct line_settings, lasthop.hold_ns),
	FIELD("quiet_time", field_u64, struct line_settings, quiet.time_ns),
	FIELD("placement", shape_placement, struct line_settings, placement),
	FIELD("shunned", field_u64, struct line_settings, shunned_ns),
	FIELD("random", field_u64, struct line_settings, random),
	FIELD("owners", field_bool, struct line_settings, wants_owners),
};

static const struct field rule_list[] = {
	FIELD("name", field_name, struct line_rule, name),
	FIELD("has_uid", field_bool, struct line_rule, rule.has_uid),
	FIELD("uid", field_u32, struct line_rule, rule.uid),
	FIELD("has_local", field_bool, struct line_rule, rule.has_local),
	FIELD("local", shape_prefixes, struct line_rule, rule.local),
	FIELD("has_remote", field_bool, struct line_rule, rule.has_remote),
	FIELD("remote", shape_prefixes, struct line_rule, rule.remote),
	FIELD("port", field_u16, struct line_rule, rule.port),
	FIELD("never", field_bool, struct line_rule, rule.is_never),
	ELEPHANT_FIELDS(struct line_rule, rule.elephant),
};

static const struct field ports_list[] = {
	FIELD("netns", field_u64, struct line_ports, netns),
	FIELD("low", field_u16, struct line_ports, ports.low),
	FIELD("high", field_u16, struct line_ports, ports.high),
	FIELD("reserved", shape_reserved, struct line_ports, ports),
};

static const struct field map_list[] = {
	FIELD("netns", field_u64, struct line_map, netns),
	FIELD("local", field_endpoint, struct line_map, local),
	FIELD("remote", field_endpoint, struct line_map, remote),
	FIELD("state", shape_state, struct line_map, state),
	FIELD("why", field_name, struct line_map, why),
	FIELD("learned", field_u64, struct line_map, learned_ns),
	FIELD("confirmed", field_u64, struct line_map, confirmed_ns),
	FIELD("hops", field_u8, struct line_map, hops),
	FIELD("depth", field_u8, struct line_map, depth),
	FIELD("tangled", field_bool, struct line_map, is_tangled),
	FIELD("thorough", field_bool, struct line_map, is_thorough),
	FIELD("partial", field_bool, struct line_map, is_partial),
	FIELD("routers", field_ends, struct line_map, routers),
	FIELD("ports", shape_way, struct line_map, way),
};

static const struct field event_list[] = {
	FIELD("at", field_u64, struct event, now_ns),
	FIELD("netns", field_u64, struct event, key.netns),
	FIELD("token", field_hex, struct event, key.token),
	FIELD("local", field_endpoint, struct event, local),
	FIELD("remote", field_endpoint, struct event, remote),
	FIELD("id", field_u8, struct event, id),
	FIELD("remote_id", field_u8, struct event, remote_id),
	FIELD("server", field_bool, struct event, is_server),
	FIELD("opening", field_bool, struct event, is_opening),
	FIELD("unused", field_bool, struct event, is_unused),
	FIELD("denies_join", field_bool, struct event, denies_join),
	FIELD("error", field_int, struct event, error),
	FIELD("reset_reason", field_int, struct event, reset_reason),
	FIELD("transient", field_bool, struct event, is_transient),
	FIELD("bytes", field_u64, struct event, bytes),
	FIELD("threshold", field_u64, struct event, threshold),
	FIELD("backlog", field_u64, struct event, backlog_bytes),
	FIELD("uid", field_u32, struct event, uid),
	FIELD("excluded", field_u64, struct event, excluded),
	FIELD("generation", field_u32, struct event, generation),
	FIELD("adds", field_u32, struct event, adds),
	FIELD("removes", field_u32, struct event, removes),
	FIELD("expected", field_u64, struct event, expected_bytes),
	FIELD("purpose", shape_purpose, struct event, purpose),
	FIELD("totals", field_u8, struct event, totals),
	FIELD("backup", field_bool, struct event, is_backup),
	FIELD("device", field_u32, struct event, device),
	FIELD("has_wishes", field_bool, struct event, has_wishes),
	FIELD("restricted", field_u32, struct event, wishes.is_restricted),
	FIELD("wishes", shape_wishes, struct event, wishes.list),
	FIELD("serial", field_u32, struct event, serial),
	FIELD("sampled", field_u64, struct event, sample.now_ns),
	FIELD("acked", field_u64, struct event, sample.bytes_acked),
	FIELD("received", field_u64, struct event, sample.bytes_received),
	FIELD("queued", field_u64, struct event, sample.queued),
	FIELD("busy_us", field_u64, struct event, sample.busy_us),
	FIELD("srtt_us", field_u32, struct event, sample.srtt_us),
	FIELD("least_us", field_u32, struct event, sample.least_us),
	FIELD("own_acked", field_u64, struct event, sample.own_acked),
	FIELD("held_us", field_u64, struct event, sample.held_us),
	FIELD("unsent", field_u32, struct event, sample.unsent),
	FIELD("locals", field_ends, struct event, locals),
	FIELD("has_receipt", field_bool, struct event, has_receipt),
	RECEIPT_FIELDS(struct event),
};

static const struct field action_list[] = {
	FIELD("netns", field_u64, struct action, key.netns),
	FIELD("token", field_hex, struct action, key.token),
	FIELD("local", field_endpoint, struct action, local),
	FIELD("remote", field_endpoint, struct action, remote),
	FIELD("id", field_u8, struct action, id),
	FIELD("serial", field_u32, struct action, serial),
	FIELD("announced", field_bool, struct action, is_announced),
	FIELD("backup", field_bool, struct action, is_backup),
	FIELD("ttl", field_u8, struct action, ttl),
	FIELD("want", field_u8, struct action, want),
	FIELD("cause", field_u64, struct action, cause_ns),
	FIELD("start", field_u64, struct action, rule.start),
	FIELD("step", field_u64, struct action, rule.step),
	FIELD("stop", field_u64, struct action, rule.stop),
	FIELD("backlog", field_u64, struct action, rule.backlog),
	RECEIPT_FIELDS(struct action),
};

static const struct field call_list[] = {
	FIELD("at", field_u64, struct line_call, now_ns),
	FIELD("netns", field_u64, struct line_call, netns),
	FIELD("token", field_hex, struct line_call, token),
	FIELD("count", field_u32, struct line_call, count),
	FIELD("gone", field_ends, struct line_call, gone),
	FIELD("usable", field_ends, struct line_call, usable),
};

static const struct fields settings_fields = FIELDS(settings_list), rule_fields = FIELDS(rule_list),
			   ports_fields = FIELDS(ports_list), map_fields = FIELDS(map_list),
			   event_fields = FIELDS(event_list), action_fields = FIELDS(action_list),
			   call_fields = FIELDS(call_list);

_Static_assert(COUNT(event_list) <= FIELDS_MAX, "fields_read() has a bit for each");

static const struct {
	const char *word;
	const struct fields *fields;
} kinds[] = {
	[LINE_SETTINGS] = {"settings", &settings_fields},
	[LINE_RULES] = {"rules", &call_fields},
	[LINE_RULE] = {"rule", &rule_fields},
	[LINE_PORTS] = {"ports", &ports_fields},
	[LINE_MAP] = {"map", &map_fields},
	[LINE_HEAR] = {"hear", &event_fields},
	[LINE_TICK] = {"tick", &call_fields},
	[LINE_LIST] = {"list", &call_fields},
	[LINE_LISTED] = {"listed", &call_fields},
	[LINE_ADDRESSES] = {"addresses", &call_fields},
	[LINE_ADD] = {"add", &call_fields},
	[LINE_REMOVE] = {"remove", &call_fields},
	[LINE_END] = {"end", &call_fields},
	[LINE_LIMITS] = {"limits", &call_fields},
	[LINE_ENDING] = {"ending", &call_fields},
	[LINE_DO] = {"do", &action_fields},
	[LINE_REST] = {"rest", &call_fields},
	[LINE_FULL] = {"full", &call_fields},
};

const char *line_event_name(enum event_kind kind)
{
	switch (kind) {
	case EVENT_NONE:
		return "NONE";
	case EVENT_CREATED:
		return "CREATED";
	case EVENT_ESTABLISHED:
		return "ESTABLISHED";
	case EVENT_CLOSED:
		return "CLOSED";
	case EVENT_SUBFLOW_ESTABLISHED:
		return "SUBFLOW_ESTABLISHED";
	case EVENT_SUBFLOW_CLOSED:
		return "SUBFLOW_CLOSED";
	case EVENT_ANNOUNCED:
		return "ANNOUNCED";
	case EVENT_WITHDRAWN:
		return "WITHDRAWN";
	case EVENT_THRESHOLD:
		return "THRESHOLD";
	case EVENT_INTENT:
		return "INTENT";
	case EVENT_FOREIGN:
		return "FOREIGN";
	case EVENT_BACKUP:
		return "BACKUP";
	case EVENT_BOUND:
		return "BOUND";
	case EVENT_DENIED:
		return "DENIED";
	case EVENT_BACKLOG:
		return "BACKLOG";
	case EVENT_STRANGER:
		return "STRANGER";
	case EVENT_FLOW:
		return "FLOW";
	case EVENT_TIMEOUT:
		return "TIMEOUT";
	case EVENT_OUTAGE:
		return "OUTAGE";
	case EVENT_PATHS:
		return "PATHS";
	case EVENT_MEASURED:
		return "MEASURED";
	case EVENT_PACED:
		return "PACED";
	case EVENT_REACHED:
		return "REACHED";
	case EVENT_CREATE_DONE:
		return "CREATE_DONE";
	case EVENT_DESTROY_DONE:
		return "DESTROY_DONE";
	case EVENT_BACKUP_FAILED:
		return "BACKUP_FAILED";
	case EVENT_ANNOUNCE_FAILED:
		return "ANNOUNCE_FAILED";
	case EVENT_WITHDRAW_FAILED:
		return "WITHDRAW_FAILED";
	case EVENT_LOCALS:
		return "LOCALS";
	case EVENT_OWNER:
		return "OWNER";
	case EVENT_FOUND:
		return "FOUND";
	case EVENT_FOUND_SUBFLOW:
		return "FOUND_SUBFLOW";
	case EVENT_CLAIM_DONE:
		return "CLAIM_DONE";
	case EVENT_LISTEN_DONE:
		return "LISTEN_DONE";
	}
	return NULL;
}

const char *line_action_name(enum action_kind kind)
{
	switch (kind) {
	case ACTION_CREATE:
		return "CREATE";
	case ACTION_DESTROY:
		return "DESTROY";
	case ACTION_ANNOUNCE:
		return "ANNOUNCE";
	case ACTION_WITHDRAW:
		return "WITHDRAW";
	case ACTION_BACKUP:
		return "BACKUP";
	case ACTION_LOCALS:
		return "LOCALS";
	case ACTION_RULE:
		return "RULE";
	case ACTION_MEASURE:
		return "MEASURE";
	case ACTION_PACE:
		return "PACE";
	case ACTION_REACH:
		return "REACH";
	case ACTION_OWNER:
		return "OWNER";
	case ACTION_SEARCH:
		return "SEARCH";
	case ACTION_CLAIM:
		return "CLAIM";
	case ACTION_LISTEN:
		return "LISTEN";
	case ACTION_SURVEY:
		return "SURVEY";
	case ACTION_RECEIPT:
		return "RECEIPT";
	case ACTION_FORGET:
		return "FORGET";
	}
	return NULL;
}

void line_write(struct text *text, enum line_kind kind, const void *object)
{
	text_add(text, "%s", kinds[kind].word);
	if (kind == LINE_HEAR)
		text_add(text, " %s", line_event_name(((const struct event *)object)->kind));
	else if (kind == LINE_DO)
		text_add(text, " %s", line_action_name(((const struct action *)object)->kind));
	fields_write(text, kinds[kind].fields, object);
	text_add(text, "\n");
}

/* What follows "hear" and "do". */
static int read_name(char **words, struct line *line, char *error, size_t size)
{
	const char *name = strsep(words, " "), *known;

	for (int i = 0; name; i++) {
		known = line->kind == LINE_HEAR ? line_event_name(i) : line_action_name(i);
		if (!known)
			break;
		if (strcmp(known, name))
			continue;
		if (line->kind == LINE_HEAR)
			line->event.kind = i;
		else
			line->action.kind = i;
		return 0;
	}
	snprintf(error, size, "there is no %s \"%.40s\"",
		line->kind == LINE_HEAR ? "event" : "action", name ? name : "");
	return -EINVAL;
}

int line_read(char *words, struct line *ret_line, char *error, size_t error_size)
{
	const char *word = strsep(&words, " ");
	struct line *line = ret_line;
	char none[] = "";
	int err = 0;

	memset(line, 0, sizeof(*line));
	while (line->kind < COUNT(kinds) && strcmp(kinds[line->kind].word, word))
		line->kind++;
	if (line->kind == COUNT(kinds)) {
		snprintf(error, error_size, "no line begins with \"%.40s\"", word);
		line->kind = LINE_REST;
		return -EINVAL;
	}
	if (line->kind == LINE_HEAR || line->kind == LINE_DO)
		err = read_name(&words, line, error, error_size);
	return err ? err
		   : fields_read(kinds[line->kind].fields, words ? words : none, &line->settings,
			     error, error_size);
}

void line_free(struct line *line)
{
	fields_free(kinds[line->kind].fields, &line->settings);
}

void line_write_header(struct text *text, const char *program)
{
	text_add(text, LINE_HEADER " %d of %s\n", LINE_VERSION, program);
}

int line_read_header(const char *words, char *error, size_t error_size)
{
	size_t length = strlen(LINE_HEADER " ");
	uint64_t version;
	char number[12];

	if (strncmp(words, LINE_HEADER " ", length)) {
		snprintf(error, error_size, "this is no recording: it does not begin with \"%s\"",
			LINE_HEADER);
		return -EINVAL;
	}
	snprintf(number, sizeof(number), "%.*s", (int)strcspn(words + length, " "), words + length);
	if (field_read_number(number, 10, UINT32_MAX, &version) || version != LINE_VERSION) {
		snprintf(error, error_size, "recordings of version %s cannot be read, only %d",
			number, LINE_VERSION);
		return -EINVAL;
	}
	return 0;
}
