/* SPDX-License-Identifier: MIT */
/* The daemon's path maps as a graph in the language of Graphviz. */
#include "graph.h"

#include "page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#define PATH_SIZE   96
#define PORTS_SHOWN 8
#define WIDTH_MOST  8

struct drawer {
	struct answer_reader reader;
	FILE *out;
	struct json_object *map;
	char path[PATH_SIZE]; /* of the map */
	size_t number;        /* of the map: names are one map's */
	struct json_object *drawn;
};

/* Inside quotes; a name of the daemon's may hold anything. */
static void put_quoted(struct drawer *drawer, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', drawer->out);
		putc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, drawer->out);
	}
}

static void put(struct drawer *drawer, const char *key)
{
	put_quoted(
		drawer, answer_get_text_or(&drawer->reader, drawer->map, drawer->path, key, "?"));
}

static void put_node(struct drawer *drawer, const char *name)
{
	fprintf(drawer->out, "\"%zu ", drawer->number);
	put_quoted(drawer, name);
	putc('"', drawer->out);
}

/* False the second time: ways have routers in common. */
static bool is_first(struct drawer *drawer, const char *from, const char *to)
{
	char *key;
	bool is_first;

	if (asprintf(&key, "%s > %s", from, to) < 0)
		return true;
	is_first = !json_object_object_get_ex(drawer->drawn, key, NULL);
	if (is_first)
		json_object_object_add(drawer->drawn, key, json_object_new_boolean(true));
	free(key);
	return is_first;
}

static void put_link(struct drawer *drawer, const char *from, const char *to)
{
	if (!is_first(drawer, from, to))
		return;
	fputs("\t\t", drawer->out);
	put_node(drawer, from);
	fputs(" -> ", drawer->out);
	put_node(drawer, to);
	fputs(";\n", drawer->out);
}

/* Routers are known by their addresses; the label of a node is that alone. */
static void put_router(struct drawer *drawer, const char *name)
{
	if (!is_first(drawer, name, ""))
		return;
	fputs("\t\t", drawer->out);
	put_node(drawer, name);
	fputs(" [label=\"", drawer->out);
	put_quoted(drawer, name);
	fputs("\"];\n", drawer->out);
}

/* The subflows whose routers are those of @way. */
static void put_subflows(struct drawer *drawer, struct json_object *way)
{
	struct json_object *list, *item, *routers, *own = NULL;
	char path[PATH_SIZE + 32];
	size_t n = answer_get_list(&drawer->reader, drawer->map, drawer->path, "subflows", &list);

	json_object_object_get_ex(way, "routers", &own);
	for (size_t i = 0; i < n && !drawer->reader.has_failed; i++) {
		snprintf(path, sizeof(path), "%.60s.subflows[%zu]", drawer->path, i);
		item = answer_get_item(&drawer->reader, list, i, path);
		routers = answer_get(&drawer->reader, item, path, "routers", json_type_array);
		if (!routers || !json_object_equal(routers, own))
			continue;
		fprintf(drawer->out, "\\nport %" PRIu64 " of %08" PRIx64,
			answer_get_number(&drawer->reader, item, path, "port"),
			answer_get_number(&drawer->reader, item, path, "token"));
	}
}

static void put_ports(struct drawer *drawer, struct json_object *ports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(drawer->out, "%s%d", i ? " " : "",
			json_object_get_int(json_object_array_get_idx(ports, i)));
}

