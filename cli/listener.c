/* SPDX-License-Identifier: MIT */
/* Finds out which processes listen to a netlink multicast group. */
#include "listener.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* /proc/net/netlink shows no more of them. */
enum { GROUPS_SHOWN = 32 };

static int read_name(const char *pid, char *ret_name, size_t size)
{
	char path[64];
	FILE *file;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	if (fgets(ret_name, (int)size, file))
		ret_name[strcspn(ret_name, "\n")] = '\0';
	else
		r = -ESRCH;
	fclose(file);
	return r;
}

/* Whether a descriptor of process @pid is the socket with @inode. */
static bool holds_socket(const char *pid, unsigned long inode)
{
	char path[300], link[64], wanted[64];
	struct dirent *entry;
	bool is_found = false;
	DIR *fds;

	snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	fds = opendir(path);
	if (!fds)
		return false;
	while (!is_found && (entry = readdir(fds))) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%.16s/fd/%.16s", pid, entry->d_name);
		n = readlink(path, link, sizeof(link) - 1);
		if (n > 0) {
			link[n] = '\0';
			is_found = !strcmp(link, wanted);
		}
	}
	closedir(fds);
	return is_found;
}

/* Who holds the socket with @inode; -ESRCH when this user cannot see. */
static int find_owner(unsigned long inode, char *ret_name, size_t size, int *ret_pid)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	int r = -ESRCH;

	if (!proc)
		return -errno;
	while (r < 0 && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
			!holds_socket(entry->d_name, inode))
			continue;
		if (read_name(entry->d_name, ret_name, size) < 0)
			continue;
		*ret_pid = atoi(entry->d_name);
		r = 0;
	}
	closedir(proc);
	return r;
}

/* The columns: net/netlink/af_netlink.c. */
bool listener_parse(const char *line, uint32_t group, unsigned long *ret_inode)
{
	unsigned protocol, groups;

	return sscanf(line, "%*s %u %*u %x %*d %*d %*d %*d %*u %lu", &protocol, &groups,
		       ret_inode) == 3 &&
	       protocol == NETLINK_GENERIC && groups & UINT32_C(1) << (group - 1);
}

int listener_find(uint32_t group, const char *ours, struct listeners *ret_listeners)
{
	struct listeners found = {0};
	unsigned long inode;
	char line[256];
	FILE *file;

	if (group > GROUPS_SHOWN)
		return -ERANGE;
	file = fopen("/proc/net/netlink", "re");
	if (!file)
		return -errno;
	while (!found.other_pid && fgets(line, sizeof(line), file)) {
		char name[sizeof(found.other_name)];
		int pid = 0;

		if (!listener_parse(line, group, &inode))
			continue;
		if (find_owner(inode, name, sizeof(name), &pid) < 0) {
			found.has_hidden = true;
		} else if (!strcmp(name, ours)) {
			found.has_ours = true;
		} else {
			found.other_pid = pid;
			strcpy(found.other_name, name);
		}
	}
	fclose(file);
	*ret_listeners = found;
	return 0;
}
