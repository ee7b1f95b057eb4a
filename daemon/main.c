/* SPDX-License-Identifier: MIT */
/* The command line of subflowd. */
#include "base/log.h"
#include "daemon.h"
#include "recorder.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char usage[] =
	"Usage: subflowd [--config FILE] [--test | [--verbose] [--record FILE]]\n"
	"Gives MPTCP connections more subflows: elephants by rule, others on request.\n"
	"Runs in the foreground and logs to stderr; SIGTERM ends it, SIGHUP has it read FILE\n"
	"again.\n"
	"\n"
	"  -c, --config FILE  read FILE, as subflowd.conf(5) describes it\n"
	"  -t, --test         only say whether FILE is right\n"
	"  -v, --verbose      say more\n"
	"  -R, --record FILE  write there what is heard and decided, for subflow-replay(1)\n"
	"      --record-limit MB\n"
	"                     of that file; default 64\n"
	"  -V, --version      print the version\n"
	"  -h, --help         print this\n";

#define RECORD_LIMIT_MOST 1000000 /* MB */
#define MB                1000000ull

/* 0: it is no such number. */
static uint64_t read_limit(const char *text)
{
	char *end;
	unsigned long limit = strtoul(text, &end, 10);

	return *text < '0' || *text > '9' || *end || limit > RECORD_LIMIT_MOST ? 0 : limit * MB;
}

/*
 * What is open next gets the number of a standard stream that is closed, and the log: the lock's
 * file, or a map. So that it does not, these get a descriptor that refuses: lines that are lost.
 */
static void hold_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"test", no_argument, NULL, 't'},
		{"verbose", no_argument, NULL, 'v'},
		{"record", required_argument, NULL, 'R'},
		{"record-limit", required_argument, NULL, 'L'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	struct daemon_options chosen = {.record_bytes = RECORDER_MB_DEFAULT * MB};
	bool is_verbose = false, is_test = false;
	int option;

	while ((option = getopt_long(argc, argv, "c:tvR:Vh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			chosen.config_path = optarg;
			break;
		case 't':
			is_test = true;
			break;
		case 'v':
			is_verbose = true;
			break;
		case 'R':
			chosen.record_path = optarg;
			break;
		case 'L':
			chosen.record_bytes = read_limit(optarg);
			if (chosen.record_bytes)
				break;
			fprintf(stderr, "subflowd: --record-limit takes a number of MB, up to %d\n",
				RECORD_LIMIT_MOST);
			return 2;
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
	hold_streams();
	log_init(is_verbose);
	return is_test ? daemon_test(chosen.config_path) : daemon_run(&chosen);
}
