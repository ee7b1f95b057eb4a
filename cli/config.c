/* SPDX-License-Identifier: MIT */
/* subflow config test: what the daemon's own parser says of a configuration file. */
#include "cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* In the build tree subflowd is in the folder beside ours. */
static void find_daemon(char ret_path[PATH_MAX])
{
	static const char beside[] = "/../daemon/subflowd";
	ssize_t n = readlink("/proc/self/exe", ret_path, PATH_MAX - sizeof(beside));
	char *slash;

	if (n > 0) {
		ret_path[n] = '\0';
		slash = strrchr(ret_path, '/');
		strcpy(slash ? slash : ret_path, beside);
		if (!access(ret_path, X_OK))
			return;
	}
	snprintf(ret_path, PATH_MAX, "%s", SUBFLOW_DAEMON);
}

static int config_main(int argc, char **argv)
{
	const char *file = argc > 2 ? argv[2] : SUBFLOW_CONF;
	char path[PATH_MAX];

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
		return cli_help(&config_verb);
	if (argc < 2 || argc > 3 || strcmp(argv[1], "test") || *file == '-') {
		fputs("subflow config: say test, and at most one file\n", stderr);
		return cli_misused(&config_verb);
	}
	find_daemon(path);
	execl(path, path, "--config", file, "--test", (char *)NULL);
	fprintf(stderr, "subflow config: %s cannot be run: %s; install subflowd\n", path,
		strerror(errno));
	return 1;
}

const struct verb config_verb = {
	.name = "config",
	.summary = "test a configuration file",
	.help = "Usage: subflow config test [FILE]\n\n"
		"Reads FILE (" SUBFLOW_CONF ") as subflowd reads it, changes nothing, and\n"
		"names the file, the line and what is allowed where it is wrong.\n\n"
		"Exit status: 0 subflowd takes it; 1 it does not; 2 wrong usage.\n",
	.run = config_main,
	.usage_status = 2,
};
