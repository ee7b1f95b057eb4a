/* SPDX-License-Identifier: MIT */
/* subflow set: one setting, for the life of the daemon. */
#include "cli.h"
#include "control.h"
#include "errand.h"

#include <limits.h>

static int set_main(int argc, char **argv)
{
	return errand_run(&set_verb, argc, argv, 2, INT_MAX);
}

const struct verb set_verb = {
	.name = "set",
	.summary = "one setting, until subflowd ends or reads its configuration",
	.help = "Usage: subflow set KEY VALUE... [--socket PATH] [--timeout SECONDS]\n\n"
		"Sets a key of subflowd.conf(5), named SECTION.KEY as in elephant.start. It holds\n"
		"until subflowd ends or reads its configuration again, which stays as it is.\n"
		"For root and the group of [control] group.\n\n"
		"  --socket PATH      the daemon's control socket (SUBFLOW_SOCKET; else\n"
		"                     " CONTROL_SOCKET_DEFAULT ")\n"
		"  --timeout SECONDS  how long to wait for the daemon (5)\n\n"
		"Exit status: 0; 1 it was refused, or no answer; 2 wrong usage.\n",
	.run = set_main,
	.usage_status = 2,
};
