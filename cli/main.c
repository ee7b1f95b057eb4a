/* SPDX-License-Identifier: MIT */
/* Finds the subcommand that the user named. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

static const struct verb *const verbs[] = {
	&status_verb,
	&explain_verb,
	&paths_verb,
	&watch_verb,
	&add_verb,
	&remove_verb,
	&set_verb,
	&reload_verb,
	&config_verb,
	&doctor_verb,
	&run_verb,
};

enum { N_VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static void usage(FILE *out)
{
	fputs("Usage: subflow VERB [ARGUMENTS]\n"
	      "       subflow --help | --version\n\n"
	      "Control of Multipath TCP subflows.\n\n",
		out);
	for (size_t i = 0; i < N_VERBS; i++)
		fprintf(out, "  %-8s %s\n", verbs[i]->name, verbs[i]->summary);
	fputs("\n\"subflow VERB --help\" tells more; so does subflow(1).\n", out);
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < N_VERBS; i++)
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

int cli_help(const struct verb *verb)
{
	fputs(verb->help, stdout);
	return cli_finish(verb, 0);
}

int cli_misused(const struct verb *verb)
{
	fprintf(stderr, "%.*s\nTry \"subflow %s --help\".\n", (int)strcspn(verb->help, "\n"),
		verb->help, verb->name);
	return verb->usage_status;
}

static int finish(const char *who, int status)
{
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "%s: cannot write the output: %s\n", who, strerror(errno));
		return 1;
	}
	return status;
}

int cli_finish(const struct verb *verb, int status)
{
	char who[32];

	snprintf(who, sizeof(who), "subflow %s", verb->name);
	return finish(who, status);
}

/*
 * What is open next gets the number of a standard stream that is closed, and what is printed: the
 * daemon's socket. So that it does not, these get a descriptor that refuses.
 */
static void hold_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
	static char called[32];
	const char *name = argc > 1 ? argv[1] : "";
	const struct verb *verb;

	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		verb = argc > 2 ? find_verb(argv[2]) : NULL;
		if (verb)
			return cli_help(verb);
		usage(stdout);
		return finish("subflow", 0);
	}
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		puts("subflow " SUBFLOW_VERSION);
		return finish("subflow", 0);
	}
	verb = find_verb(name);
	if (!verb) {
		if (*name)
			fprintf(stderr, "subflow: no such verb: %s\n\n", name);
		usage(stderr);
		return EXIT_USAGE;
	}
	/*
	 * Whoever reads what we print may have enough: an end, and nothing to complain
	 * of. A program that we run gets what we got.
	 */
	if (verb != &run_verb) {
		signal(SIGPIPE, SIG_DFL);
		hold_streams();
	}
	/* What getopt(3) begins its messages with. */
	snprintf(called, sizeof(called), "subflow %s", verb->name);
	argv[1] = called;
	return verb->run(argc - 1, argv + 1);
}
