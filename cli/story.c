/* SPDX-License-Identifier: MIT */
/* A connection of the daemon's status answer, told in sentences. */
#include "story.h"

#include "answer.h"
#include "page.h"
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATH_SIZE  96
#define BYTES_SIZE 32

/* What a newer daemon may say: it is not to pass for something else. */
#define UNKNOWN "for a reason that this command does not know"

struct teller {
	struct answer_reader reader;
	FILE *out;
	struct json_object *daemon, *elephant, *connection;
	char path[PATH_SIZE]; /* of the connection */
};

static const char *text_of(struct teller *teller, const char *key, const char *other)
{
	return answer_get_text_or(&teller->reader, teller->connection, teller->path, key, other);
}

static uint64_t number_of(struct teller *teller, const char *key)
{
	return answer_get_number(&teller->reader, teller->connection, teller->path, key);
}

/* The rule that holds for the connection: the one that it names, or the defaults. */
static struct json_object *find_rule(struct teller *teller)
{
	const char *name = text_of(teller, "rule", "");
	struct json_object *list, *item;
	char path[PATH_SIZE];
	size_t n;

	if (!*name)
		return teller->elephant;
	n = answer_get_list(&teller->reader, teller->daemon, "daemon", "rules", &list);
	for (size_t i = 0; i < n && !teller->reader.has_failed; i++) {
		snprintf(path, sizeof(path), "daemon.rules[%zu]", i);
		item = answer_get_item(&teller->reader, list, i, path);
		if (!strcmp(answer_get_text(&teller->reader, item, path, "name"), name))
			return item;
	}
	return teller->elephant;
}

static uint64_t rule(struct teller *teller, struct json_object *holder, const char *key)
{
	return answer_get_number(&teller->reader, holder, "daemon.elephant", key);
}

static const char *bytes(uint64_t number, char text[BYTES_SIZE])
{
	report_format_bytes(number, text, BYTES_SIZE);
	return text;
}

static void tell_who(struct teller *teller)
{
	const char *role = text_of(teller, "role", ""), *state = text_of(teller, "state", "");
	char sent[BYTES_SIZE], received[BYTES_SIZE];

	fprintf(teller->out, "Connection %08" PRIx64 " of namespace ", number_of(teller, "token"));
	report_put_text(teller->out, text_of(teller, "namespace", ""), 0);
	fputs(", from ", teller->out);
	report_put_text(teller->out, text_of(teller, "local", ""), 0);
	fputs(" to ", teller->out);
	report_put_text(teller->out, text_of(teller, "remote", ""), 0);
	fputs(".\n", teller->out);
	if (!strcmp(role, "client"))
		fputs("This host opened it, so its subflows are opened here.\n", teller->out);
	else if (!strcmp(role, "server"))
		fputs("The other host opened it: only there can subflows be opened.\n",
			teller->out);
	else if (!strcmp(state, "not known"))
		fputs("subflowd does not know it, so it does not split it.\n", teller->out);
	else if (!strcmp(state, "left alone"))
		fputs("subflowd leaves its namespace alone.\n", teller->out);
	else
		fputs("subflowd did not see it begin, so it cannot be split.\n", teller->out);
	if (!strcmp(state, "out of reach"))
		fputs("What it has sent and received cannot be asked.\n", teller->out);
	else if (answer_is_null(teller->connection, "bytes_sent"))
		fputs("This kernel does not count what it has sent and received.\n", teller->out);
	else
		fprintf(teller->out, "It has sent %s and received %s.\n",
			bytes(number_of(teller, "bytes_sent"), sent),
			bytes(number_of(teller, "bytes_received"), received));
}

