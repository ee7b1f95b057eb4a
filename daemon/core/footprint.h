/* SPDX-License-Identifier: MIT */
/* Memory: how many bytes connections take, without what the allocator adds to each piece. */
#ifndef SUBFLOW_FOOTPRINT_H
#define SUBFLOW_FOOTPRINT_H

#include "core/conn.h"

#include <stddef.h>

/* All that is known of one. */
size_t footprint_of(const struct conn *conn);

/* One with its first subflow, of which nothing special is known; and each further subflow. */
size_t footprint_least(void);
size_t footprint_subflow(void);

/* The most that one can take while it has no more than @max_subflows subflows. */
size_t footprint_most(uint32_t max_subflows, bool has_mesh);

#endif
