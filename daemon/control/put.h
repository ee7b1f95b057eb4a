/* SPDX-License-Identifier: MIT */
/* Values into JSON objects, and these into answers. */
#ifndef SUBFLOW_PUT_H
#define SUBFLOW_PUT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* NULL becomes null. */
void put_text(struct json_object *object, const char *key, const char *text);
void put_number(struct json_object *object, const char *key, uint64_t number);
void put_flag(struct json_object *object, const char *key, bool flag);

/* The whole as text on the heap, and the object is gone; NULL when memory is short. */
char *put_whole(struct json_object *object);

#endif
