/* SPDX-License-Identifier: MIT */
/* Who asks on the control socket, as the kernel vouches for it. */
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

/* SO_PEERCRED has the first group alone; the others may be any number. */
static int has_group(int fd, gid_t group, bool *ret_has)
{
	socklen_t size = 64 * sizeof(gid_t);
	gid_t *groups = NULL, *larger;
	int err;

	for (;;) {
		larger = realloc(groups, size);
		if (!larger) {
			free(groups);
			return -ENOMEM;
		}
		groups = larger;
		/* With ERANGE the kernel says how much it takes. */
		err = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0 ? -errno : 0;
		if (err != -ERANGE)
			break;
	}
	*ret_has = false;
	for (size_t i = 0; !err && i < size / sizeof(*groups); i++)
		*ret_has |= groups[i] == group;
	free(groups);
	return err;
}

int peer_read(int fd, gid_t group, struct peer *ret_peer)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);
	bool has = false;
	int err = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return -errno;
	if (cred.uid != 0 && group != PEER_NO_GROUP && cred.gid != group)
		err = has_group(fd, group, &has);
	if (err)
		return err;
	ret_peer->uid = cred.uid;
	ret_peer->is_operator =
		cred.uid == 0 || (group != PEER_NO_GROUP && (cred.gid == group || has));
	return 0;
}
