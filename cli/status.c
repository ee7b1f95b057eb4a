/* SPDX-License-Identifier: MIT */
/* subflow status: what the daemon knows and what it decided. */
#include "answer.h"
#include "cli.h"
#include "control.h"
#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

struct options {
	const char *socket;
	const char *connection;
	bool is_json;
	int timeout_ms;
};

static int fail(const char *why)
{
	fprintf(stderr, "subflow status: %s\n", why);
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

static int show(struct json_object *root, const struct options *opt)
{
	char why[512] = "out of memory", *text = NULL;
	int r;

	if (opt->is_json) {
		puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
								  JSON_C_TO_STRING_SPACED |
								  JSON_C_TO_STRING_NOSLASHESCAPE));
		return cli_finish(&status_verb, 0);
	}
	r = report_write(root, opt->connection, &text, why, sizeof(why));
	if (r < 0)
		return fail(why);
	fputs(text, stdout);
	free(text);
	return cli_finish(&status_verb, 0);
}

static int ask_and_show(const struct options *opt, const struct answer_filter *filter)
{
	struct json_object *root = NULL;
	char why[512] = "out of memory", *answer;
	size_t len;
	int r;

	r = control_ask(opt->socket, "status\n", opt->timeout_ms, &answer, &len);
	if (r < 0) {
		control_explain(r, opt->socket, opt->timeout_ms, why, sizeof(why));
		return fail(why);
	}
	r = answer_parse(answer, len, &root, why, sizeof(why));
	free(answer);
	if (r == 0)
		r = answer_select(root, filter, why, sizeof(why));
	r = r < 0 ? fail(why) : show(root, opt);
	json_object_put(root);
	return r;
}

static int status_main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"json", no_argument, NULL, 'j'},
		{"socket", required_argument, NULL, 's'},
		{"timeout", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct options opt = {.timeout_ms = CONTROL_TIMEOUT_MS};
	struct answer_filter filter = {0};
	int c, r;

	while ((c = getopt_long(argc, argv, "hj", long_options, NULL)) != -1) {
		switch (c) {
		case 'j':
			opt.is_json = true;
			break;
		case 's':
			opt.socket = optarg;
			break;
		case 't':
			if (parse_timeout(optarg, &opt.timeout_ms) < 0) {
				fprintf(stderr,
					"subflow status: --timeout is seconds, from .001 to "
					"3600, not \"%s\"\n",
					optarg);
				return cli_misused(&status_verb);
			}
			break;
		case 'h':
			return cli_help(&status_verb);
		default:
			return cli_misused(&status_verb);
		}
	}
	if (argc - optind > 1) {
		fprintf(stderr, "subflow status: one connection at most\n");
		return cli_misused(&status_verb);
	}
	opt.socket = control_path(opt.socket);
	opt.connection = argv[optind];
	if (opt.connection && answer_filter_init(&filter, opt.connection) < 0) {
		fprintf(stderr,
			"subflow status: \"%s\" names no connection: a token in hex (1 to 8 "
			"digits), "
			"or NAMESPACE/TOKEN\n",
			opt.connection);
		return 1;
	}
	r = ask_and_show(&opt, &filter);
	answer_filter_done(&filter);
	return r;
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