static const char *reason_of(const char *asker, bool is_first, bool is_server)
{
	static const struct {
		const char *asker, *reason;
	} reasons[] = {
		{"application", "the application asked for it (TCP_MULTIPATH_ADD)"},
		{"elephant", "the elephant rule asked for it"},
		{"ndiffports", "[policy] ndiffports asked for it"},
		{"fullmesh", "[policy] fullmesh asked for it"},
		{"operator", "an operator asked for it (subflow add)"},
		{"repair", "in place of one whose path had fallen silent"},
		{"move", "in place of one that shared its path"},
	};

	if (!*asker && is_first)
		return "the one that the connection began with";
	if (!*asker)
		return is_server ? "the other host opened it" : "nobody here asked for it";
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (!strcmp(asker, reasons[i].asker))
			return reasons[i].reason;
	return UNKNOWN;
}

static size_t tell_subflows(struct teller *teller)
{
	bool is_server = !strcmp(text_of(teller, "role", ""), "server");
	const char *first = text_of(teller, "local", "");
	struct json_object *list, *item;
	size_t n = answer_get_list(
		&teller->reader, teller->connection, teller->path, "subflows", &list);
	char path[PATH_SIZE + 32];
	const char *local;

	if (n)
		fprintf(teller->out, "It has %zu subflow%s:\n", n, n == 1 ? "" : "s");
	else
		fputs("Its subflows are not known to subflowd.\n", teller->out);
	for (size_t i = 0; i < n && !teller->reader.has_failed; i++) {
		snprintf(path, sizeof(path), "%.60s.subflows[%zu]", teller->path, i);
		item = answer_get_item(&teller->reader, list, i, path);
		local = answer_get_text(&teller->reader, item, path, "local");
		fputs("  ", teller->out);
		report_put_text(teller->out, local, 0);
		fputs(" to ", teller->out);
		report_put_text(
			teller->out, answer_get_text(&teller->reader, item, path, "remote"), 0);
		fputs(", ", teller->out);
		report_put_text(
			teller->out, answer_get_text(&teller->reader, item, path, "state"), 0);
		fprintf(teller->out, ": %s.\n",
			reason_of(answer_get_text_or(&teller->reader, item, path, "asked_by", ""),
				!strcmp(local, first), is_server));
	}
	return n;
}

/* What its application has said of what is to come. */
static void tell_forecast(struct teller *teller)
{
	static const struct {
		const char *intent, *sentence;
	} intents[] = {
		{"default", ""},
		{"bulk", "Its application calls it bulk: an elephant from its start.\n"},
		{"interactive", "Its application calls it interactive: the elephant rule does not "
				"split it.\n"},
		{"off", "Its application wants no split by the elephant rule.\n"},
	};
	uint64_t expected = number_of(teller, "expected");
	const char *intent = text_of(teller, "intent", "");
	char text[BYTES_SIZE];
	size_t i;

	if (expected)
		fprintf(teller->out, "Its application announced %s.\n", bytes(expected, text));
	for (i = 0; i < sizeof(intents) / sizeof(*intents); i++)
		if (!strcmp(intent, intents[i].intent))
			break;
	fputs(i < sizeof(intents) / sizeof(*intents) ? intents[i].sentence
						     : "Its application has announced it " UNKNOWN
						       ".\n",
		teller->out);
}

/* What its application has removed and had not asked for, the rule does not open again. */
static void tell_removed(struct teller *teller)
{
	uint64_t waived = number_of(teller, "waived");

	if (waived)
		fprintf(teller->out,
			"Its application has removed %" PRIu64
			" more than it had asked for: the elephant rule counts them as if they "
			"were there.\n",
			waived);
}

