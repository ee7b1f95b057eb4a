/* SPDX-License-Identifier: MIT */
/* The daemon's path maps, chosen and drawn for people. */
#include "ways.h"

#include "page.h"
#include "report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE     96
#define INDENT        2
#define PORTS_OF_LINE 10
#define PORTS_SHOWN   40

static int read_address(const char *text, struct in6_addr *ret_address)
{
	struct in6_addr address = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	if (inet_pton(AF_INET, text, &address.s6_addr[12]) != 1 &&
		inet_pton(AF_INET6, text, &address) != 1)
		return -EINVAL;
	*ret_address = address;
	return 0;
}

/* ADDRESS, ADDRESS4:PORT or [ADDRESS6]:PORT. Without a port it is 0. */
static int read_end(const char *text, struct in6_addr *ret_address, unsigned int *ret_port)
{
	bool is_bracketed = *text == '[';
	const char *begin = text + is_bracketed, *colon = strrchr(text, ':');
	const char *end = is_bracketed ? strchr(text, ']') : colon;
	char address[INET6_ADDRSTRLEN], *rest;
	unsigned long port;

	if (!is_bracketed && (!colon || strchr(text, ':') != colon)) {
		*ret_port = 0;
		return read_address(text, ret_address);
	}
	if (!end || (is_bracketed && colon != end + 1) ||
		(size_t)(end - begin) >= sizeof(address) || colon[1] < '0' || colon[1] > '9')
		return -EINVAL;
	port = strtoul(colon + 1, &rest, 10);
	if (*rest || !port || port > UINT16_MAX)
		return -EINVAL;
	memcpy(address, begin, end - begin);
	address[end - begin] = '\0';
	*ret_port = port;
	return read_address(address, ret_address);
}

int ways_filter_init(struct ways_filter *filter, const char *text)
{
	*filter = (struct ways_filter){};
	if (!text)
		return 0;
	filter->has_address = !read_end(text, &filter->address, &filter->port);
	return filter->has_address ? 0 : answer_filter_init(&filter->filter, text);
}

/* Whether a subflow of the connection that is meant is listed. */
static bool has_subflow(struct answer_reader *reader, struct json_object *map, const char *path,
	const struct answer_filter *filter)
{
	char item_path[PATH_SIZE + 32];
	struct json_object *list, *item;
	size_t n = answer_get_list(reader, map, path, "subflows", &list);

	if (filter->namespace_name && strcmp(answer_get_text_or(reader, map, path, "namespace", ""),
					      filter->namespace_name))
		return false;
	for (size_t i = 0; i < n && !reader->has_failed; i++) {
		snprintf(item_path, sizeof(item_path), "%s.subflows[%zu]", path, i);
		item = answer_get_item(reader, list, i, item_path);
		if (answer_get_number(reader, item, item_path, "token") == filter->token)
			return true;
	}
	return false;
}

static bool is_meant(struct answer_reader *reader, struct json_object *map, const char *path,
	const struct ways_filter *filter)
{
	struct in6_addr address;
	unsigned int port;

	if (!filter->has_address)
		return !filter->filter.is_set || has_subflow(reader, map, path, &filter->filter);
	return !read_end(answer_get_text(reader, map, path, "remote"), &address, &port) &&
	       IN6_ARE_ADDR_EQUAL(&address, &filter->address) &&
	       (!filter->port || port == filter->port);
}

int ways_select(
	struct json_object *root, const struct ways_filter *filter, char *ret_why, size_t why_size)
{
	struct answer_reader reader = {.why = ret_why, .why_size = why_size};
	struct json_object *list, *item, *kept = json_object_new_array();
	size_t n = answer_get_list(&reader, root, "", "paths", &list);
	char path[PATH_SIZE];

	if (!kept)
		return -ENOMEM;
	for (size_t i = 0; i < n && !reader.has_failed; i++) {
		snprintf(path, sizeof(path), "paths[%zu]", i);
		item = answer_get_item(&reader, list, i, path);
		if (is_meant(&reader, item, path, filter))
			json_object_array_add(kept, json_object_get(item));
	}
	if (reader.has_failed) {
		json_object_put(kept);
		return -EBADMSG;
	}
	n = json_object_array_length(kept);
	json_object_object_add(root, "paths", kept);
	if (n)
		return 0;
	snprintf(ret_why, why_size,
		"no paths are known: they are looked at when a subflow is opened, where "
		"[placement] mode = paths, and shown to root and the group of [control] group");
	return -ENOENT;
}

