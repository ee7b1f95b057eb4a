/* SPDX-License-Identifier: MIT */
/* What is shown of connections, as JSON; docs/control.md lists the keys. */
#ifndef SUBFLOW_CONNECTIONS_H
#define SUBFLOW_CONNECTIONS_H

#include "control/status.h"

#include <json-c/json.h>
#include <stdint.h>

/*
 * Appends to @array the connections of the namespace that the asker may see; *@ret_count is how
 * many there are. -ENOENT, -EOPNOTSUPP: those of the namespace cannot be listed.
 */
int connections_write(const struct status_view *view, struct served_netns *netns,
	struct json_object *array, uint64_t *ret_count);

/* The same of the connection @token alone, if it is there. */
void connections_write_one(const struct status_view *view, struct served_netns *netns,
	uint32_t token, struct json_object *array);

/* What became of joins to a destination; NULL when @entry is. */
struct json_object *connections_write_refusals(const struct refusals_entry *entry);

#endif