/* The last one, 0 = none. */
static uint64_t tell_thresholds(struct teller *teller)
{
	struct json_object *list, *item;
	size_t n = answer_get_list(
		&teller->reader, teller->connection, teller->path, "thresholds", &list);
	char path[PATH_SIZE + 32], threshold[BYTES_SIZE], noticed[BYTES_SIZE], waiting[BYTES_SIZE];
	uint64_t subflows, backlog, last = 0;

	for (size_t i = 0; i < n && !teller->reader.has_failed; i++) {
		snprintf(path, sizeof(path), "%.60s.thresholds[%zu]", teller->path, i);
		item = answer_get_item(&teller->reader, list, i, path);
		subflows = answer_get_number(&teller->reader, item, path, "subflows");
		last = answer_get_number(&teller->reader, item, path, "threshold");
		bytes(last, threshold);
		bytes(answer_get_number(&teller->reader, item, path, "bytes"), noticed);
		backlog = answer_get_number(&teller->reader, item, path, "backlog");
		if (json_object_get_boolean(
			    answer_get(&teller->reader, item, path, "foreseen", json_type_boolean)))
			fprintf(teller->out, "It is to pass %s: ", threshold);
		else if (backlog)
			fprintf(teller->out,
				"It had sent %s, and %s waited to be sent, which counts as %s: ",
				noticed, bytes(backlog, waiting), threshold);
		else
			fprintf(teller->out, "It passed %s, noticed at %s: ", threshold, noticed);
		if (subflows)
			fprintf(teller->out, "one more subflow made %" PRIu64 ".\n", subflows);
		else
			fputs("one more subflow is under way.\n", teller->out);
	}
	return last;
}

static bool is_never(struct teller *teller, struct json_object *holder)
{
	return holder != teller->elephant &&
	       json_object_get_boolean(answer_get(
		       &teller->reader, holder, "daemon.rules", "never", json_type_boolean));
}

/* What counts for the rule, as far as the kernel counts. */
static uint64_t find_carried(struct teller *teller)
{
	uint64_t sent, received;

	if (answer_is_null(teller->connection, "bytes_sent"))
		return 0;
	sent = number_of(teller, "bytes_sent");
	received = number_of(teller, "bytes_received");
	if (!json_object_get_boolean(answer_get(
		    &teller->reader, teller->daemon, "daemon", "downloads", json_type_boolean)))
		return sent;
	return sent > received ? sent : received;
}

/*
 * What the elephant rule will do with it. @subflows: as the rule counts them. @now: the last
 * threshold that had its effect.
 */
static void tell_future(struct teller *teller, size_t subflows, uint64_t now)
{
	struct json_object *holder = find_rule(teller);
	uint64_t start = rule(teller, holder, "start"), step = rule(teller, holder, "step"),
		 stop = rule(teller, holder, "stop"), most = rule(teller, holder, "max_subflows"),
		 next, sent;
	const char *name = text_of(teller, "rule", ""), *intent = text_of(teller, "intent", "");
	char text[BYTES_SIZE];

	if (*name) {
		fputs("Rule ", teller->out);
		report_put_text(teller->out, name, 0);
		fputs(" holds for it.\n", teller->out);
	}
	if (is_never(teller, holder)) {
		fputs("It is never split but as its application or an operator asks.\n",
			teller->out);
		return;
	}
	if (!strcmp(intent, "interactive") || !strcmp(intent, "off"))
		return;

	if (json_object_get_boolean(answer_get(&teller->reader, teller->connection, teller->path,
		    "is_asked", json_type_boolean)))
		fputs("No callback of the kernel tells how far it has come: subflowd asks now and "
		      "then.\n",
			teller->out);
	sent = find_carried(teller);
	/* What was announced has had its effect. */
	next = strcmp(intent, "bulk") ? number_of(teller, "expected") : stop;
	now = next > now ? next : now;
	next = answer_is_null(teller->connection, "next_threshold")
		       ? stop
		       : number_of(teller, "next_threshold");
	if (now >= start && step && start + ((now - start) / step + 1) * step > next)
		next = start + ((now - start) / step + 1) * step;
	if (teller->reader.has_failed)
		return;
	if (subflows >= most) {
		fprintf(teller->out, "The elephant rule gives no more: %" PRIu64 " in all%s.\n",
			most, number_of(teller, "waived") ? ", with those removed" : "");
		return;
	}
	if (next >= stop || sent >= stop)
		fprintf(teller->out, "The elephant rule gives none from %s on.\n",
			bytes(stop, text));
	else if (sent >= next)
		fprintf(teller->out,
			"It has passed %s: the elephant rule gives it one more when that is "
			"noticed.\n",
			bytes(next, text));
	else
		fprintf(teller->out, "The elephant rule gives it one more at %s.\n",
			bytes(next, text));
}

