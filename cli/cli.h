/* SPDX-License-Identifier: MIT */
/* The subcommands of subflow(1), and the little that they share. */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stdio.h>

struct verb {
	const char *name;
	const char *summary;
	const char *help; /* usage line first */
	int (*run)(int argc, char **argv);
	int usage_status; /* exit status for wrong usage */
	bool has_graph;   /* takes --dot */
};

extern const struct verb status_verb;
extern const struct verb explain_verb;
extern const struct verb paths_verb;
extern const struct verb watch_verb;
extern const struct verb add_verb;
extern const struct verb remove_verb;
extern const struct verb set_verb;
extern const struct verb reload_verb;
extern const struct verb config_verb;
extern const struct verb doctor_verb;
extern const struct verb run_verb;

/* The verb's help on standard output; 0, to be returned as the exit status. */
int cli_help(const struct verb *verb);

/* Says how the verb is used, and points to its help; the verb's exit status for that. */
int cli_misused(const struct verb *verb);

/* Flushes standard output; @status, or 1 if what was printed got lost. */
int cli_finish(const struct verb *verb, int status);

#endif
