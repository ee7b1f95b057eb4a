/* SPDX-License-Identifier: MIT */
/* Field types of what is the core's own: lists of several numbers in one word, and names. */
#ifndef SUBFLOW_SHAPES_H
#define SUBFLOW_SHAPES_H

#include "core/fields.h"

extern const struct field_type shape_wishes, /* of struct wishes, the list */
	shape_paid,                          /* of struct receipt, the wishes */
	shape_ids,                           /* of struct receipt, those announced */
	shape_prefixes,                      /* struct prefixes */
	shape_reserved,                      /* of struct ports, the reserved ones */
	shape_way,                           /* struct line_way */
	shape_purpose,                       /* enum purpose */
	shape_placement,                     /* uint32_t: enum steer_mode */
	shape_state;                         /* uint32_t: enum path_state */

#endif
