/* SPDX-License-Identifier: MIT */
/* Checks the daemon's status answer key by key and writes it out for people. */
#include "report.h"

#include "answer.h"
#include "bounds.h"
#include "page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 96 };

void report_put_text(FILE *out, const char *text, int width)
{
	int n = 0;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++, n++) {
		bool is_c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

		putc(*p < 0x20 || *p == 0x7f || is_c1 ? '?' : *p, out);
		if (is_c1)
			p++;
	}
	if (n < width)
		fprintf(out, "%*s", width - n, "");
}

void report_format_bytes(uint64_t bytes, char *ret_text, size_t size)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double value = (double)bytes;
	size_t unit = 0;

	/* 999.95 would be printed as 1000.0 */
	while (value >= (unit ? 999.95 : 1000) && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000;
		unit++;
	}
	if (unit == 0 || (value == (double)(int)value && bytes % 1000 == 0))
		snprintf(ret_text, size, "%.0f %s", value, units[unit]);
	else
		snprintf(ret_text, size, "%.1f %s", value, units[unit]);
}

static void put_bytes(FILE *out, uint64_t bytes)
{
	char text[32];

	report_format_bytes(bytes, text, sizeof(text));
	fputs(text, out);
}

/* Kernels before 6.5 have no byte counters. */
static void put_counter(FILE *out, struct answer_reader *reader, struct json_object *object,
	const char *path, const char *key)
{
	if (answer_is_null(object, key))
		fputs("unknown", out);
	else
		put_bytes(out, answer_get_number(reader, object, path, key));
}

static void put_value(FILE *out, struct answer_reader *reader, struct json_object *object,
	const char *path, const char *key)
{
	report_put_text(out, answer_get_text(reader, object, path, key), 0);
}

static void put_ends(
	FILE *out, struct answer_reader *reader, struct json_object *object, const char *path)
{
	put_value(out, reader, object, path, "local");
	fputs(" -> ", out);
	put_value(out, reader, object, path, "remote");
}

