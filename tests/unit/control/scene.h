/* SPDX-License-Identifier: MIT */
/* A daemon without a kernel, whose status is asked for. */
#ifndef TEST_SCENE_H
#define TEST_SCENE_H

#include "control/listing.h"
#include "control/status.h"
#include "kernel/diag.h"
#include "kernel/maps.h"

#include "../unit.h"

#include <json-c/json.h>

#define SCENE_NETNS 4711 /* the cookie of its only namespace */

/* What the kernel lists, and how that ends. */
extern struct scene_kernel {
	struct diag_conn conns[4];
	size_t n;
	int err;
	unsigned int walks; /* under way */
} scene_kernel;

struct scene {
	struct settings settings;
	struct plan plan;
	struct requests requests;
	struct served served;
	struct served_netns netns;
	struct hooks hooks;
	struct monitor monitor;
	struct scout scout;
	struct reach reach;
	struct scope scope;
	struct locals locals;
	struct census census;
	struct flows flows;
	struct capture capture;
	struct wire wire;
	struct server server;
	struct peer peer;
	struct histogram create_us;
	struct status_view view;
	struct listings listings;
};

/* cmocka fixtures. */
int scene_begin(void **state);
int scene_end(void **state);

struct endpoint scene_at(const char *address, uint16_t port);

/* The plan hears of connection 11, from 10.0.0.1:40000 to 10.0.0.2:80. */
void scene_hear(struct scene *scene, enum event_kind kind);

/* The status answer, to be put by the caller; and the one about the connection that is named. */
struct json_object *scene_read(struct scene *scene);
struct json_object *scene_read_one(const struct scene *scene, const struct command *named);

/* What is left of the answer, to be freed by the caller. */
char *scene_gather(struct listing *listing);

/* The value at "a.b.0.c". */
struct json_object *scene_find(struct json_object *object, const char *path);
int64_t scene_number(struct json_object *root, const char *path);
const char *scene_text(struct json_object *root, const char *path);

#endif
