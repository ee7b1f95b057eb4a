/* SPDX-License-Identifier: MIT */
/*
 * What a daemon of another build, or of another [limits] max_connections, has kept is carried over.
 * Values only ever grow at their ends, so those of an earlier build are the beginning of ours. What
 * is longer than ours, or of another KEPT_LAYOUT, is not understood: what had lists of addresses
 * gets no subflow any more then, until its application lists some again.
 */
#ifndef SUBFLOW_CARRY_H
#define SUBFLOW_CARRY_H

#include "kernel/pins.h"

#include <stdbool.h>
#include <stdint.h>

#define CARRY_LAYOUT_MAX 96

/* The maps of this daemon. */
struct carry {
	int intents_fd, wishes_fd, receipts_fd;
};

/* Names what this daemon keeps. Whatever changes its size or its meaning changes the name. */
void carry_layout(uint32_t max_connections, char ret_layout[CARRY_LAYOUT_MAX]);

/* Whether the values of maps of the layout @other are the beginnings of ours. */
bool carry_understands(const char *other);

/*
 * Carries over what is kept in @other; it stays where it is. -errno: not, or not all of it, nor is
 * anything closed that had lists.
 */
int carry_over(const struct carry *carry, const struct pins *pins, const char *other);

#endif
