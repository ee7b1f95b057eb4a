/* SPDX-License-Identifier: MIT */
/* A connection of the daemon's status answer, told in sentences. */
#ifndef STORY_H
#define STORY_H

#include <json-c/json.h>
#include <stddef.h>

/*
 * Writes why each connection in @root has the subflows that it has into *@ret_text, to be freed
 * by the caller. -EBADMSG, with the path of the key in @ret_why, when a key is missing or of a
 * wrong type; -ENOMEM.
 */
int story_write(struct json_object *root, char **ret_text, char *ret_why, size_t why_size);

#endif
