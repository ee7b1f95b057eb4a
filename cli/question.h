/* SPDX-License-Identifier: MIT */
/* A verb's question to the daemon: which connections, of which daemon, for how long. */
#ifndef QUESTION_H
#define QUESTION_H

#include "answer.h"
#include "cli.h"

#include <stdbool.h>

struct question {
	const char *socket;
	const char *connection; /* as it was named; NULL = all */
	struct answer_filter filter;
	bool is_json;
	bool is_graph; /* of a verb that has_graph */
	int timeout_ms;
	/* All words that are no options. */
	char **words;
	int n_words;
};

/* What question_parse() returns when the verb is to go on. */
#define QUESTION_OK (-1)

/*
 * Reads --socket, --timeout, --json, --help and CONN. QUESTION_OK, and question_done() is due;
 * or the verb's exit status.
 */
int question_parse(const struct verb *verb, int argc, char **argv, struct question *ret_question);
/* The same without CONN: whatever words there are. Nothing is to be put away. */
int question_parse_words(
	const struct verb *verb, int argc, char **argv, struct question *ret_question);
void question_done(struct question *question);

/*
 * Asks for the daemon's status, or for that of the connection that is meant alone; *@ret_root is
 * the caller's. 0, or 1 after the reason was printed.
 */
int question_ask(
	const struct verb *verb, const struct question *question, struct json_object **ret_root);

/* Sends the line @request instead, and leaves its answer whole. */
int question_send(const struct verb *verb, const struct question *question, const char *request,
	struct json_object **ret_root);

/* Prints why the verb failed; 1, its exit status. */
int question_fail(const struct verb *verb, const char *why);

#endif
