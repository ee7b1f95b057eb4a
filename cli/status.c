/* SPDX-License-Identifier: MIT */
/* subflow status: what the daemon knows and what it decided. */
#include "cli.h"
#include "control.h"
#include "question.h"
#include "report.h"

#include <stdlib.h>

static int show(struct json_object *root, const struct question *question)
{
	char why[512] = "out of memory", *text = NULL;
	int r;

	if (question->is_json) {
		puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
								  JSON_C_TO_STRING_SPACED |
								  JSON_C_TO_STRING_NOSLASHESCAPE));
		return cli_finish(&status_verb, 0);
	}
	r = report_write(root, question->connection, &text, why, sizeof(why));
	if (r < 0)
		return question_fail(&status_verb, why);
	fputs(text, stdout);
	free(text);
	return cli_finish(&status_verb, 0);
}

static int status_main(int argc, char **argv)
{
	struct question question;
	struct json_object *root;
	int status = question_parse(&status_verb, argc, argv, &question);

	if (status != QUESTION_OK)
		return status;
	status = question_ask(&status_verb, &question, &root);
	if (!status) {
		status = show(root, &question);
		json_object_put(root);
	}
	question_done(&question);
	return status;
}

const struct verb status_verb = {
	.name = "status",
	.summary = "what subflowd knows, and what it decided and why",
	.help = "Usage: subflow status [CONN] [--json] [--socket PATH] [--timeout SECONDS]\n\n"
		"Shows the daemon, the namespaces that it serves, and every MPTCP connection in\n"
		"them with its subflows and the last decision. CONN, a token in hex or\n"
		"NAMESPACE/TOKEN, shows only that connection.\n\n"
		"  --json             the daemon's answer itself, as JSON\n"
		"  --socket PATH      the daemon's control socket (SUBFLOW_SOCKET; else\n"
		"                     " CONTROL_SOCKET_DEFAULT ")\n"
		"  --timeout SECONDS  how long to wait for the daemon (5)\n\n"
		"Exit status: 0; 1 no answer or no such connection; 2 wrong usage.\n",
	.run = status_main,
	.usage_status = 2,
};
