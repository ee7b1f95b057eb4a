/* SPDX-License-Identifier: MIT */
/* What is shown of connections, as JSON; docs/control.md lists the keys. */
#ifndef SUBFLOW_CONNECTIONS_H
#define SUBFLOW_CONNECTIONS_H

#include "control/status.h"
#include "kernel/diag.h"

#include <json-c/json.h>
#include <stdint.h>

/*
 * Appends to @array those connections of the next part of @walk, which is of this namespace, that
 * the asker may see, and adds to *@count how many there were. The rest as diag_walk_next().
 */
int connections_write_part(const struct status_view *view, struct served_netns *netns,
	struct diag_walk *walk, struct json_object *array, uint64_t *count);

/* The same of all that are remembered, of one that cannot be entered. */
void connections_write_remembered(const struct status_view *view, struct served_netns *netns,
	struct json_object *array, uint64_t *count);

/* The connection @token alone, if it is there and the asker may see it. */
void connections_write_one(const struct status_view *view, struct served_netns *netns,
	uint32_t token, struct json_object *array);

/* What became of joins to a destination; NULL when @entry is. */
struct json_object *connections_write_refusals(const struct refusals_entry *entry);

#endif
