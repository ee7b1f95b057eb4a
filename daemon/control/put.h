/* SPDX-License-Identifier: MIT */
/* Values into JSON objects, and these into answers. */
#ifndef SUBFLOW_PUT_H
#define SUBFLOW_PUT_H

#include "core/endpoint.h"
#include "core/path.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* NULL becomes null. */
void put_text(struct json_object *object, const char *key, const char *text);
void put_number(struct json_object *object, const char *key, uint64_t number);
void put_flag(struct json_object *object, const char *key, bool flag);

/* "10.0.0.1:80". */
void put_endpoint(struct json_object *object, const char *key, const struct endpoint *endpoint);

/* A list of those that are known. */
void put_routers(struct json_object *object, const char *key, const struct path *path);

/* The whole as text on the heap, and the object is gone; NULL when memory is short. */
char *put_whole(struct json_object *object);

#endif
