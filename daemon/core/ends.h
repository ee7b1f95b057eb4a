/* SPDX-License-Identifier: MIT */
/* Judgement: between which addresses the next subflow goes. */
#ifndef SUBFLOW_ENDS_H
#define SUBFLOW_ENDS_H

#include "core/conn.h"

#include <stdbool.h>

/* Where a subflow from @local goes; false: nowhere yet. */
bool ends_choose_remote(
	const struct conn *conn, const struct endpoint *local, struct endpoint *ret_remote);

/*
 * Where the next one goes that nobody gave addresses for; false: nowhere yet. A repair goes between
 * two addresses where one lives, if none does between the usual ones; where none lives at all, to
 * the peer's addresses by turns.
 */
bool ends_choose(const struct conn *conn, struct endpoint *ret_local, struct endpoint *ret_remote);

#endif
