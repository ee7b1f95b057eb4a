/* SPDX-License-Identifier: MIT */
/* What bounds the daemon, presented to people: the memory of connections, and full tables. */
#ifndef BOUNDS_H
#define BOUNDS_H

#include "answer.h"

#include <stdio.h>

/* One line of memory, and one of tables that have refused or displaced something, if there are. */
void bounds_put(FILE *out, struct answer_reader *reader, struct json_object *daemon);

#endif
