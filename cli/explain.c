/* SPDX-License-Identifier: MIT */
/* subflow explain: why a connection has the subflows that it has. */
#include "cli.h"
#include "control.h"
#include "question.h"
#include "story.h"

#include <stdlib.h>

static int explain(struct json_object *root)
{
	char why[512] = "out of memory", *text;

	if (story_write(root, &text, why, sizeof(why)))
		return question_fail(&explain_verb, why);
	fputs(text, stdout);
	free(text);
	return cli_finish(&explain_verb, 0);
}

static int explain_main(int argc, char **argv)
{
	struct question question;
	struct json_object *root;
	int status = question_parse(&explain_verb, argc, argv, &question);

	if (status != QUESTION_OK)
		return status;
	if (!question.connection || question.is_json) {
		fputs("subflow explain: name a connection; it is told in sentences, and `subflow "
		      "status` has the JSON\n",
			stderr);
		question_done(&question);
		return cli_misused(&explain_verb);
	}
	status = question_ask(&explain_verb, &question, &root);
	if (!status) {
		status = explain(root);
		json_object_put(root);
	}
	question_done(&question);
	return status;
}

const struct verb explain_verb = {
	.name = "explain",
	.summary = "why a connection has the subflows that it has",
	.help = "Usage: subflow explain CONN [--socket PATH] [--timeout SECONDS]\n\n"
		"Says in sentences why the connection has its subflows, or none, and when it will\n"
		"get more. CONN is a token in hex or NAMESPACE/TOKEN, as `subflow status` shows "
		"it.\n\n"
		"  --socket PATH      the daemon's control socket (SUBFLOW_SOCKET; else\n"
		"                     " CONTROL_SOCKET_DEFAULT ")\n"
		"  --timeout SECONDS  how long to wait for the daemon (5)\n\n"
		"Exit status: 0; 1 no answer or no such connection; 2 wrong usage.\n",
	.run = explain_main,
	.usage_status = 2,
};
