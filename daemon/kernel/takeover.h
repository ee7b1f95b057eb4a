/* SPDX-License-Identifier: MIT */
/* Whether a namespace may be served, and what is set there: its claim, its id, its path manager. */
#ifndef SUBFLOW_TAKEOVER_H
#define SUBFLOW_TAKEOVER_H

#include "kernel/served.h"

/*
 * From now on the namespace is ours: no other subflowd's, and no other path manager's. Fills in its
 * cookie, id and note. -EBUSY, with its why: it is somebody else's. What was done before an error
 * is left to takeover_undo().
 */
int takeover_begin(struct served *served, struct served_netns *netns);

/* Puts back what was set, and gives the namespace up. */
void takeover_undo(struct served *served, struct served_netns *netns);

/* It is given up for good: nothing there is to be put back, and another daemon may have it. */
void takeover_forget(struct served *served, struct served_netns *netns);

/* Whether no other path manager is at work there any more. */
bool takeover_is_free(struct served *served, struct served_netns *netns);

#endif
