/* SPDX-License-Identifier: MIT */
/* One event of those that the daemon tells who watches, presented to people. */
#ifndef EVENT_H
#define EVENT_H

#include "answer.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Whether it is about the connection that @filter means; what is about none is not, but for
 * the beginning of the watch and events that were lost. Without a filter, all is.
 */
bool event_is_meant(struct json_object *event, const struct answer_filter *filter);

/*
 * Writes it as one line, its newline included, into *@ret_text, to be freed by the caller.
 * -EBADMSG, with the path of the key in @ret_why, when a key is missing or of a wrong type;
 * -ENOMEM.
 */
int event_write(struct json_object *event, char **ret_text, char *ret_why, size_t why_size);

#endif
