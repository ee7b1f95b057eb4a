/* SPDX-License-Identifier: MIT */
/* subflow run: a program with its TCP sockets made MPTCP by the preload object. */
#include "cli.h"
#include "preload.h"
#include "program.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* As env(1) and the shells have them. */
enum { EXIT_SELF = 125, EXIT_CANNOT_EXECUTE = 126, EXIT_NOT_FOUND = 127 };

static void warn_without_mptcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);

	if (fd >= 0)
		close(fd);
	else
		fprintf(stderr,
			"subflow run: warning: no Multipath TCP here (%s): the program will use "
			"TCP; \"subflow doctor\" tells more\n",
			strerror(errno));
}

static void warn_about_program(const char *name)
{
	char path[PATH_MAX];
	const char *obstacle = program_find_obstacle(name, path);

	if (obstacle)
		fprintf(stderr, "subflow run: warning: %s %s: its sockets stay as they are\n", path,
			obstacle);
}

static int prepend_preload(const char *object)
{
	const char *before = getenv("LD_PRELOAD");
	char *value;
	int r;

	if (asprintf(&value, "%s%s%s", object, before && *before ? ":" : "", before ? before : "") <
		0)
		return -ENOMEM;
	r = setenv("LD_PRELOAD", value, 1) < 0 ? -errno : 0;
	free(value);
	return r;
}

static int run_main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	char object[PATH_MAX];
	int c, error;

	while ((c = getopt_long(argc, argv, "+h", long_options, NULL)) != -1)
		return c == 'h' ? cli_help(&run_verb) : cli_misused(&run_verb);
	if (optind == argc) {
		fprintf(stderr, "subflow run: which program?\n");
		return cli_misused(&run_verb);
	}
	if (preload_find(object) < 0) {
		fprintf(stderr,
			"subflow run: no preload object: %s; install Subflow's libraries, or set "
			"SUBFLOW_PRELOAD\n",
			object);
		return EXIT_SELF;
	}
	/* ld.so(8): the list is separated by spaces or colons, and there is no escape. */
	if (object[strcspn(object, " :")]) {
		fprintf(stderr,
			"subflow run: LD_PRELOAD cannot name a path with a space or colon: "
			"%s\n",
			object);
		return EXIT_SELF;
	}
	warn_without_mptcp();
	warn_about_program(argv[optind]);
	if (prepend_preload(object) < 0) {
		fprintf(stderr, "subflow run: out of memory\n");
		return EXIT_SELF;
	}
	execvp(argv[optind], argv + optind);
	error = errno;
	fprintf(stderr, "subflow run: cannot execute %s: %s\n", argv[optind], strerror(error));
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
}

const struct verb run_verb = {
	.name = "run",
	.summary = "run a program with its TCP sockets made MPTCP",
	.help = "Usage: subflow run [--] CMD [ARGUMENTS]\n\n"
		"Runs CMD with libsubflow-preload.so in LD_PRELOAD: its TCP sockets become MPTCP\n"
		"sockets. Where the peer has no MPTCP, the kernel falls back to TCP by itself.\n"
		"No effect on programs that are statically linked or setuid.\n\n"
		"SUBFLOW_PRELOAD names another preload object.\n\n"
		"Exit status: CMD's; 125 subflow run itself failed; 126 CMD cannot be executed;\n"
		"127 CMD not found.\n",
	.run = run_main,
	.usage_status = EXIT_SELF,
};
