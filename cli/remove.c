/* SPDX-License-Identifier: MIT */
/* subflow remove: fewer subflows for a connection. */
#include "cli.h"
#include "control.h"
#include "errand.h"

static int remove_main(int argc, char **argv)
{
	return errand_run(&remove_verb, argc, argv, 1, 2);
}

const struct verb remove_verb = {
	.name = "remove",
	.summary = "fewer subflows for a connection",
	.help = "Usage: subflow remove CONN [N] [--socket PATH] [--timeout SECONDS]\n\n"
		"Has the daemon close the N youngest subflows (1) of a connection; its last one "
		"stays.\n"
		"CONN is a token in hex or NAMESPACE/TOKEN, as `subflow status` shows it. For root "
		"and the group of [control] group.\n\n"
		"  --socket PATH      the daemon's control socket (SUBFLOW_SOCKET; else\n"
		"                     " CONTROL_SOCKET_DEFAULT ")\n"
		"  --timeout SECONDS  how long to wait for the daemon (5)\n\n"
		"Exit status: 0; 1 it was refused, or no answer; 2 wrong usage.\n",
	.run = remove_main,
	.usage_status = 2,
};