/* What the answer has under @key of a connection, and what that is called; NULL: nothing. */
static struct json_object *find_part(
	struct teller *teller, const char *key, char ret_path[PATH_SIZE + 32])
{
	if (answer_is_null(teller->connection, key))
		return NULL;
	snprintf(ret_path, PATH_SIZE + 32, "%.60s.%s", teller->path, key);
	return answer_get(&teller->reader, teller->connection, teller->path, key, json_type_object);
}

/* What became of joins to where it goes. */
static void tell_refusals(struct teller *teller)
{
	char path[PATH_SIZE + 32];
	struct json_object *refusals = find_part(teller, "refusals", path);
	uint64_t hold, beyond;

	if (!refusals)
		return;
	fprintf(teller->out,
		"Its destination refused the last %" PRIu64 " joins of this host's connections",
		answer_get_number(&teller->reader, refusals, path, "in_a_row"));
	beyond = answer_get_number(&teller->reader, refusals, path, "beyond");
	if (beyond)
		fprintf(teller->out, " beyond %" PRIu64 " subflows of one", beyond);
	fprintf(teller->out, ", %" PRIu64 " s ago (",
		answer_get_number(&teller->reader, refusals, path, "age_s"));
	report_put_text(teller->out, answer_get_text(&teller->reader, refusals, path, "reason"), 0);
	hold = answer_get_number(&teller->reader, refusals, path, "hold_s");
	if (hold)
		fprintf(teller->out, "): none is tried%s for another %" PRIu64 " s.\n",
			beyond ? " beyond them" : "", hold);
	else
		fputs(").\n", teller->out);
}

/* @subflows: that it has, or is to have. Whether its peer takes no more. */
static bool tell_room(struct teller *teller, size_t subflows)
{
	char path[PATH_SIZE + 32];
	struct json_object *room = find_part(teller, "room", path);
	uint64_t most;

	if (!room)
		return false;
	most = answer_get_number(&teller->reader, room, path, "subflows");
	fprintf(teller->out,
		"Its peer takes %" PRIu64 " in all, and reset what came up beyond: for another "
		"%" PRIu64 " s neither the elephant rule nor [policy] gives it more.\n",
		most, answer_get_number(&teller->reader, room, path, "hold_s"));
	return subflows >= most;
}

static double mbit(uint64_t bytes_per_s)
{
	return bytes_per_s * 8 / 1e6;
}

static const char *verdict_text(const char *verdict)
{
	if (!strcmp(verdict, "helps"))
		return "it helps";
	if (!strcmp(verdict, "in vain"))
		return "it did not help, and was closed";
	if (!strcmp(verdict, "not known"))
		return "whether it helps is not known";
	return UNKNOWN;
}

/* Whether more subflows help. */
static void tell_judged(struct teller *teller)
{
	uint64_t hold = number_of(teller, "left_alone_s");
	uint64_t last_hop = number_of(teller, "last_hop_s");
	char path[PATH_SIZE + 32];
	struct json_object *judged = find_part(teller, "judged", path);

	if (judged)
		fprintf(teller->out,
			"The last subflow that was judged: %.1f Mbit/s before, %.1f with it: %s.\n",
			mbit(answer_get_number(&teller->reader, judged, path, "before")),
			mbit(answer_get_number(&teller->reader, judged, path, "with")),
			verdict_text(answer_get_text(&teller->reader, judged, path, "verdict")));
	if (!answer_is_null(teller->connection, "held"))
		fprintf(teller->out,
			"No path holds it back, %s: more subflows would only cost CPU. They are "
			"opened when a path does.\n",
			text_of(teller, "held", ""));
	if (last_hop)
		fprintf(teller->out,
			"The last link to its peer is what held it back: for another %" PRIu64
			" s it has fewer subflows.\n",
			last_hop);
	if (hold)
		fprintf(teller->out,
			"More did not help to where it goes: for another %" PRIu64
			" s the elephant rule gives none there but on paths of their own.\n",
			hold);
}

