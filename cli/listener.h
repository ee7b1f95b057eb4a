/* SPDX-License-Identifier: MIT */
/* Who listens to a generic netlink multicast group in this network namespace. */
#ifndef LISTENER_H
#define LISTENER_H

#include <stdbool.h>
#include <stdint.h>

struct listeners {
	bool has_ours;
	bool has_hidden; /* processes that this user cannot see */
	int other_pid;   /* the first other one; 0: there is none */
	char other_name[32];
};

/* @ours is the name of our own processes. -ERANGE when the kernel does not show @group. */
int listener_find(uint32_t group, const char *ours, struct listeners *ret_listeners);

/* Whether a line of /proc/net/netlink is a listener of @group, 1 to 32. */
bool listener_parse(const char *line, uint32_t group, unsigned long *ret_inode);

#endif
