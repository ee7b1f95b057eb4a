/* SPDX-License-Identifier: MIT */
/* Going into another network namespace and back. */
#include "netns.h"

#include "base/log.h"
#include "kernel/genl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static int home_fd = -1;

int netns_init(void)
{
	home_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return home_fd < 0 ? -errno : 0;
}

void netns_done(void)
{
	close(home_fd);
	home_fd = -1;
}

int netns_enter(const char *path, uint64_t cookie)
{
	uint64_t found;
	int fd, err;

	if (!*path)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = setns(fd, CLONE_NEWNET) < 0 ? -errno : 0;
	close(fd);
	if (err || !cookie)
		return err;
	err = netns_cookie(&found);
	if (!err && found != cookie)
		err = -ESTALE;
	if (err)
		netns_leave();
	return err;
}

void netns_leave(void)
{
	if (setns(home_fd, CLONE_NEWNET) == 0)
		return;
	log_error("cannot return to the network namespace of the daemon: %s", strerror(errno));
	abort();
}

int netns_cookie_of(int socket_fd, uint64_t *ret_cookie)
{
	socklen_t len = sizeof(*ret_cookie);

	return getsockopt(socket_fd, SOL_SOCKET, SO_NETNS_COOKIE, ret_cookie, &len) < 0 ? -errno
											: 0;
}

int netns_cookie(uint64_t *ret_cookie)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	err = netns_cookie_of(fd, ret_cookie);
	close(fd);
	return err;
}

#define SYSCTL_PATH_MAX 80
#define SYSCTL_LONG     4096
#define SYSCTL_LONGEST  (1 << 20) /* two ports of three, "1-2,4-5,...", take a quarter of it */

/* From its beginning to its end, or as much of it as there is room for. */
static int read_sysctl(const char *name, char *value, size_t size)
{
	char path[SYSCTL_PATH_MAX];
	ssize_t len;
	int fd, err;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read(fd, value, size - 1);
	err = len < 0 ? -errno : 0;
	close(fd);
	if (!err)
		value[len] = '\0';
	return err;
}

int netns_read_sysctl(const char *name, char *ret_value, size_t size)
{
	int err = read_sysctl(name, ret_value, size);

	if (!err)
		ret_value[strcspn(ret_value, "\n")] = '\0';
	return err;
}

static int read_with(const char *name, size_t size, char **ret_value)
{
	char *value = malloc(size), *end;
	int err = value ? read_sysctl(name, value, size) : -ENOMEM;

	end = err ? NULL : strchr(value, '\n');
	if (!err && !end)
		err = -E2BIG;
	if (err) {
		free(value);
		return err;
	}
	*end = '\0';
	*ret_value = value;
	return 0;
}

/*
 * The kernel gives a list of ports to the first read(2) alone, cut to its size
 * (kernel/sysctl.c:proc_do_large_bitmap): it is whole if its end of line is there.
 */
int netns_read_long_sysctl(const char *name, char **ret_value)
{
	int err = -E2BIG;

	for (size_t size = SYSCTL_LONG; size <= SYSCTL_LONGEST && err == -E2BIG; size *= 2)
		err = read_with(name, size, ret_value);
	return err;
}

int netns_write_sysctl(const char *name, const char *value)
{
	char path[SYSCTL_PATH_MAX];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

const char *netns_pm_sysctl(const char **ret_userspace)
{
	static const struct {
		const char *name, *userspace;
	} sysctls[] = {
		{"mptcp/path_manager", "userspace"}, /* from 6.15 */
		{"mptcp/pm_type", "1"},              /* from 5.19 */
	};
	char value[32];

	for (size_t i = 0; i < sizeof(sysctls) / sizeof(*sysctls); i++) {
		if (netns_read_sysctl(sysctls[i].name, value, sizeof(value)))
			continue;
		*ret_userspace = sysctls[i].userspace;
		return sysctls[i].name;
	}
	return NULL;
}

/* @by: NETNSA_FD, NETNSA_NSID. */
static struct nlmsghdr *begin_nsid(char *buffer, uint16_t type, uint16_t by, uint32_t value)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	mnl_nlmsg_put_extra_header(request, sizeof(struct rtgenmsg));
	mnl_attr_put_u32(request, by, value);
	return request;
}

static int read_nsid_attr(const struct nlattr *attr, void *arg)
{
	if (mnl_attr_get_type(attr) == NETNSA_NSID && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		*(int *)arg = (int)mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

int netns_decode_id(const struct nlmsghdr *message, int *ret_nsid)
{
	int nsid = NETNSA_NSID_NOT_ASSIGNED;

	if (mnl_attr_parse(message, sizeof(struct rtgenmsg), read_nsid_attr, &nsid) < 0 || nsid < 0)
		return -EBADMSG;
	*ret_nsid = nsid;
	return 0;
}

static int read_nsid(const struct nlmsghdr *message, void *arg)
{
	netns_decode_id(message, arg);
	return MNL_CB_OK;
}

int netns_assign_id(const char *path, int *ret_nsid)
{
	char buffer[GENL_BUFFER_BYTES];
	struct mnl_socket *socket;
	struct nlmsghdr *request;
	int fd, err, nsid = NETNSA_NSID_NOT_ASSIGNED;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = genl_open(NETLINK_ROUTE, &socket);
	if (err)
		goto out_fd;
	request = begin_nsid(buffer, RTM_NEWNSID, NETNSA_FD, fd);
	mnl_attr_put_u32(request, NETNSA_NSID, (uint32_t)NETNSA_NSID_NOT_ASSIGNED);
	err = genl_ask(socket, request, NULL, NULL);
	if (err && err != -EEXIST)
		goto out_socket;
	err = genl_ask(socket, begin_nsid(buffer, RTM_GETNSID, NETNSA_FD, fd), read_nsid, &nsid);
	if (!err && nsid < 0)
		err = -ENOENT;
	if (!err)
		*ret_nsid = nsid;
out_socket:
	mnl_socket_close(socket);
out_fd:
	close(fd);
	return err;
}

bool netns_has_id(int nsid)
{
	char buffer[GENL_BUFFER_BYTES];
	struct mnl_socket *socket;
	int err = genl_open(NETLINK_ROUTE, &socket);

	if (err)
		return true;
	err = genl_ask(socket, begin_nsid(buffer, RTM_GETNSID, NETNSA_NSID, nsid), NULL, NULL);
	mnl_socket_close(socket);
	return err != -ENOENT;
}
