/* SPDX-License-Identifier: MIT */
/* Who asks on the control socket, as the kernel vouches for it. */
#ifndef SUBFLOW_PEER_H
#define SUBFLOW_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#define PEER_NO_GROUP ((gid_t)-1)

struct peer {
	uid_t uid;
	bool is_operator; /* root, or of the operators' group: sees all, and may change things */
};

/*
 * The process that connected the Unix socket @fd, with the user and the groups that it had then.
 * @group: of the operators; PEER_NO_GROUP: root alone. -errno of getsockopt(2).
 */
int peer_read(int fd, gid_t group, struct peer *ret_peer);

#endif
