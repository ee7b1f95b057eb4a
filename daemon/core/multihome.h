/* SPDX-License-Identifier: MIT */
/* Judgement: what a change of a namespace's addresses means for its connections. */
#ifndef SUBFLOW_MULTIHOME_H
#define SUBFLOW_MULTIHOME_H

#include "core/plan.h"

#include <stdint.h>

struct multihome_change {
	const struct endpoint *gone; /* on no device that is up */
	uint32_t n_gone;
	const struct endpoint *usable; /* all that there are now */
	uint32_t n_usable;
};

/*
 * Subflows from an address that has gone are closed, where another one of their connection goes
 * on, and the peer is told. A full mesh takes up what is there now.
 */
void multihome_hear(struct plan *plan, uint64_t netns, const struct multihome_change *change);

#endif
