/* SPDX-License-Identifier: MIT */
/* subflow add: more subflows for a connection. */
#include "cli.h"
#include "control.h"
#include "errand.h"

static int add_main(int argc, char **argv)
{
	return errand_run(&add_verb, argc, argv, 1, 2);
}

const struct verb add_verb = {
	.name = "add",
	.summary = "more subflows for a connection",
	.help = "Usage: subflow add CONN [N] [--socket PATH] [--timeout SECONDS]\n\n"
		"Has the daemon open N more subflows (1) for a connection, within the limits that "
		"hold\n"
		"for its application too. CONN is a token in hex or NAMESPACE/TOKEN, as `subflow "
		"status`\n"
		"shows it. For root and the group of [control] group.\n\n"
		"  --socket PATH      the daemon's control socket (SUBFLOW_SOCKET; else\n"
		"                     " CONTROL_SOCKET_DEFAULT ")\n"
		"  --timeout SECONDS  how long to wait for the daemon (5)\n\n"
		"Exit status: 0; 1 it was refused, or no answer; 2 wrong usage.\n",
	.run = add_main,
	.usage_status = 2,
};
