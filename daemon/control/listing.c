/* SPDX-License-Identifier: MIT */
/* An answer about all connections, part by part: the loop does other things in between. */
#include "listing.h"

#include "control/connections.h"
#include "control/put.h"
#include "kernel/served_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int note_namespaces(struct listing *listing)
{
	const struct served_netns *netns;
	size_t count = 0;

	TAILQ_FOREACH (netns, &listing->view.served->list, entry)
		count++;
	listing->cookies = calloc(count + 1, sizeof(*listing->cookies));
	listing->namespaces = json_object_new_array();
	if (!listing->cookies || !listing->namespaces)
		return -1;
	TAILQ_FOREACH (netns, &listing->view.served->list, entry) {
		if (netns->cookie)
			listing->cookies[listing->n_cookies++] = netns->cookie;
		else
			json_object_array_add(listing->namespaces, status_write_netns(netns, 0, 0));
	}
	return 0;
}

struct listing *listing_begin(struct listings *listings, const struct status_view *view)
{
	struct listing *listing = calloc(1, sizeof(*listing));

	if (!listing)
		return NULL;
	listing->view = *view;
	listing->peer = *view->peer;
	listing->view.peer = &listing->peer;
	LIST_INSERT_HEAD(listings, listing, entry);
	if (!note_namespaces(listing))
		return listing;
	listing_end(listing);
	return NULL;
}

void listing_end(struct listing *listing)
{
	LIST_REMOVE(listing, entry);
	diag_walk_end(&listing->walk);
	json_object_put(listing->namespaces);
	free(listing->cookies);
	free(listing);
}

void listings_forget(struct listings *listings, uint64_t cookie)
{
	struct listing *listing;

	LIST_FOREACH (listing, listings, entry) {
		if (listing->walk.socket && listing->cookies[listing->at] == cookie)
			diag_walk_end(&listing->walk);
	}
}

/* What is written of it is @text without its first and its last character, which are brackets. */
static char *join(const char *before, char *text, const char *after)
{
	char *whole = NULL;

	if (text &&
		asprintf(&whole, "%s%.*s%s", before, (int)strlen(text) - 2, text + 1, after) < 0)
		whole = NULL;
	free(text);
	return whole;
}

static char *begin(struct listing *listing)
{
	listing->has_begun = true;
	return join("{", put_whole(status_write_frame(&listing->view)), ",\"connections\":[");
}

static char *end(struct listing *listing)
{
	char *text = put_whole(listing->namespaces);

	listing->namespaces = NULL;
	return join("],\"namespaces\":[", text, "]}");
}

/* 1 = there is more in the namespace that it is at; 0, -errno: there is not. */
static int list_part(struct listing *listing, struct served_netns *netns, struct json_object *conns)
{
	int err;

	if (listing->has_entered)
		return listing->walk.socket ? connections_write_part(&listing->view, netns,
						      &listing->walk, conns, &listing->count)
					    : 0;
	listing->has_entered = true;
	if (served_enter(netns)) {
		connections_write_remembered(&listing->view, netns, conns, &listing->count);
		return 0;
	}
	err = diag_walk_begin(&listing->walk);
	served_leave(netns);
	return err ? err : 1;
}

/* Of the namespace that it is at, which may have ended since. */
static void list_some(struct listing *listing, struct json_object *conns)
{
	struct served_netns *netns =
		served_find(listing->view.served, listing->cookies[listing->at]);
	int r = netns ? list_part(listing, netns, conns) : 0;

	if (r > 0)
		return;
	if (netns)
		json_object_array_add(
			listing->namespaces, status_write_netns(netns, listing->count, r));
	diag_walk_end(&listing->walk);
	listing->has_entered = false;
	listing->count = 0;
	listing->at++;
}

char *listing_next(struct listing *listing, bool *ret_is_last)
{
	struct json_object *conns;
	const char *comma = listing->has_shown ? "," : "";

	*ret_is_last = listing->has_begun && listing->at == listing->n_cookies;
	if (!listing->has_begun)
		return begin(listing);
	if (*ret_is_last)
		return end(listing);
	conns = json_object_new_array();
	if (!conns)
		return NULL;
	list_some(listing, conns);
	if (!json_object_array_length(conns)) {
		json_object_put(conns);
		return strdup("");
	}
	listing->has_shown = true;
	return join(comma, put_whole(conns), "");
}
