/* SPDX-License-Identifier: MIT */
/* What bounds the daemon: its tables and the hooks', and the memory of its connections, as JSON. */
#ifndef SUBFLOW_TABLES_H
#define SUBFLOW_TABLES_H

#include "control/status.h"

#include <json-c/json.h>

/* Each table: how many entries it takes, how many there are, how many were refused or displaced. */
struct json_object *tables_write(const struct status_view *view);

/* Bytes a connection, in the daemon and in the kernel, and what they can come to. */
struct json_object *tables_write_memory(const struct status_view *view);

#endif
