/* SPDX-License-Identifier: MIT */
/*
 * Going into another network namespace and back. A descriptor held inside would
 * keep a deleted namespace and its devices alive, so nothing stays open: a
 * namespace is named by its path and checked by its cookie each time.
 */
#ifndef SUBFLOW_NETNS_H
#define SUBFLOW_NETNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;

/* Remembers the caller's namespace as home. */
int netns_init(void);
void netns_done(void);

/*
 * Makes the namespace at @path the thread's; "" is home. netns_leave() must
 * follow. @cookie 0 means any.
 * -ENOENT, -EINVAL  there is no namespace at that path (yet, or any more)
 * -ESTALE           there is another one now
 */
int netns_enter(const char *path, uint64_t cookie);

/* Back home. Ends the process if that fails: it must not act in the wrong place. */
void netns_leave(void);

/* Of the namespace that a socket is in, and that the thread is in. */
int netns_cookie_of(int socket_fd, uint64_t *ret_cookie);
int netns_cookie(uint64_t *ret_cookie);
int netns_read_sysctl(const char *name, char *ret_value, size_t size);

/* One whole line that may be long; the caller frees it. -E2BIG: longer than any list of ports. */
int netns_read_long_sysctl(const char *name, char **ret_value);
int netns_write_sysctl(const char *name, const char *value);

/*
 * The sysctl under net.mptcp that chooses the path manager, and its value for
 * the userspace one. NULL when this kernel has none.
 */
const char *netns_pm_sysctl(const char **ret_userspace);

/*
 * Gives the namespace at @path an id in the home namespace, so that its
 * multicast messages can be told from others, or finds the id it has.
 */
int netns_assign_id(const char *path, int *ret_nsid);

/* Whether a namespace has this id in the home namespace; also if that cannot be found out. */
bool netns_has_id(int nsid);

/* The id in a message of RTM_NEWNSID, RTM_DELNSID. -EBADMSG: there is none. */
int netns_decode_id(const struct nlmsghdr *message, int *ret_nsid);

#endif
