/* SPDX-License-Identifier: MIT */
/* What the BPF programs tell: the records of their ring, and the intents that it had no room for.
 */
#ifndef SUBFLOW_RING_H
#define SUBFLOW_RING_H

#include "kernel/hooks.h"

/* Adds the ring to the loop. On error @error says in one line why; hooks_done() undoes it. */
int ring_open(struct hooks *hooks, struct loop *loop, char *error, size_t error_size);

void ring_close(struct hooks *hooks);

/* Reads every record that is there now. */
void ring_drain(struct hooks *hooks);

/* Whether there is none that was not read. */
bool ring_is_read(const struct hooks *hooks);

/* Hears every intent anew. */
int ring_hear_all(struct hooks *hooks);

#endif