struct drawer {
	struct answer_reader reader;
	FILE *out;
	struct json_object *map;
	char path[PATH_SIZE]; /* of the map */
};

static uint64_t number_of(struct drawer *drawer, const char *key)
{
	return answer_get_number(&drawer->reader, drawer->map, drawer->path, key);
}

static void put(struct drawer *drawer, const char *key)
{
	report_put_text(drawer->out,
		answer_get_text_or(&drawer->reader, drawer->map, drawer->path, key, "?"), 0);
}

struct way {
	struct json_object *object, *routers;
	char path[PATH_SIZE + 32];
	size_t n_routers, number;
	bool is_drawn;
};

static void put_router(
	struct drawer *drawer, struct json_object *routers, const char *path, size_t i)
{
	struct json_object *item = json_object_array_get_idx(routers, i);

	if (json_object_is_type(item, json_type_string))
		report_put_text(drawer->out, json_object_get_string(item), 0);
	else
		answer_reject(&drawer->reader, "%s.routers[%zu] is no text", path, i);
}

/* Whether a subflow with these routers takes @way; of NULL, none of the @n ways. */
static bool is_on(
	struct json_object *routers, const struct way *way, const struct way *ways, size_t n)
{
	if (way)
		return json_object_equal(routers, way->routers);
	for (size_t i = 0; i < n; i++) {
		if (json_object_equal(routers, ways[i].routers))
			return false;
	}
	return true;
}

/* How one goes that takes none of the ways: its port has left the map, or not come to it yet. */
static void put_own_way(struct drawer *drawer, struct json_object *routers, const char *path)
{
	size_t n = json_object_array_length(routers);

	fputs(n ? "  by " : "  path not known", drawer->out);
	for (size_t i = 0; i < n && !drawer->reader.has_failed; i++) {
		fputs(i ? " > " : "", drawer->out);
		put_router(drawer, routers, path, i);
	}
}

/* Those on @way; of NULL, those on none of the @n ways. */
static void put_subflows(
	struct drawer *drawer, const struct way *way, const struct way *ways, size_t n, int indent)
{
	struct json_object *list, *item, *routers;
	char path[PATH_SIZE + 32];
	size_t count =
		answer_get_list(&drawer->reader, drawer->map, drawer->path, "subflows", &list);

	for (size_t i = 0; i < count && !drawer->reader.has_failed; i++) {
		snprintf(path, sizeof(path), "%.60s.subflows[%zu]", drawer->path, i);
		item = answer_get_item(&drawer->reader, list, i, path);
		routers = answer_get(&drawer->reader, item, path, "routers", json_type_array);
		if (!routers || !is_on(routers, way, ways, n))
			continue;
		fprintf(drawer->out, "%*ssubflow from %-5" PRIu64 "  of %08" PRIx64, indent, "",
			answer_get_number(&drawer->reader, item, path, "port"),
			answer_get_number(&drawer->reader, item, path, "token"));
		if (!way)
			put_own_way(drawer, routers, path);
		putc('\n', drawer->out);
	}
}

/* Where a path is alone there may be hundreds, and they say little then. */
static void put_ports(struct drawer *drawer, const struct way *way, int indent)
{
	struct json_object *ports;
	size_t n = answer_get_list(&drawer->reader, way->object, way->path, "ports", &ports);

	for (size_t i = 0; i < n && i < PORTS_SHOWN; i++) {
		if (i % PORTS_OF_LINE == 0)
			fprintf(drawer->out, "%s%*s%s", i ? "\n" : "", indent, "",
				i ? "     " : "ports");
		fprintf(drawer->out, " %d",
			json_object_get_int(json_object_array_get_idx(ports, i)));
	}
	if (n > PORTS_SHOWN)
		fprintf(drawer->out, " and %zu more", n - PORTS_SHOWN);
	if (n)
		putc('\n', drawer->out);
}

/* What there is to say of the way that the line of its last router has begun. */
static void put_way(
	struct drawer *drawer, struct way *way, const struct way *ways, size_t n, int indent)
{
	uint64_t load = answer_get_number(&drawer->reader, way->object, way->path, "load") +
			answer_get_number(&drawer->reader, way->object, way->path, "unsplit");
	uint64_t shunned_s =
		answer_get_number(&drawer->reader, way->object, way->path, "shunned_s");

	fprintf(drawer->out, "  path %zu  load %" PRIu64, way->number, load);
	if (shunned_s)
		fprintf(drawer->out, "  failed: avoided for %" PRIu64 " s", shunned_s);
	putc('\n', drawer->out);
	put_ports(drawer, way, indent);
	put_subflows(drawer, way, ways, n, indent);
	way->is_drawn = true;
}

