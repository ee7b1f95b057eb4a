/* SPDX-License-Identifier: MIT */
/* subflow paths: which ways there are to a destination, and who takes them. */
#include "cli.h"
#include "control.h"
#include "graph.h"
#include "question.h"
#include "ways.h"

#include <stdlib.h>

static int show(struct json_object *root, const struct question *question)
{
	char why[512] = "out of memory", *text;
	int err;

	if (question->is_json) {
		puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
								  JSON_C_TO_STRING_SPACED |
								  JSON_C_TO_STRING_NOSLASHESCAPE));
		return cli_finish(&paths_verb, 0);
	}
	err = question->is_graph ? graph_write(root, &text, why, sizeof(why))
				 : ways_write(root, &text, why, sizeof(why));
	if (err)
		return question_fail(&paths_verb, why);
	fputs(text, stdout);
	free(text);
	return cli_finish(&paths_verb, 0);
}

static int ask(const struct question *question, const struct ways_filter *filter)
{
	char why[512] = "out of memory";
	struct json_object *root;
	int status = question_send(&paths_verb, question, "paths\n", &root);

	if (status)
		return status;
	if (ways_select(root, filter, why, sizeof(why)))
		status = question_fail(&paths_verb, why);
	else
		status = show(root, question);
	json_object_put(root);
	return status;
}

static int paths_main(int argc, char **argv)
{
	struct ways_filter filter;
	struct question question;
	int status = question_parse_words(&paths_verb, argc, argv, &question);

	if (status != QUESTION_OK)
		return status;
	if (question.is_json && question.is_graph) {
		fputs("subflow paths: --json or --dot, not both\n", stderr);
		return cli_misused(&paths_verb);
	}
	if (question.n_words > 1) {
		fputs("subflow paths: one destination or connection at most\n", stderr);
		return cli_misused(&paths_verb);
	}
	if (ways_filter_init(&filter, question.words[0])) {
		fprintf(stderr,
			"subflow paths: \"%s\" is neither a destination (ADDRESS, ADDRESS:PORT, "
			"[ADDRESS6]:PORT) nor a connection (a token in hex, or NAMESPACE/TOKEN)\n",
			question.words[0]);
		return 1;
	}
	status = ask(&question, &filter);
	answer_filter_done(&filter.filter);
	return status;
}

const struct verb paths_verb = {
	.name = "paths",
	.summary = "which paths there are to a destination, and who takes them",
	.help = "Usage: subflow paths [ADDRESS[:PORT] | CONN] [--json | --dot]\n"
		"                     [--socket PATH] [--timeout SECONDS]\n\n"
		"Shows what subflowd knows of the paths to a destination: the routers of each, "
		"how\n"
		"many subflows of this host take it and which, how many ports are known that lead\n"
		"there, and how sure it is that there are no more. Without a name, all\n"
		"destinations; with CONN, a token in hex or NAMESPACE/TOKEN, those of that\n"
		"connection. It only shows: nothing is sent into the network. For root and the\n"
		"group of [control] group.\n\n"
		"  --json             the daemon's answer itself, as JSON\n"
		"  --dot              a graph for Graphviz: subflow paths --dot | dot -Tsvg\n"
		"  --socket PATH      the daemon's control socket (SUBFLOW_SOCKET; else\n"
		"                     " CONTROL_SOCKET_DEFAULT ")\n"
		"  --timeout SECONDS  how long to wait for the daemon (5)\n\n"
		"Exit status: 0; 1 no answer or nothing known; 2 wrong usage.\n",
	.run = paths_main,
	.usage_status = 2,
	.has_graph = true,
};