static void put_duration(FILE *out, double seconds)
{
	uint64_t s = seconds > 0 && seconds < 1e12 ? (uint64_t)seconds : 0;

	if (s >= 86400)
		fprintf(out, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		fprintf(out, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		fprintf(out, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	else
		fprintf(out, "%" PRIu64 " s", s);
}

static bool is_trouble(const char *counter)
{
	static const char *const words[] = {"lost", "loss", "overrun", "malformed", "fail", "refus",
		"reject", "drop", "error", "overflow", "full", "denied", "timeout", "invalid"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(counter, words[i]))
			return true;
	return false;
}

static void put_trouble(FILE *out, struct answer_reader *reader, struct json_object *daemon)
{
	struct json_object *counters =
		answer_get(reader, daemon, "daemon", "counters", json_type_object);
	const char *separator = "  trouble     ";

	if (!counters)
		return;
	json_object_object_foreach(counters, name, value)
	{
		if (!json_object_is_type(value, json_type_int)) {
			answer_reject(reader,
				"daemon.counters.%s in subflowd's answer is no integer", name);
			return;
		}
		if (!is_trouble(name) || !json_object_get_int64(value))
			continue;
		fputs(separator, out);
		report_put_text(out, name, 0);
		fprintf(out, " %" PRId64, json_object_get_int64(value));
		separator = ", ";
	}
	if (*separator == ',')
		putc('\n', out);
}

/* The smallest bucket bound below which @share of the @count lie; NULL: above all bounds. */
static struct json_object *find_quantile(
	struct answer_reader *reader, struct json_object *buckets, uint64_t count, double share)
{
	size_t n = json_object_array_length(buckets);
	struct json_object *bound = NULL;
	double seen = 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *bucket =
			answer_get_item(reader, buckets, i, "daemon.create_us.buckets[]");

		seen += (double)answer_get_number(
			reader, bucket, "daemon.create_us.buckets[]", "count");
		if (reader->has_failed)
			return NULL;
		if (seen >= share * (double)count) {
			if (!answer_is_null(bucket, "le"))
				bound = answer_get(reader, bucket, "daemon.create_us.buckets[]",
					"le", json_type_double);
			return bound;
		}
	}
	return NULL;
}

static void put_reaction(FILE *out, struct answer_reader *reader, struct json_object *daemon)
{
	struct json_object *histogram, *buckets, *bound;
	uint64_t count;

	histogram = answer_get(reader, daemon, "daemon", "create_us", json_type_object);
	count = answer_get_number(reader, histogram, "daemon.create_us", "count");
	answer_get_list(reader, histogram, "daemon.create_us", "buckets", &buckets);
	if (!count || reader->has_failed)
		return;
	fprintf(out, "  reaction    %" PRIu64 " subflows asked for", count);
	bound = find_quantile(reader, buckets, count, .5);
	if (bound)
		fprintf(out, ", half of them within %g us", json_object_get_double(bound));
	bound = find_quantile(reader, buckets, count, .99);
	if (bound)
		fprintf(out, ", 99 %% within %g us", json_object_get_double(bound));
	putc('\n', out);
}

static void put_daemon(FILE *out, struct answer_reader *reader, struct json_object *root)
{
	struct json_object *daemon = answer_get(reader, root, "", "daemon", json_type_object);
	uint64_t backlog;
	struct json_object *elephant =
		answer_get(reader, daemon, "daemon", "elephant", json_type_object);
	struct json_object *uptime;

	fputs("subflowd ", out);
	put_value(out, reader, daemon, "daemon", "version");
	fprintf(out, ", pid %" PRIu64 ", up ", answer_get_number(reader, daemon, "daemon", "pid"));
	uptime = answer_get(reader, daemon, "daemon", "uptime_s", json_type_double);
	put_duration(out, uptime ? json_object_get_double(uptime) : 0);
	fputs("\n  config      ", out);
	report_put_text(
		out, answer_get_text_or(reader, daemon, "daemon", "config", "none (defaults)"), 0);
	fputs("\n  cgroup      ", out);
	report_put_text(out, answer_get_text_or(reader, daemon, "daemon", "cgroup", "none"), 0);
	if (!json_object_get_boolean(
		    answer_get(reader, daemon, "daemon", "hooks", json_type_boolean)))
		fputs("\n  hooks       false: no socket options, no early repair; its log says why",
			out);
	fputs("\n  elephants   one more subflow at ", out);
	put_bytes(out, answer_get_number(reader, elephant, "daemon.elephant", "start"));
	fputs(", then every ", out);
	put_bytes(out, answer_get_number(reader, elephant, "daemon.elephant", "step"));
	fputs(", none after ", out);
	put_bytes(out, answer_get_number(reader, elephant, "daemon.elephant", "stop"));
	fprintf(out, "; at most %" PRIu64 " subflows",
		answer_get_number(reader, elephant, "daemon.elephant", "max_subflows"));
	backlog = answer_get_number(reader, elephant, "daemon.elephant", "backlog");
	if (backlog) {
		fputs("; the first one as soon as ", out);
		put_bytes(out, backlog);
		fputs(" wait to be sent", out);
	}
	putc('\n', out);
	bounds_put(out, reader, daemon);
	put_reaction(out, reader, daemon);
	put_trouble(out, reader, daemon);
}

/* Returns how many connections there are in all of them. */
static uint64_t put_namespaces(FILE *out, struct answer_reader *reader, struct json_object *root)
{
	uint64_t sum = 0;
	struct json_object *list;
	size_t n = answer_get_list(reader, root, "", "namespaces", &list);

	fprintf(out, "\nNamespaces%s\n", n ? "" : ": none");
	for (size_t i = 0; i < n && !reader->has_failed; i++) {
		struct json_object *item;
		char path[PATH_SIZE];
		const char *reason;
		uint64_t connections;

		snprintf(path, sizeof(path), "namespaces[%zu]", i);
		item = answer_get_item(reader, list, i, path);
		fputs("  ", out);
		report_put_text(out, answer_get_text(reader, item, path, "name"), 12);
		putc(' ', out);
		report_put_text(out, answer_get_text(reader, item, path, "state"), 12);
		connections = answer_get_number(reader, item, path, "connections");
		sum += connections;
		fprintf(out, " %" PRIu64 " connection%s", connections, connections == 1 ? "" : "s");
		reason = answer_get_text_or(reader, item, path, "reason", "");
		if (*reason) {
			fputs(": ", out);
			report_put_text(out, reason, 0);
		}
		putc('\n', out);
	}
	return sum;
}

/* The routers, as far as they are known. */
static void put_path(
	FILE *out, struct answer_reader *reader, struct json_object *subflow, const char *path)
{
	struct json_object *list, *router;
	size_t n = answer_get_list(reader, subflow, path, "path", &list);

	for (size_t i = 0; i < n && !reader->has_failed; i++) {
		router = json_object_array_get_idx(list, i);
		if (!json_object_is_type(router, json_type_string)) {
			answer_reject(
				reader, "%s.path[%zu] in subflowd's answer is no text", path, i);
			return;
		}
		fputs(i ? " > " : "  by ", out);
		report_put_text(out, json_object_get_string(router), 0);
	}
}

static void put_subflows(
	FILE *out, struct answer_reader *reader, struct json_object *connection, const char *path)
{
	struct json_object *list;
	size_t n = answer_get_list(reader, connection, path, "subflows", &list);

	for (size_t i = 0; i < n && !reader->has_failed; i++) {
		struct json_object *item;
		char item_path[PATH_SIZE];

		snprintf(item_path, sizeof(item_path), "%.60s.subflows[%zu]", path, i);
		item = answer_get_item(reader, list, i, item_path);
		fprintf(out, "    %s %zu  ", "subflow", i + 1);
		put_ends(out, reader, item, item_path);
		fprintf(out, "  id %" PRIu64 "  ",
			answer_get_number(reader, item, item_path, "id"));
		put_value(out, reader, item, item_path, "state");
		put_path(out, reader, item, item_path);
		putc('\n', out);
	}
}

static void put_thresholds(
	FILE *out, struct answer_reader *reader, struct json_object *connection, const char *path)
{
	struct json_object *list;
	size_t n = answer_get_list(reader, connection, path, "thresholds", &list);

	for (size_t i = 0; i < n && !reader->has_failed; i++) {
		struct json_object *item;
		char item_path[PATH_SIZE];
		uint64_t backlog;

		snprintf(item_path, sizeof(item_path), "%.60s.thresholds[%zu]", path, i);
		item = answer_get_item(reader, list, i, item_path);
		backlog = answer_get_number(reader, item, item_path, "backlog");
		fputs(i ? ", " : "    crossed    ", out);
		put_bytes(out, answer_get_number(reader, item, item_path, "threshold"));
		if (json_object_get_boolean(
			    answer_get(reader, item, item_path, "foreseen", json_type_boolean))) {
			fputs(" (foreseen", out);
		} else if (backlog) {
			fputs(" (at ", out);
			put_bytes(out, answer_get_number(reader, item, item_path, "bytes"));
			fputs(" with ", out);
			put_bytes(out, backlog);
			fputs(" waiting", out);
		} else {
			fputs(" (at ", out);
			put_bytes(out, answer_get_number(reader, item, item_path, "bytes"));
		}
		fprintf(out, ", %" PRIu64 " subflows)",
			answer_get_number(reader, item, item_path, "subflows"));
	}
	if (n)
		putc('\n', out);
}

/* What the application has said of what is to come. */
static void put_forecast(
	FILE *out, struct answer_reader *reader, struct json_object *item, const char *path)
{
	uint64_t expected = answer_get_number(reader, item, path, "expected");
	const char *intent = answer_get_text(reader, item, path, "intent");

	if (expected) {
		fputs("    announced  ", out);
		put_bytes(out, expected);
		putc('\n', out);
	}
	if (strcmp(intent, "default")) {
		fputs("    intent     ", out);
		report_put_text(out, intent, 0);
		putc('\n', out);
	}
}

/* Where there is none, no line. */
static void put_remark(FILE *out, const char *label, const char *text)
{
	if (!*text)
		return;
	fputs(label, out);
	report_put_text(out, text, 0);
	putc('\n', out);
}

static void put_connection(
	FILE *out, struct answer_reader *reader, struct json_object *item, const char *path)
{
	uint64_t wanted = answer_get_number(reader, item, path, "wanted");
	const char *decision = answer_get_text_or(reader, item, path, "decision", "");
	const char *rule = answer_get_text_or(reader, item, path, "rule", "");
	const char *unplaced = answer_get_text_or(reader, item, path, "unplaced", "");

	fprintf(out, "  %08" PRIx64 "  ", answer_get_number(reader, item, path, "token"));
	put_value(out, reader, item, path, "namespace");
	fputs("  ", out);
	report_put_text(out, answer_get_text_or(reader, item, path, "role", "role unknown"), 0);
	fputs("  ", out);
	put_ends(out, reader, item, path);
	fputs("  ", out);
	put_value(out, reader, item, path, "state");
	fputs("\n    sent       ", out);
	put_counter(out, reader, item, path, "bytes_sent");
	fputs(", received ", out);
	put_counter(out, reader, item, path, "bytes_received");
	putc('\n', out);
	put_subflows(out, reader, item, path);
	if (wanted)
		fprintf(out, "    wanted     %" PRIu64 " more, not opened yet\n", wanted);
	put_forecast(out, reader, item, path);
	put_thresholds(out, reader, item, path);
	put_remark(out, "    ports      the kernel's choice: ", unplaced);
	put_remark(out, "    rule       ", rule);
	put_remark(out, "    decision   ", decision);
}

static void put_refusing(FILE *out, struct answer_reader *reader, struct json_object *root)
{
	struct json_object *list;
	size_t n = answer_get_list(reader, root, "", "refusing", &list);

	if (n)
		fputs("Destinations that refuse joins\n", out);
	for (size_t i = 0; i < n && !reader->has_failed; i++) {
		struct json_object *item;
		char path[PATH_SIZE];
		uint64_t hold, beyond;

		snprintf(path, sizeof(path), "refusing[%zu]", i);
		item = answer_get_item(reader, list, i, path);
		fputs("  ", out);
		report_put_text(out, answer_get_text_or(reader, item, path, "namespace", "?"), 0);
		fputs("  ", out);
		put_value(out, reader, item, path, "remote");
		fprintf(out, "  %" PRIu64 " in a row",
			answer_get_number(reader, item, path, "in_a_row"));
		beyond = answer_get_number(reader, item, path, "beyond");
		if (beyond)
			fprintf(out, " beyond %" PRIu64 " of a connection", beyond);
		fputs(", the last ", out);
		put_duration(out, (double)answer_get_number(reader, item, path, "age_s"));
		fputs(" ago: ", out);
		put_value(out, reader, item, path, "reason");
		hold = answer_get_number(reader, item, path, "hold_s");
		if (hold) {
			fputs("; none is tried for another ", out);
			put_duration(out, (double)hold);
		}
		putc('\n', out);
	}
	if (n)
		putc('\n', out);
}

/* Elephants all the same: as they cannot be treated, nothing else says that they are there. */
static void put_untreated(FILE *out, struct answer_reader *reader, struct json_object *root)
{
	struct json_object *list;
	size_t n = answer_get_list(reader, root, "", "untreated", &list);

	if (n)
		fputs("Elephants that cannot be treated\n", out);
	for (size_t i = 0; i < n && !reader->has_failed; i++) {
		struct json_object *item;
		char path[PATH_SIZE];

		snprintf(path, sizeof(path), "untreated[%zu]", i);
		item = answer_get_item(reader, list, i, path);
		fputs("  ", out);
		report_put_text(
			out, answer_get_text_or(reader, item, path, "namespace", "on the wire"), 0);
		fputs("  ", out);
		put_ends(out, reader, item, path);
		fputs("  sent ", out);
		put_bytes(out, answer_get_number(reader, item, path, "bytes_sent"));
		fputs(", received ", out);
		put_bytes(out, answer_get_number(reader, item, path, "bytes_received"));
		putc('\n', out);
	}
	if (n)
		putc('\n', out);
}

static size_t put_connections(FILE *out, struct answer_reader *reader, struct json_object *root)
{
	struct json_object *list;
	size_t n = answer_get_list(reader, root, "", "connections", &list);

	fprintf(out, "Connections%s\n", n ? "" : ": none");
	for (size_t i = 0; i < n && !reader->has_failed; i++) {
		char path[PATH_SIZE];

		snprintf(path, sizeof(path), "connections[%zu]", i);
		put_connection(out, reader, answer_get_item(reader, list, i, path), path);
	}
	return n;
}

/* To root everything is shown; what comes or goes meanwhile may be missing all the same. */
static void put_hidden(FILE *out, uint64_t all, size_t shown)
{
	if (geteuid() && all > shown)
		fprintf(out,
			"  and %" PRIu64 " of other users, which are shown to root and the group "
			"of [control] group\n",
			all - shown);
}

int report_write(struct json_object *root, bool connections_only, char **ret_text, char *ret_why,
	size_t why_size)
{
	struct answer_reader reader = {.why = ret_why, .why_size = why_size};
	struct page page;
	uint64_t all = 0;
	size_t shown;
	FILE *out;

	if (page_open(&page, &reader))
		return -ENOMEM;
	out = page.out;
	if (!connections_only) {
		put_daemon(out, &reader, root);
		all = put_namespaces(out, &reader, root);
		putc('\n', out);
		put_refusing(out, &reader, root);
		put_untreated(out, &reader, root);
	}
	shown = put_connections(out, &reader, root);
	put_hidden(out, all, shown);
	return page_close(&page, &reader, ret_text);
}
