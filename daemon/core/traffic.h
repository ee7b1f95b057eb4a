/* SPDX-License-Identifier: MIT */
/* Memory: which ways of a map the subflows of this host take. */
#ifndef SUBFLOW_TRAFFIC_H
#define SUBFLOW_TRAFFIC_H

#include "core/conn.h"
#include "core/path.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the map is of the subflow's ends. */
bool traffic_is_between(const struct subflow *subflow, const struct path_map *map, uint64_t netns);

/* What the map knows of a subflow that is there; what it does not know it is to find out. */
void traffic_note(struct path_map *map, struct subflow *subflow, bool is_light);

/*
 * The same of all of a connection. The ways of others between the same ends count before they are
 * split themselves: transfers that begin together grow together. There may be thousands of them:
 * its neighbours in age do.
 */
void traffic_note_all(struct path_map *map, struct conn *conn);

/* The ways that are known of a connection's own subflows; how many. */
size_t traffic_collect(const struct conn *conn, struct path own[SUBFLOWS_HARD_MAX]);

/* The same of those that are established, and not known to be silent. */
size_t traffic_collect_live(const struct conn *conn, struct path live[SUBFLOWS_HARD_MAX]);

#endif
