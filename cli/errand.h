/* SPDX-License-Identifier: MIT */
/* What an operator has the daemon do: a line sent, and what came of it said. */
#ifndef ERRAND_H
#define ERRAND_H

#include "cli.h"

/*
 * Reads --socket, --timeout, --help and from @least to @most words, and sends the daemon the
 * verb's name followed by them. The verb's exit status: 0 after what was done was printed, 1 after
 * the reason why not was.
 */
int errand_run(const struct verb *verb, int argc, char **argv, int least, int most);

#endif
