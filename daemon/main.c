/* SPDX-License-Identifier: MIT */
/* The command line of subflowd. */
#include "base/log.h"
#include "daemon.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
	"Usage: subflowd [--config FILE] [--test | --verbose]\n"
	"Gives MPTCP connections more subflows: elephants by rule, others on request.\n"
	"Runs in the foreground and logs to stderr; SIGTERM ends it, SIGHUP has it read FILE\n"
	"again.\n"
	"\n"
	"  -c, --config FILE  read FILE, as subflowd.conf(5) describes it\n"
	"  -t, --test         only say whether FILE is right\n"
	"  -v, --verbose      say more\n"
	"  -V, --version      print the version\n"
	"  -h, --help         print this\n";

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"test", no_argument, NULL, 't'},
		{"verbose", no_argument, NULL, 'v'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	const char *config_path = NULL;
	bool is_verbose = false, is_test = false;
	int option;

	while ((option = getopt_long(argc, argv, "c:tvVh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			config_path = optarg;
			break;
		case 't':
			is_test = true;
			break;
		case 'v':
			is_verbose = true;
			break;
		case 'V':
			puts("subflowd " SUBFLOW_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "subflowd: unexpected argument: %s\n%s", argv[optind], usage);
		return 2;
	}
	/* Whoever reads the log may end before us and our guardian. */
	signal(SIGPIPE, SIG_IGN);
	log_init(is_verbose);
	return is_test ? daemon_test(config_path) : daemon_run(config_path);
}
