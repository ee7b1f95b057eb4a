/* SPDX-License-Identifier: MIT */
/* Typed wrappers of the socket options of subflow.h. */
#include <errno.h>
#include <string.h>

#include "subflow.h"

static int set_number(int fd, int name, int n)
{
	return setsockopt(fd, IPPROTO_TCP, name, &n, sizeof(n)) < 0 ? -errno : 0;
}

int subflow_enabled(int fd, bool *ret_on)
{
	int on = 0;
	socklen_t len = sizeof(on);

	if (getsockopt(fd, IPPROTO_TCP, TCP_MULTIPATH_ENABLE, &on, &len) < 0)
		return -errno;
	*ret_on = on != 0;
	return 0;
}

int subflow_add(int fd, int n)
{
	return set_number(fd, TCP_MULTIPATH_ADD, n);
}

int subflow_remove(int fd, int n)
{
	return set_number(fd, TCP_MULTIPATH_REMOVE, n);
}

int subflow_list(int fd, struct tcp_multipath_pair *pairs, size_t len, size_t *ret_n)
{
	struct tcp_multipath_pair all[TCP_MULTIPATH_PAIRS_MAX + 1];
	socklen_t size = 4096;
	size_t n;

	/* All the room there can be: the kernel does not say how much it would have needed. */
	if (getsockopt(fd, IPPROTO_TCP, TCP_MULTIPATH_SUBFLOWS, all, &size) < 0)
		return -errno;
	n = size / sizeof(all[0]);
	if (n > len)
		return -ERANGE;
	if (n > 0)
		memcpy(pairs, all, n * sizeof(all[0]));
	*ret_n = n;
	return 0;
}

int subflow_connid(int fd, uint32_t *ret_connid)
{
	uint32_t connid;
	socklen_t len = sizeof(connid);

	if (getsockopt(fd, IPPROTO_TCP, TCP_MULTIPATH_CONNID, &connid, &len) < 0)
		return -errno;
	*ret_connid = connid;
	return 0;
}
