/* SPDX-License-Identifier: MIT */
/* Path maps of the daemon's answer as a graph. */
#include "graph.h"

#include "answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char answer[] =
	"{\"paths\": [{\"namespace\": \"a\\\"b\\u001b\", \"local\": \"10.0.1.1\","
	" \"remote\": \"10.0.2.1:7000\", \"state\": \"known\", \"reason\": null,"
	" \"ways\": [{\"routers\": [\"10.0.1.2\", \"10.0.3.2\"], \"load\": 1, \"unsplit\": 1,"
	" \"shunned_s\": 0, \"ports\": [40001]},"
	" {\"routers\": [\"10.0.1.2\", \"10.0.4.2\"], \"load\": 0, \"unsplit\": 0,"
	" \"shunned_s\": 7, \"ports\": [1, 2, 3, 4, 5, 6, 7, 8, 9]}],"
	" \"subflows\": [{\"token\": 11, \"port\": 40001, \"asked_by\": null,"
	" \"routers\": [\"10.0.1.2\", \"10.0.3.2\"]},"
	" {\"token\": 12, \"port\": 40009, \"asked_by\": \"elephant\", \"routers\": []}]},"
	" {\"namespace\": \"own\", \"local\": \"fd00::1\", \"remote\": \"[fd00::2]:80\","
	" \"state\": \"silent\", \"reason\": \"no router on the way answers\","
	" \"ways\": [], \"subflows\": []}]}";

static const char graph[] =
	"digraph paths {\n"
	"\trankdir=LR;\n"
	"\tnode [shape=box];\n"
	"\tsubgraph cluster_0 {\n"
	"\t\tlabel=\"a\\\"b?: 10.0.1.1 to 10.0.2.1:7000\";\n"
	"\t\t\"0 local\" [shape=ellipse, label=\"10.0.1.1\"];\n"
	"\t\t\"0 remote\" [shape=ellipse, label=\"10.0.2.1:7000\"];\n"
	"\t\t\"0 10.0.1.2\" [label=\"10.0.1.2\"];\n"
	"\t\t\"0 local\" -> \"0 10.0.1.2\";\n"
	"\t\t\"0 10.0.3.2\" [label=\"10.0.3.2\"];\n"
	"\t\t\"0 10.0.1.2\" -> \"0 10.0.3.2\";\n"
	"\t\t\"0 10.0.3.2\" -> \"0 remote\" [label=\"path 1: load 2\\n1 port: 40001"
	"\\nport 40001 of 0000000b\", edgetooltip=\"40001\", penwidth=3, style=solid];\n"
	"\t\t\"0 10.0.4.2\" [label=\"10.0.4.2\"];\n"
	"\t\t\"0 10.0.1.2\" -> \"0 10.0.4.2\";\n"
	"\t\t\"0 10.0.4.2\" -> \"0 remote\" [label=\"path 2: load 0\\n9 ports: 1 2 3 4 5 6 7 8 ..."
	"\\nfailed: avoided for 7 s\", edgetooltip=\"1 2 3 4 5 6 7 8 9\", penwidth=1, "
	"style=dashed, color=red];\n"
	"\t}\n"
	"\tsubgraph cluster_1 {\n"
	"\t\tlabel=\"own: fd00::1 to [fd00::2]:80\\nnot known: no router on the way answers\";\n"
	"\t\t\"1 local\" [shape=ellipse, label=\"fd00::1\"];\n"
	"\t\t\"1 remote\" [shape=ellipse, label=\"[fd00::2]:80\"];\n"
	"\t}\n"
	"}\n";

static struct json_object *parsed(void)
{
	struct json_object *root;
	char why[256];

	assert_int_equal(answer_parse(answer, strlen(answer), &root, why, sizeof(why)), 0);
	return root;
}

static void draws_routers_once_and_each_path_with_its_ports_and_load(void **state)
{
	struct json_object *root = parsed();
	char why[256] = "", *text;

	(void)state;
	if (graph_write(root, &text, why, sizeof(why)))
		fail_msg("%s", why);
	assert_string_equal(text, graph);
	free(text);
	json_object_put(root);
}

static void what_is_missing_or_mistyped_is_named(void **state)
{
	struct json_object *root = parsed(), *list, *map, *ways, *way;
	char why[256] = "", *text = NULL;

	(void)state;
	json_object_object_get_ex(root, "paths", &list);
	map = json_object_array_get_idx(list, 0);
	json_object_object_get_ex(map, "ways", &ways);
	way = json_object_array_get_idx(ways, 1);
	json_object_object_add(way, "load", json_object_new_string("heavy"));
	assert_int_equal(graph_write(root, &text, why, sizeof(why)), -EBADMSG);
	assert_non_null(strstr(why, "paths[0].ways[1].load"));
	json_object_object_add(way, "routers", json_object_new_int(1));
	assert_int_equal(graph_write(root, &text, why, sizeof(why)), -EBADMSG);
	assert_non_null(strstr(why, "paths[0].ways[1].routers"));
	json_object_object_del(root, "paths");
	assert_int_equal(graph_write(root, &text, why, sizeof(why)), -EBADMSG);
	assert_null(text);
	json_object_put(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(draws_routers_once_and_each_path_with_its_ports_and_load),
		cmocka_unit_test(what_is_missing_or_mistyped_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