/* From the router that tells the path apart: beyond it nothing is known, nor left to choose. */
static void put_path(struct drawer *drawer, struct json_object *way, const char *path,
	size_t number, const char *last)
{
	uint64_t load = answer_get_number(&drawer->reader, way, path, "load") +
			answer_get_number(&drawer->reader, way, path, "unsplit");
	uint64_t shunned_s = answer_get_number(&drawer->reader, way, path, "shunned_s");
	struct json_object *ports;
	size_t n = answer_get_list(&drawer->reader, way, path, "ports", &ports);

	fputs("\t\t", drawer->out);
	put_node(drawer, last);
	fputs(" -> ", drawer->out);
	put_node(drawer, "remote");
	fprintf(drawer->out, " [label=\"path %zu: load %" PRIu64 "\\n%zu port%s: ", number, load, n,
		n == 1 ? "" : "s");
	put_ports(drawer, ports, MIN(n, PORTS_SHOWN));
	fputs(n > PORTS_SHOWN ? " ..." : "", drawer->out);
	if (shunned_s)
		fprintf(drawer->out, "\\nfailed: avoided for %" PRIu64 " s", shunned_s);
	put_subflows(drawer, way);
	fputs("\", edgetooltip=\"", drawer->out);
	put_ports(drawer, ports, n);
	fprintf(drawer->out, "\", penwidth=%" PRIu64 ", style=%s%s];\n", MIN(1 + load, WIDTH_MOST),
		load ? "solid" : "dashed", shunned_s ? ", color=red" : "");
}

static void put_way(struct drawer *drawer, struct json_object *way, const char *path, size_t number)
{
	struct json_object *list, *item;
	size_t n = answer_get_list(&drawer->reader, way, path, "routers", &list);
	const char *from = "local", *to;

	for (size_t i = 0; i < n && !drawer->reader.has_failed; i++) {
		item = json_object_array_get_idx(list, i);
		if (!json_object_is_type(item, json_type_string)) {
			answer_reject(&drawer->reader, "%s.routers[%zu] is no text", path, i);
			return;
		}
		to = json_object_get_string(item);
		put_router(drawer, to);
		put_link(drawer, from, to);
		from = to;
	}
	put_path(drawer, way, path, number, from);
}

static void put_end(struct drawer *drawer, const char *name)
{
	fputs("\t\t", drawer->out);
	put_node(drawer, name);
	fputs(" [shape=ellipse, label=\"", drawer->out);
	put(drawer, name);
	fputs("\"];\n", drawer->out);
}

static void put_map(struct drawer *drawer)
{
	const char *state = answer_get_text(&drawer->reader, drawer->map, drawer->path, "state");
	struct json_object *ways, *way;
	char path[PATH_SIZE + 32];
	size_t n = answer_get_list(&drawer->reader, drawer->map, drawer->path, "ways", &ways);

	fprintf(drawer->out, "\tsubgraph cluster_%zu {\n\t\tlabel=\"", drawer->number);
	put(drawer, "namespace");
	fputs(": ", drawer->out);
	put(drawer, "local");
	fputs(" to ", drawer->out);
	put(drawer, "remote");
	if (!strcmp(state, "silent")) {
		fputs("\\nnot known: ", drawer->out);
		put(drawer, "reason");
	}
	fputs("\";\n", drawer->out);
	put_end(drawer, "local");
	put_end(drawer, "remote");
	for (size_t i = 0; i < n && !drawer->reader.has_failed; i++) {
		snprintf(path, sizeof(path), "%.60s.ways[%zu]", drawer->path, i);
		way = answer_get_item(&drawer->reader, ways, i, path);
		if (way)
			put_way(drawer, way, path, i + 1);
	}
	fputs("\t}\n", drawer->out);
}

static void put_maps(struct drawer *drawer, struct json_object *root)
{
	struct json_object *list;
	size_t n = answer_get_list(&drawer->reader, root, "", "paths", &list);

	fputs("digraph paths {\n\trankdir=LR;\n\tnode [shape=box];\n", drawer->out);
	for (size_t i = 0; i < n && !drawer->reader.has_failed; i++) {
		snprintf(drawer->path, sizeof(drawer->path), "paths[%zu]", i);
		drawer->map = answer_get_item(&drawer->reader, list, i, drawer->path);
		drawer->number = i;
		drawer->drawn = json_object_new_object();
		if (drawer->map)
			put_map(drawer);
		json_object_put(drawer->drawn);
	}
	fputs("}\n", drawer->out);
}

int graph_write(struct json_object *root, char **ret_text, char *ret_why, size_t why_size)
{
	struct drawer drawer = {.reader = {.why = ret_why, .why_size = why_size}};
	struct page page;

	if (page_open(&page, &drawer.reader))
		return -ENOMEM;
	drawer.out = page.out;
	put_maps(&drawer, root);
	return page_close(&page, &drawer.reader, ret_text);
}
