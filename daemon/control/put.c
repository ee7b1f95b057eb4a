/* SPDX-License-Identifier: MIT */
/* Values into JSON objects, and these into answers. */
#include "put.h"

#include <string.h>

void put_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

void put_number(struct json_object *object, const char *key, uint64_t number)
{
	json_object_object_add(object, key, json_object_new_uint64(number));
}

void put_flag(struct json_object *object, const char *key, bool flag)
{
	json_object_object_add(object, key, json_object_new_boolean(flag));
}

void put_endpoint(struct json_object *object, const char *key, const struct endpoint *endpoint)
{
	char text[ENDPOINT_TEXT_MAX];

	put_text(object, key, endpoint_text(endpoint, text));
}

void put_routers(struct json_object *object, const char *key, const struct path *path)
{
	struct json_object *array = json_object_new_array();
	char text[INET6_ADDRSTRLEN];

	for (unsigned int tier = 0; tier < PATH_TIERS_MAX; tier++) {
		if (path->tiers[tier])
			json_object_array_add(array, json_object_new_string(path_router_text(
							     path->tiers[tier], tier, text)));
	}
	json_object_object_add(object, key, array);
}

char *put_whole(struct json_object *object)
{
	const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	char *copy = text ? strdup(text) : NULL;

	json_object_put(object);
	return copy;
}
