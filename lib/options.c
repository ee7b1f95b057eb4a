/* SPDX-License-Identifier: MIT */
/* Typed wrappers of the socket options of subflow.h. */
#include <errno.h>
#include <string.h>

#include "subflow.h"

static int set(int fd, int name, const void *value, socklen_t len)
{
	return setsockopt(fd, IPPROTO_TCP, name, value, len) < 0 ? -errno : 0;
}

static int set_number(int fd, int name, int n)
{
	return set(fd, name, &n, sizeof(n));
}

static int get_number(int fd, int name, int *ret_n)
{
	socklen_t len = sizeof(*ret_n);

	return getsockopt(fd, IPPROTO_TCP, name, ret_n, &len);
}

/* What has the length of a number is taken for one. */
static int set_list(int fd, int name, const struct sockaddr *addrs, socklen_t len)
{
	return len == sizeof(int) ? -EINVAL : set(fd, name, addrs, len);
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

int subflow_add_addrs(int fd, const struct sockaddr *addrs, socklen_t len)
{
	return set_list(fd, TCP_MULTIPATH_ADD, addrs, len);
}

int subflow_remove_addrs(int fd, const struct sockaddr *addrs, socklen_t len)
{
	return set_list(fd, TCP_MULTIPATH_REMOVE, addrs, len);
}

int subflow_set_ndiffports(int fd, int n)
{
	return set_number(fd, TCP_MULTIPATH_NDIFFPORTS, n);
}

int subflow_get_ndiffports(int fd, int *ret_n)
{
	int n;

	if (get_number(fd, TCP_MULTIPATH_NDIFFPORTS, &n) < 0)
		return -errno;
	*ret_n = n;
	return 0;
}

int subflow_set_expected(int fd, uint64_t bytes)
{
	return set(fd, TCP_MULTIPATH_EXPECTED, &bytes, sizeof(bytes));
}

int subflow_get_expected(int fd, uint64_t *ret_bytes)
{
	uint64_t bytes;
	socklen_t len = sizeof(bytes);

	if (getsockopt(fd, IPPROTO_TCP, TCP_MULTIPATH_EXPECTED, &bytes, &len) < 0)
		return -errno;
	*ret_bytes = bytes;
	return 0;
}

int subflow_set_intent(int fd, enum tcp_multipath_intent intent)
{
	return set_number(fd, TCP_MULTIPATH_INTENT, (int)intent);
}

int subflow_get_intent(int fd, enum tcp_multipath_intent *ret_intent)
{
	int n;

	if (get_number(fd, TCP_MULTIPATH_INTENT, &n) < 0)
		return -errno;
	*ret_intent = (enum tcp_multipath_intent)n;
	return 0;
}

/* 0 if it is none that the options take. */
static socklen_t size_of(sa_family_t family)
{
	if (family == AF_INET)
		return sizeof(struct sockaddr_in);
	return family == AF_INET6 ? sizeof(struct sockaddr_in6) : 0;
}

int subflow_set_backup(int fd, const struct sockaddr *local, socklen_t len, bool backup)
{
	struct tcp_multipath_backup value = {.backup = backup};

	if (len > sizeof(value.local))
		return -EINVAL;
	memcpy(&value.local, local, len);
	if (len == 0 || len != size_of(value.local.sa.sa_family))
		return -EINVAL;
	return set(fd, TCP_MULTIPATH_BACKUP, &value, sizeof(value));
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
