/* SPDX-License-Identifier: MIT */
/* Checks the daemon's status answer key by key and writes it out for people. */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 96 };

/* Remembers the first thing that was wrong; everything read after it is a default value. */
struct reader {
	bool has_failed;
	char *why;
	size_t why_size;
};

__attribute__((format(printf, 2, 3))) static void reject(
	struct reader *reader, const char *format, ...)
{
	va_list args;

	if (reader->has_failed)
		return;
	reader->has_failed = true;
	va_start(args, format);
	vsnprintf(reader->why, reader->why_size, format, args);
	va_end(args);
}

/* @path names @object in messages; "" is the answer itself. */
static struct json_object *get(struct reader *reader, struct json_object *object, const char *path,
	const char *key, enum json_type type)
{
	const char *dot = *path ? "." : "";
	struct json_object *value;

	if (reader->has_failed)
		return NULL;
	if (!json_object_object_get_ex(object, key, &value)) {
		reject(reader, "%s%s%s is missing in subflowd's answer (of another version?)", path,
			dot, key);
		return NULL;
	}
	if (type == json_type_double && json_object_is_type(value, json_type_int))
		return value;
	if (!json_object_is_type(value, type)) {
		reject(reader,
			"%s%s%s in subflowd's answer is a %s, not a %s (of another version?)", path,
			dot, key, json_type_to_name(json_object_get_type(value)),
			json_type_to_name(type));
		return NULL;
	}
	return value;
}

static bool is_null(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) && !value;
}

static const char *get_text(
	struct reader *reader, struct json_object *object, const char *path, const char *key)
{
	struct json_object *value = get(reader, object, path, key, json_type_string);

	return value ? json_object_get_string(value) : "";
}

static uint64_t get_number(
	struct reader *reader, struct json_object *object, const char *path, const char *key)
{
	struct json_object *value = get(reader, object, path, key, json_type_int);

	if (value && json_object_get_int64(value) < 0)
		reject(reader, "%s.%s in subflowd's answer is negative", path, key);
	return value && !reader->has_failed ? json_object_get_uint64(value) : 0;
}

static size_t get_list(struct reader *reader, struct json_object *object, const char *path,
	const char *key, struct json_object **ret_list)
{
	*ret_list = get(reader, object, path, key, json_type_array);
	return *ret_list ? json_object_array_length(*ret_list) : 0;
}

static struct json_object *get_item(
	struct reader *reader, struct json_object *list, size_t i, const char *path)
{
	struct json_object *item = json_object_array_get_idx(list, i);

	if (!json_object_is_type(item, json_type_object))
		reject(reader, "%s in subflowd's answer is no object", path);
	return item;
}

/* Names come from other users' namespaces: nothing in them may steer a terminal. */
static void put_text(FILE *out, const char *text, int width)
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
static void put_counter(FILE *out, struct reader *reader, struct json_object *object,
	const char *path, const char *key)
{
	if (is_null(object, key))
		fputs("unknown", out);
	else
		put_bytes(out, get_number(reader, object, path, key));
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
	static const char *const words[] = {"lost", "loss", "fail", "refus", "reject", "drop",
		"error", "overflow", "full", "denied", "timeout", "invalid"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(counter, words[i]))
			return true;
	return false;
}

static void put_trouble(FILE *out, struct reader *reader, struct json_object *daemon)
{
	struct json_object *counters = get(reader, daemon, "daemon", "counters", json_type_object);
	const char *separator = "  trouble     ";

	if (!counters)
		return;
	json_object_object_foreach(counters, name, value)
	{
		if (!json_object_is_type(value, json_type_int)) {
			reject(reader, "daemon.counters.%s in subflowd's answer is no integer",
				name);
			return;
		}
		if (!is_trouble(name) || !json_object_get_int64(value))
			continue;
		fputs(separator, out);
		put_text(out, name, 0);
		fprintf(out, " %" PRId64, json_object_get_int64(value));
		separator = ", ";
	}
	if (*separator == ',')
		putc('\n', out);
}

