/* SPDX-License-Identifier: MIT */
/* subflow watch: what happens, as it happens. */
#include "cli.h"
#include "control.h"
#include "event.h"
#include "question.h"

#include <stdlib.h>
#include <string.h>

/* What control_watch() calls for each line; not 0 ends the watch. */
static int show(void *arg, const char *line, size_t len)
{
	const struct question *question = arg;
	char why[512] = "out of memory", *text = NULL;
	struct json_object *event;
	int r = answer_parse(line, len, &event, why, sizeof(why));

	if (r < 0)
		return question_fail(&watch_verb, why);
	if (event_is_meant(event, &question->filter)) {
		if (question->is_json)
			fputs(line, stdout);
		else
			r = event_write(event, &text, why, sizeof(why));
		if (text)
			fputs(text, stdout);
		free(text);
	}
	json_object_put(event);
	if (r < 0)
		return question_fail(&watch_verb, why);
	return cli_finish(&watch_verb, 0);
}

static int watch_main(int argc, char **argv)
{
	struct question question;
	char why[512];
	int status = question_parse(&watch_verb, argc, argv, &question), r;

	if (status != QUESTION_OK)
		return status;
	r = control_watch(question.socket, "watch\n", question.timeout_ms, show, &question);
	if (r < 0) {
		control_explain(r, question.socket, question.timeout_ms, why, sizeof(why));
		r = question_fail(&watch_verb, why);
	}
	question_done(&question);
	return r;
}

const struct verb watch_verb = {
	.name = "watch",
	.summary = "what happens to connections, as it happens",
	.help = "Usage: subflow watch [CONN] [--json] [--socket PATH] [--timeout SECONDS]\n\n"
		"Prints one line for each event, until it is interrupted: connections that come\n"
		"and go, thresholds, subflows asked for, up, refused, repaired and closed, and\n"
		"namespaces. CONN, a token in hex or NAMESPACE/TOKEN, shows only that "
		"connection.\n\n"
		"  --json             the daemon's lines themselves, as JSON\n"
		"  --socket PATH      the daemon's control socket (SUBFLOW_SOCKET; else\n"
		"                     " CONTROL_SOCKET_DEFAULT ")\n"
		"  --timeout SECONDS  how long to wait for the daemon at first (5)\n\n"
		"Exit status: 1 no answer, or the daemon has ended; 2 wrong usage.\n",
	.run = watch_main,
	.usage_status = 2,
};
