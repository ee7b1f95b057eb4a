/* SPDX-License-Identifier: MIT */
/* subflow reload: the daemon reads its configuration again. */
#include "cli.h"
#include "control.h"
#include "errand.h"

static int reload_main(int argc, char **argv)
{
	return errand_run(&reload_verb, argc, argv, 0, 0);
}

const struct verb reload_verb = {
	.name = "reload",
	.summary = "have subflowd read its configuration again",
	.help = "Usage: subflow reload [--socket PATH] [--timeout SECONDS]\n\n"
		"Has the daemon read its configuration file again; what `subflow set` has set is\n"
		"gone. Where the file is wrong, nothing changes, and it is said. What cannot "
		"change\n"
		"while the daemon runs is said too. For root and the group of [control] group.\n\n"
		"  --socket PATH      the daemon's control socket (SUBFLOW_SOCKET; else\n"
		"                     " CONTROL_SOCKET_DEFAULT ")\n"
		"  --timeout SECONDS  how long to wait for the daemon (5)\n\n"
		"Exit status: 0; 1 it was refused, or no answer; 2 wrong usage.\n",
	.run = reload_main,
	.usage_status = 2,
};