/* The smallest bucket bound below which @share of the @count lie; NULL: above all bounds. */
static struct json_object *find_quantile(
	struct reader *reader, struct json_object *buckets, uint64_t count, double share)
{
	size_t n = json_object_array_length(buckets);
	struct json_object *bound = NULL;
	double seen = 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *bucket =
			get_item(reader, buckets, i, "daemon.create_us.buckets[]");

		seen += (double)get_number(reader, bucket, "daemon.create_us.buckets[]", "count");
		if (reader->has_failed)
			return NULL;
		if (seen >= share * (double)count) {
			if (!is_null(bucket, "le"))
				bound = get(reader, bucket, "daemon.create_us.buckets[]", "le",
					json_type_double);
			return bound;
		}
	}
	return NULL;
}

static void put_reaction(FILE *out, struct reader *reader, struct json_object *daemon)
{
	struct json_object *histogram, *buckets, *bound;
	uint64_t count;

	histogram = get(reader, daemon, "daemon", "create_us", json_type_object);
	count = get_number(reader, histogram, "daemon.create_us", "count");
	get_list(reader, histogram, "daemon.create_us", "buckets", &buckets);
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

static void put_daemon(FILE *out, struct reader *reader, struct json_object *root)
{
	struct json_object *daemon = get(reader, root, "", "daemon", json_type_object);
	struct json_object *elephant = get(reader, daemon, "daemon", "elephant", json_type_object);
	struct json_object *uptime;

	fputs("subflowd ", out);
	put_text(out, get_text(reader, daemon, "daemon", "version"), 0);
	fprintf(out, ", pid %" PRIu64 ", up ", get_number(reader, daemon, "daemon", "pid"));
	uptime = get(reader, daemon, "daemon", "uptime_s", json_type_double);
	put_duration(out, uptime ? json_object_get_double(uptime) : 0);
	fputs("\n  config      ", out);
	if (is_null(daemon, "config"))
		fputs("none (defaults)", out);
	else
		put_text(out, get_text(reader, daemon, "daemon", "config"), 0);
	fputs("\n  cgroup      ", out);
	put_text(out, get_text(reader, daemon, "daemon", "cgroup"), 0);
	fputs("\n  elephants   one more subflow at ", out);
	put_bytes(out, get_number(reader, elephant, "daemon.elephant", "start"));
	fputs(", then every ", out);
	put_bytes(out, get_number(reader, elephant, "daemon.elephant", "step"));
	fputs(", none after ", out);
	put_bytes(out, get_number(reader, elephant, "daemon.elephant", "stop"));
	fprintf(out, "; at most %" PRIu64 " subflows\n",
		get_number(reader, elephant, "daemon.elephant", "max_subflows"));
	put_reaction(out, reader, daemon);
	put_trouble(out, reader, daemon);
}

static void put_namespaces(FILE *out, struct reader *reader, struct json_object *root)
{
	struct json_object *list;
	size_t n = get_list(reader, root, "", "namespaces", &list);

	fprintf(out, "\nNamespaces%s\n", n ? "" : ": none");
	for (size_t i = 0; i < n && !reader->has_failed; i++) {
		struct json_object *item;
		char path[PATH_SIZE];
		const char *reason;
		uint64_t connections;

		snprintf(path, sizeof(path), "namespaces[%zu]", i);
		item = get_item(reader, list, i, path);
		fputs("  ", out);
		put_text(out, get_text(reader, item, path, "name"), 12);
		putc(' ', out);
		put_text(out, get_text(reader, item, path, "state"), 12);
		connections = get_number(reader, item, path, "connections");
		fprintf(out, " %" PRIu64 " connection%s", connections, connections == 1 ? "" : "s");
		reason = get_text(reader, item, path, "reason");
		if (*reason) {
			fputs(": ", out);
			put_text(out, reason, 0);
		}
		putc('\n', out);
	}
}

static void put_subflows(
	FILE *out, struct reader *reader, struct json_object *connection, const char *path)
{
	struct json_object *list;
	size_t n = get_list(reader, connection, path, "subflows", &list);

	for (size_t i = 0; i < n && !reader->has_failed; i++) {
		struct json_object *item;
		char item_path[PATH_SIZE];

		snprintf(item_path, sizeof(item_path), "%.60s.subflows[%zu]", path, i);
		item = get_item(reader, list, i, item_path);
		fprintf(out, "    %s %zu  ", "subflow", i + 1);
		put_text(out, get_text(reader, item, item_path, "local"), 0);
		fputs(" -> ", out);
		put_text(out, get_text(reader, item, item_path, "remote"), 0);
		fprintf(out, "  id %" PRIu64 "  ", get_number(reader, item, item_path, "id"));
		put_text(out, get_text(reader, item, item_path, "state"), 0);
		putc('\n', out);
	}
}

static void put_thresholds(
	FILE *out, struct reader *reader, struct json_object *connection, const char *path)
{
	struct json_object *list;
	size_t n = get_list(reader, connection, path, "thresholds", &list);

	for (size_t i = 0; i < n && !reader->has_failed; i++) {
		struct json_object *item;
		char item_path[PATH_SIZE];

		snprintf(item_path, sizeof(item_path), "%.60s.thresholds[%zu]", path, i);
		item = get_item(reader, list, i, item_path);
		fputs(i ? ", " : "    crossed    ", out);
		put_bytes(out, get_number(reader, item, item_path, "threshold"));
		fputs(" (at ", out);
		put_bytes(out, get_number(reader, item, item_path, "bytes"));
		fprintf(out, ", %" PRIu64 " subflows)",
			get_number(reader, item, item_path, "subflows"));
	}
	if (n)
		putc('\n', out);
}

static void put_connection(
	FILE *out, struct reader *reader, struct json_object *item, const char *path)
{
	uint64_t wanted = get_number(reader, item, path, "wanted");
	const char *decision = get_text(reader, item, path, "decision");

	fprintf(out, "  %08" PRIx64 "  ", get_number(reader, item, path, "token"));
	put_text(out, get_text(reader, item, path, "namespace"), 0);
	fputs("  ", out);
	put_text(out, get_text(reader, item, path, "role"), 0);
	fputs("  ", out);
	put_text(out, get_text(reader, item, path, "local"), 0);
	fputs(" -> ", out);
	put_text(out, get_text(reader, item, path, "remote"), 0);
	fputs("  ", out);
	put_text(out, get_text(reader, item, path, "state"), 0);
	fputs("\n    sent       ", out);
	put_counter(out, reader, item, path, "bytes_sent");
	fputs(", received ", out);
	put_counter(out, reader, item, path, "bytes_received");
	putc('\n', out);
	put_subflows(out, reader, item, path);
	if (wanted)
		fprintf(out, "    wanted     %" PRIu64 " by the application\n", wanted);
	put_thresholds(out, reader, item, path);
	if (*decision) {
		fputs("    decision   ", out);
		put_text(out, decision, 0);
		putc('\n', out);
	}
}

static void put_connections(FILE *out, struct reader *reader, struct json_object *root)
{
	struct json_object *list;
	size_t n = get_list(reader, root, "", "connections", &list);

	fprintf(out, "Connections%s\n", n ? "" : ": none");
	for (size_t i = 0; i < n && !reader->has_failed; i++) {
		char path[PATH_SIZE];

		snprintf(path, sizeof(path), "connections[%zu]", i);
		put_connection(out, reader, get_item(reader, list, i, path), path);
	}
}

int report_filter_init(struct report_filter *filter, const char *text)
{
	const char *slash = strrchr(text, '/');
	const char *token = slash ? slash + 1 : text;
	char *name = NULL;

	if (token[0] == '0' && (token[1] | 0x20) == 'x')
		token += 2;
	if (!*token || strlen(token) > 8 || token[strspn(token, "0123456789abcdefABCDEF")] ||
		slash == text)
		return -EINVAL;
	if (slash) {
		name = strndup(text, (size_t)(slash - text));
		if (!name)
			return -ENOMEM;
	}
	*filter = (struct report_filter){
		.is_set = true,
		.namespace_name = name,
		.token = (uint32_t)strtoul(token, NULL, 16),
	};
	return 0;
}

void report_filter_done(struct report_filter *filter)
{
	free(filter->namespace_name);
	*filter = (struct report_filter){0};
}

int report_parse(const char *answer, size_t len, struct json_object **ret_root, char *ret_why,
	size_t why_size)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *root, *error;
	enum json_tokener_error result;
	size_t end;

	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	root = json_tokener_parse_ex(tokener, answer, (int)len);
	result = json_tokener_get_error(tokener);
	end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	while (end < len && strchr(" \t\r\n", answer[end]) && answer[end])
		end++;
	if (result == json_tokener_continue) {
		snprintf(ret_why, why_size, "subflowd's answer is cut off after %zu bytes", len);
	} else if (result != json_tokener_success || end < len) {
		snprintf(ret_why, why_size, "subflowd's answer is no JSON: %s at byte %zu",
			result == json_tokener_success ? "trailing bytes"
						       : json_tokener_error_desc(result),
			end);
	} else if (!json_object_is_type(root, json_type_object)) {
		snprintf(ret_why, why_size, "subflowd's answer is no JSON object");
	} else if (json_object_object_get_ex(root, "error", &error)) {
		/* JSON escapes whatever could steer a terminal. */
		snprintf(ret_why, why_size, "subflowd says: %s", json_object_to_json_string(error));
		json_object_put(root);
		return -EREMOTEIO;
	} else {
		*ret_root = root;
		return 0;
	}
	json_object_put(root);
	return -EBADMSG;
}

