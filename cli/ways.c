/* SPDX-License-Identifier: MIT */
/* The daemon's path maps, chosen and drawn for people. */
#include "ways.h"

#include "page.h"
#include "report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATH_SIZE 96

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

static void put_routers(struct drawer *drawer, struct json_object *object, const char *path)
{
	struct json_object *list, *item;
	size_t n = answer_get_list(&drawer->reader, object, path, "routers", &list);

	for (size_t i = 0; i < n && !drawer->reader.has_failed; i++) {
		item = json_object_array_get_idx(list, i);
		if (!json_object_is_type(item, json_type_string)) {
			answer_reject(&drawer->reader, "%s.routers[%zu] is no text", path, i);
			return;
		}
		fputs(i ? " > " : "", drawer->out);
		report_put_text(drawer->out, json_object_get_string(item), 0);
	}
}

/* Subflows whose routers are those of @way; of NULL, those of which they are not known. */
static void put_subflows(struct drawer *drawer, struct json_object *way)
{
	struct json_object *list, *item, *routers, *own = NULL;
	char path[PATH_SIZE + 32];
	size_t n = answer_get_list(&drawer->reader, drawer->map, drawer->path, "subflows", &list);

	if (way)
		json_object_object_get_ex(way, "routers", &own);
	for (size_t i = 0; i < n && !drawer->reader.has_failed; i++) {
		snprintf(path, sizeof(path), "%.60s.subflows[%zu]", drawer->path, i);
		item = answer_get_item(&drawer->reader, list, i, path);
		routers = answer_get(&drawer->reader, item, path, "routers", json_type_array);
		if (!routers || (own ? !json_object_equal(routers, own)
				     : json_object_array_length(routers) > 0))
			continue;
		fprintf(drawer->out, "           port %-5" PRIu64 "  of %08" PRIx64 "%s\n",
			answer_get_number(&drawer->reader, item, path, "port"),
			answer_get_number(&drawer->reader, item, path, "token"),
			own ? "" : "  path not known");
	}
}

static void put_ways(struct drawer *drawer)
{
	struct json_object *list, *way, *ports;
	char path[PATH_SIZE + 32];
	size_t n = answer_get_list(&drawer->reader, drawer->map, drawer->path, "ways", &list), of;
	uint64_t load, unsplit, shunned_s;

	for (size_t i = 0; i < n && !drawer->reader.has_failed; i++) {
		snprintf(path, sizeof(path), "%.60s.ways[%zu]", drawer->path, i);
		way = answer_get_item(&drawer->reader, list, i, path);
		fprintf(drawer->out, "  path %-3zu ", i + 1);
		put_routers(drawer, way, path);
		load = answer_get_number(&drawer->reader, way, path, "load");
		unsplit = answer_get_number(&drawer->reader, way, path, "unsplit");
		shunned_s = answer_get_number(&drawer->reader, way, path, "shunned_s");
		of = answer_get_list(&drawer->reader, way, path, "ports", &ports);
		fprintf(drawer->out, "  load %" PRIu64, load + unsplit);
		fprintf(drawer->out, "  %zu port%s", of, of == 1 ? "" : "s");
		if (shunned_s)
			fprintf(drawer->out, "  failed: avoided for %" PRIu64 " s", shunned_s);
		putc('\n', drawer->out);
		put_subflows(drawer, way);
	}
	put_subflows(drawer, NULL);
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
