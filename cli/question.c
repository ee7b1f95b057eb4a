/* SPDX-License-Identifier: MIT */
/* A verb's question to the daemon. */
#include "question.h"

#include "control.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>

int question_fail(const struct verb *verb, const char *why)
{
	fprintf(stderr, "subflow %s: %s\n", verb->name, why);
	return 1;
}

static int parse_timeout(const char *text, int *ret_ms)
{
	char *end;
	double seconds;

	errno = 0;
	seconds = strtod(text, &end);
	if (errno || end == text || *end || !(seconds >= .001 && seconds <= 3600))
		return -EINVAL;
	*ret_ms = (int)(seconds * 1e3);
	return 0;
}

int question_send(const struct verb *verb, const struct question *question, const char *request,
	struct json_object **ret_root)
{
	char why[512] = "out of memory", *answer;
	size_t len;
	int r;

	r = control_ask(question->socket, request, question->timeout_ms, &answer, &len);
	if (r < 0) {
		control_explain(r, question->socket, question->timeout_ms, why, sizeof(why));
		return question_fail(verb, why);
	}
	r = answer_parse(answer, len, ret_root, why, sizeof(why));
	free(answer);
	return r ? question_fail(verb, why) : 0;
}

int question_ask(
	const struct verb *verb, const struct question *question, struct json_object **ret_root)
{
	const struct answer_filter *filter = &question->filter;
	char request[ANSWER_NAME_MAX + 32] = "status\n", why[512] = "out of memory";
	struct json_object *root;
	int status;

	if (filter->is_set)
		snprintf(request, sizeof(request), "status %s%s%08" PRIx32 "\n",
			filter->namespace_name ? filter->namespace_name : "",
			filter->namespace_name ? "/" : "", filter->token);
	status = question_send(verb, question, request, &root);
	if (status)
		return status;
	if (!answer_select(root, filter, why, sizeof(why))) {
		*ret_root = root;
		return 0;
	}
	json_object_put(root);
	return question_fail(verb, why);
}

int question_parse_words(
	const struct verb *verb, int argc, char **argv, struct question *ret_question)
{
	static const struct option long_options[] = {
		{"dot", no_argument, NULL, 'd'}, /* first: for few verbs */
		{"json", no_argument, NULL, 'j'},
		{"socket", required_argument, NULL, 's'},
		{"timeout", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct question question = {.timeout_ms = CONTROL_TIMEOUT_MS};
	int c;

	while ((c = getopt_long(argc, argv, "hj", long_options + !verb->has_graph, NULL)) != -1) {
		switch (c) {
		case 'd':
			question.is_graph = true;
			break;
		case 'j':
			question.is_json = true;
			break;
		case 's':
			question.socket = optarg;
			break;
		case 't':
			if (parse_timeout(optarg, &question.timeout_ms) < 0) {
				fprintf(stderr,
					"subflow %s: --timeout is seconds, from .001 to "
					"3600, not \"%s\"\n",
					verb->name, optarg);
				return cli_misused(verb);
			}
			break;
		case 'h':
			return cli_help(verb);
		default:
			return cli_misused(verb);
		}
	}
	question.socket = control_path(question.socket);
	question.words = argv + optind;
	question.n_words = argc - optind;
	*ret_question = question;
	return QUESTION_OK;
}

int question_parse(const struct verb *verb, int argc, char **argv, struct question *ret_question)
{
	struct question question;
	int status = question_parse_words(verb, argc, argv, &question);

	if (status != QUESTION_OK)
		return status;
	if (question.n_words > 1) {
		fprintf(stderr, "subflow %s: one connection at most\n", verb->name);
		return cli_misused(verb);
	}
	question.connection = question.words[0];
	if (question.connection && answer_filter_init(&question.filter, question.connection) < 0) {
		fprintf(stderr,
			"subflow %s: \"%s\" names no connection: a token in hex (1 to 8 "
			"digits), "
			"or NAMESPACE/TOKEN\n",
			verb->name, question.connection);
		return 1;
	}
	*ret_question = question;
	return QUESTION_OK;
}

void question_done(struct question *question)
{
	answer_filter_done(&question->filter);
}
