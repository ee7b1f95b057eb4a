/* SPDX-License-Identifier: MIT */
/* What an operator has the daemon do: a line sent, and what came of it said. */
#include "errand.h"

#include "answer.h"
#include "control.h"
#include "question.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 512 /* the daemon takes no more */

/* A line that is too long, or would be more than one, is none. */
static int write_line(const struct verb *verb, const struct question *question, char *ret_line)
{
	size_t len = (size_t)snprintf(ret_line, LINE_MAX_BYTES, "%s", verb->name);

	for (int i = 0; i < question->n_words && len < LINE_MAX_BYTES; i++) {
		if (strchr(question->words[i], '\n'))
			return -EINVAL;
		len += (size_t)snprintf(
			ret_line + len, LINE_MAX_BYTES - len, " %s", question->words[i]);
	}
	if (len + 2 > LINE_MAX_BYTES)
		return -EMSGSIZE;
	strcpy(ret_line + len, "\n");
	return 0;
}

static int show(const struct verb *verb, const char *text, size_t len)
{
	struct answer_reader reader;
	struct json_object *root;
	char why[512] = "out of memory";
	const char *done;

	if (answer_parse(text, len, &root, why, sizeof(why)))
		return question_fail(verb, why);
	reader = (struct answer_reader){.why = why, .why_size = sizeof(why)};
	done = answer_get_text(&reader, root, "", "done");
	if (!reader.has_failed) {
		report_put_text(stdout, done, 0);
		putchar('\n');
	}
	json_object_put(root);
	return reader.has_failed ? question_fail(verb, why) : cli_finish(verb, 0);
}

static int ask(const struct verb *verb, const struct question *question)
{
	char line[LINE_MAX_BYTES], why[512], *answer;
	size_t len;
	int r;

	r = write_line(verb, question, line);
	if (r < 0)
		return question_fail(verb, r == -EMSGSIZE ? "the request is too long"
							  : "a newline is no part of a request");
	r = control_ask(question->socket, line, question->timeout_ms, &answer, &len);
	if (r < 0) {
		control_explain(r, question->socket, question->timeout_ms, why, sizeof(why));
		return question_fail(verb, why);
	}
	r = show(verb, answer, len);
	free(answer);
	return r;
}

int errand_run(const struct verb *verb, int argc, char **argv, int least, int most)
{
	struct question question;
	int status = question_parse_words(verb, argc, argv, &question);

	if (status != QUESTION_OK)
		return status;
	if (question.n_words < least || question.n_words > most || question.is_json) {
		fprintf(stderr, "subflow %s: %s\n", verb->name,
			question.is_json           ? "there is no --json"
			: question.n_words < least ? "that is not all it takes"
						   : "that is more than it takes");
		return cli_misused(verb);
	}
	return ask(verb, &question);
}