static bool begins_like(const struct way *way, const struct way *other, size_t n)
{
	if (way->n_routers <= n || other->n_routers < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!json_object_equal(json_object_array_get_idx(way->routers, i),
			    json_object_array_get_idx(other->routers, i)))
			return false;
	}
	return true;
}

/* The ways that begin with the first @depth routers of @stem, from the next one on. */
static void put_branch(
	struct drawer *drawer, struct way *ways, size_t n, const struct way *stem, size_t depth)
{
	int indent = INDENT * ((int)depth + 1);
	struct way *way;

	for (way = ways; way < ways + n && !drawer->reader.has_failed; way++) {
		if (way->is_drawn || !begins_like(way, stem, depth))
			continue;
		fprintf(drawer->out, "%*s", indent, "");
		put_router(drawer, way->routers, way->path, depth);
		if (way->n_routers == depth + 1) {
			put_way(drawer, way, ways, n, indent + INDENT);
			continue;
		}
		putc('\n', drawer->out);
		put_branch(drawer, ways, n, way, depth + 1);
	}
}

static void put_ways(struct drawer *drawer)
{
	struct json_object *list;
	size_t n = answer_get_list(&drawer->reader, drawer->map, drawer->path, "ways", &list);
	struct way *ways = calloc(n + 1, sizeof(*ways)), *way;

	if (!ways)
		answer_reject(&drawer->reader, "%s", strerror(ENOMEM));
	for (size_t i = 0; i < n && !drawer->reader.has_failed; i++) {
		way = &ways[i];
		way->number = i + 1;
		snprintf(way->path, sizeof(way->path), "%.60s.ways[%zu]", drawer->path, i);
		way->object = answer_get_item(&drawer->reader, list, i, way->path);
		way->n_routers = answer_get_list(
			&drawer->reader, way->object, way->path, "routers", &way->routers);
	}
	if (!drawer->reader.has_failed) {
		put_branch(drawer, ways, n, ways, 0);
		put_subflows(drawer, NULL, ways, n, INDENT);
	}
	free(ways);
}

static void put_age(struct drawer *drawer, const char *what, const char *key)
{
	if (!answer_is_null(drawer->map, key))
		fprintf(drawer->out, ", %s %" PRIu64 " s ago", what, number_of(drawer, key));
}

static void put_map(struct drawer *drawer)
{
	const char *state = answer_get_text(&drawer->reader, drawer->map, drawer->path, "state");
	struct json_object *ways, *missed;
	size_t n = answer_get_list(&drawer->reader, drawer->map, drawer->path, "ways", &ways);

	put(drawer, "namespace");
	fputs(": ", drawer->out);
	put(drawer, "local");
	fputs(" to ", drawer->out);
	put(drawer, "remote");
	if (!strcmp(state, "silent")) {
		fputs(": not known: ", drawer->out);
		put(drawer, "reason");
		putc('\n', drawer->out);
		return;
	}
	missed = answer_get(&drawer->reader, drawer->map, drawer->path, "missed", json_type_double);
	fprintf(drawer->out, ": %zu path%s%s\n", n, n == 1 ? "" : "s",
		!strcmp(state, "known") ? "" : " so far");
	fprintf(drawer->out,
		"  %" PRIu64 " flows seen, one more path missed with a probability of %.2g",
		number_of(drawer, "flows"), missed ? json_object_get_double(missed) : 1);
	fprintf(drawer->out, "; %" PRIu64 " hops, %" PRIu64 " probes", number_of(drawer, "hops"),
		number_of(drawer, "probes"));
	put_age(drawer, "learned", "age_s");
	put_age(drawer, "confirmed", "confirmed_s");
	putc('\n', drawer->out);
	put_ways(drawer);
}

int ways_write(struct json_object *root, char **ret_text, char *ret_why, size_t why_size)
{
	struct drawer drawer = {.reader = {.why = ret_why, .why_size = why_size}};
	struct json_object *list;
	struct page page;
	size_t n;

	if (page_open(&page, &drawer.reader))
		return -ENOMEM;
	drawer.out = page.out;
	n = answer_get_list(&drawer.reader, root, "", "paths", &list);
	for (size_t i = 0; i < n && !drawer.reader.has_failed; i++) {
		snprintf(drawer.path, sizeof(drawer.path), "paths[%zu]", i);
		drawer.map = answer_get_item(&drawer.reader, list, i, drawer.path);
		if (drawer.map)
			put_map(&drawer);
	}
	return page_close(&page, &drawer.reader, ret_text);
}