int report_select(struct json_object *root, const struct report_filter *filter, char *ret_why,
	size_t why_size)
{
	struct reader reader = {.why = ret_why, .why_size = why_size};
	struct json_object *list, *kept;
	size_t n;

	if (!filter->is_set)
		return 0;
	n = get_list(&reader, root, "", "connections", &list);
	kept = json_object_new_array();
	if (!kept)
		return -ENOMEM;
	for (size_t i = 0; i < n && !reader.has_failed; i++) {
		struct json_object *item;
		char path[PATH_SIZE];

		snprintf(path, sizeof(path), "connections[%zu]", i);
		item = get_item(&reader, list, i, path);
		if (get_number(&reader, item, path, "token") != filter->token)
			continue;
		if (filter->namespace_name &&
			strcmp(get_text(&reader, item, path, "namespace"), filter->namespace_name))
			continue;
		json_object_array_add(kept, json_object_get(item));
	}
	if (reader.has_failed) {
		json_object_put(kept);
		return -EBADMSG;
	}
	if (!json_object_array_length(kept)) {
		json_object_put(kept);
		snprintf(ret_why, why_size,
			"no connection %08" PRIx32 "%s%s: it is closed, or was never seen "
			"(\"subflow status\" lists all)",
			filter->token, filter->namespace_name ? " in namespace " : "",
			filter->namespace_name ? filter->namespace_name : "");
		return -ENOENT;
	}
	json_object_object_add(root, "connections", kept);
	return 0;
}

int report_render(struct json_object *root, bool connections_only, char **ret_text, char *ret_why,
	size_t why_size)
{
	struct reader reader = {.why = ret_why, .why_size = why_size};
	char *text = NULL;
	size_t len;
	FILE *out;

	out = open_memstream(&text, &len);
	if (!out) {
		snprintf(ret_why, why_size, "out of memory");
		return -ENOMEM;
	}
	if (!connections_only) {
		put_daemon(out, &reader, root);
		put_namespaces(out, &reader, root);
		putc('\n', out);
	}
	put_connections(out, &reader, root);
	if (fclose(out))
		reject(&reader, "out of memory");
	if (reader.has_failed) {
		free(text);
		return -EBADMSG;
	}
	*ret_text = text;
	return 0;
}