/* Whether it has its paths to itself. */
static void tell_apart(struct teller *teller)
{
	char path[PATH_SIZE + 32];
	struct json_object *apart = find_part(teller, "apart", path);
	uint64_t moved, held;

	if (!apart)
		return;
	moved = answer_get_number(&teller->reader, apart, path, "moved");
	held = answer_get_number(&teller->reader, apart, path, "held_s");
	if (moved)
		fprintf(teller->out,
			"So many times a subflow of it was moved to a path of its own: %" PRIu64
			".\n",
			moved);
	if (json_object_get_boolean(
		    answer_get(&teller->reader, apart, path, "is_shared", json_type_boolean)))
		fputs("It shares a path with others of this host, and no free one is known.\n",
			teller->out);
	if (held)
		fprintf(teller->out, "None is moved for another %" PRIu64 " s.\n", held);
}

/* The kernel opens no subflow before the other end has acknowledged, or sent, a byte. */
static bool is_silent(struct teller *teller)
{
	return !answer_is_null(teller->connection, "bytes_sent") &&
	       !number_of(teller, "bytes_sent") && !number_of(teller, "bytes_received");
}

static void tell(struct teller *teller)
{
	const char *state = text_of(teller, "state", "");
	uint64_t wanted = number_of(teller, "wanted"), last;
	size_t subflows;

	tell_who(teller);
	subflows = tell_subflows(teller);
	tell_forecast(teller);
	tell_removed(teller);
	last = tell_thresholds(teller);
	tell_refusals(teller);
	tell_judged(teller);
	tell_apart(teller);
	if (wanted)
		fprintf(teller->out, "%" PRIu64 " more are to be opened%s.\n", wanted,
			is_silent(teller) ? ", once its first byte has gone over and been "
					    "acknowledged"
					  : "");
	if (!strcmp(state, "in-kernel path manager"))
		fputs("The in-kernel path manager has it.\n", teller->out);
	else if (!strcmp(state, "out of reach"))
		fputs("Its network namespace has no name to enter it by: nothing can be done for "
		      "it there.\n",
			teller->out);
	else if (!strcmp(state, "served") && !strcmp(text_of(teller, "role", ""), "client") &&
		 !tell_room(teller, subflows + wanted))
		tell_future(teller, subflows + wanted + number_of(teller, "waived"), last);
	fputs("The last decision: ", teller->out);
	report_put_text(teller->out, text_of(teller, "decision", "none"), 0);
	fputs(".\n", teller->out);
}

int story_write(struct json_object *root, char **ret_text, char *ret_why, size_t why_size)
{
	struct teller teller = {.reader = {.why = ret_why, .why_size = why_size}};
	struct json_object *list;
	struct page page;
	size_t n;

	if (page_open(&page, &teller.reader))
		return -ENOMEM;
	teller.out = page.out;
	teller.daemon = answer_get(&teller.reader, root, "", "daemon", json_type_object);
	teller.elephant =
		answer_get(&teller.reader, teller.daemon, "daemon", "elephant", json_type_object);
	n = answer_get_list(&teller.reader, root, "", "connections", &list);
	for (size_t i = 0; i < n && !teller.reader.has_failed; i++) {
		snprintf(teller.path, sizeof(teller.path), "connections[%zu]", i);
		teller.connection = answer_get_item(&teller.reader, list, i, teller.path);
		if (i)
			putc('\n', teller.out);
		tell(&teller);
	}
	return page_close(&page, &teller.reader, ret_text);
}
