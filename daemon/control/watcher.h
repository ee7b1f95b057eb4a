/* SPDX-License-Identifier: MIT */
/*
 * A client that is told what happens, and how much of it it misses. Whether it stays is the
 * server's to say.
 */
#ifndef SUBFLOW_WATCHER_H
#define SUBFLOW_WATCHER_H

#include "control/client.h"

#include <stdbool.h>
#include <stdint.h>

/* It watches, and is to hear of what @uid does; NULL: only operators are. */
bool watcher_is_told(const struct client *client, const uint32_t *uid);

/* Its user's watching has cost too much: it misses what comes until the user's turn has come. */
bool watcher_has_to_wait(const struct client *client, uint64_t now_ns);

/* When it is to be told what it missed, if it has read all the rest; 0: there is nothing to tell.
 */
uint64_t watcher_due_ns(const struct client *client, uint64_t now_ns);

/* Of @count events it is told only how many they were, when it is next given something. */
void watcher_miss(struct client *client, uint64_t count);

/* These are -errno if the watcher is gone. @line ends with a newline; who is slow misses it. */
int watcher_tell(struct client *client, const char *line);

/* As much as there is room for of what waits for it. */
int watcher_give(struct client *client);

/* @events of its socket, see epoll_ctl(2). */
int watcher_serve(struct client *client, uint32_t events);

#endif
