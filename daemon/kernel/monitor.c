/* SPDX-License-Identifier: MIT */
/* Ears: path-manager events and the end of namespaces. */
#include "monitor.h"

#include "base/log.h"
#include "base/timer.h"
#include "kernel/listener.h"
#include "kernel/netns.h"
#include "kernel/pm.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#define RECEIVE_BUFFER_BYTES (4 << 20)
#define MESSAGE_BYTES_MAX    16384 /* of a namespace's end */

/*
 * A short connection makes six events, at its two ends. To be woken up for each costs more than to
 * read them; the buffer holds those of a longer time.
 */
#define REST_NS 5000000

static void begin_rest(struct monitor *monitor)
{
	if (timer_arm(&monitor->rest, loop_now_ns() + REST_NS))
		return;
	/* EPOLLERR remains: what is lost is heard of at once. */
	monitor->is_resting = loop_change(monitor->loop, &monitor->events, 0) == 0;
}

static void read_events(struct source *source, uint32_t ready)
{
	struct monitor *monitor = SOURCE_OWNER(source, struct monitor, events);

	(void)ready;
	monitor_drain(monitor);
	if (!monitor->is_resting && monitor->may_rest(monitor->owner))
		begin_rest(monitor);
}

static void end_rest(struct source *source, uint32_t ready)
{
	struct monitor *monitor = SOURCE_OWNER(source, struct monitor, rest);

	(void)ready;
	if (!timer_has_expired(source))
		return;
	monitor->is_resting = false;
	loop_change(monitor->loop, &monitor->events, EPOLLIN);
}

void monitor_rouse(struct monitor *monitor)
{
	if (!monitor->is_resting)
		return;
	monitor->is_resting = false;
	timer_arm(&monitor->rest, 0);
	loop_change(monitor->loop, &monitor->events, EPOLLIN);
	monitor_drain(monitor);
}

/* What one system call has read. */
struct batch {
	struct {
		int nsid;
		struct event event;
	} heard[GENL_MANY];
	uint32_t n;
};

/*
 * A mouse whose end follows on its beginning: nobody hears of it, unless something is known of it
 * already.
 */
static void leave_out_mouse(struct monitor *monitor, struct batch *batch, uint32_t end)
{
	uint32_t token = batch->heard[end].event.key.token, begin = end, i;
	int nsid = batch->heard[end].nsid;

	do {
		if (!begin--)
			return;
	} while (batch->heard[begin].event.kind != EVENT_CREATED ||
		 batch->heard[begin].event.key.token != token || batch->heard[begin].nsid != nsid);
	if (!monitor->may_skip(monitor->owner, nsid, token))
		return;
	for (i = begin; i <= end; i++) {
		if (batch->heard[i].event.key.token == token && batch->heard[i].nsid == nsid)
			batch->heard[i].event.kind = EVENT_NONE;
	}
}

static void tell(struct monitor *monitor, struct batch *batch)
{
	uint32_t i;

	for (i = 0; i < batch->n; i++) {
		if (batch->heard[i].event.kind == EVENT_CLOSED)
			leave_out_mouse(monitor, batch, i);
	}
	for (i = 0; i < batch->n; i++) {
		if (batch->heard[i].event.kind != EVENT_NONE)
			monitor->heard(
				monitor->owner, batch->heard[i].nsid, &batch->heard[i].event);
	}
	batch->n = 0;
}

static void decode(
	struct monitor *monitor, const struct genl_datagram *datagram, struct batch *batch)
{
	const struct nlmsghdr *message = (void *)datagram->bytes;
	int left = datagram->len;

	if (!genl_is_sound(datagram->bytes, datagram->len)) {
		monitor->malformed++;
		return;
	}
	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		if (batch->n == GENL_MANY)
			tell(monitor, batch);
		if (message->nlmsg_type != monitor->family.id ||
			pm_decode(message, &batch->heard[batch->n].event)) {
			monitor->malformed++;
			continue;
		}
		batch->heard[batch->n++].nsid = datagram->nsid;
	}
}

void monitor_drain(struct monitor *monitor)
{
	struct genl_datagram datagrams[GENL_MANY];
	struct batch batch;
	bool has_lost = false;
	int got, i;

	batch.n = 0;
	while ((got = genl_hear_many(monitor->events_socket, datagrams))) {
		if (got == -ENOBUFS) {
			monitor->overruns++;
			has_lost = true;
			continue;
		}
		if (got < 0)
			break;
		for (i = 0; i < got; i++)
			decode(monitor, &datagrams[i], &batch);
		tell(monitor, &batch);
	}
	/*
	 * Only now: what waited is older than a list, and until the queue is empty the kernel drops
	 * more, without a word (net/netlink/af_netlink.c: NETLINK_S_CONGESTED).
	 */
	if (has_lost)
		monitor->lost(monitor->owner);
}

static void read_namespaces(struct source *source, uint32_t ready)
{
	struct monitor *monitor = SOURCE_OWNER(source, struct monitor, namespaces);
	char buffer[MESSAGE_BYTES_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *message;
	int got, nsid, told, left;
	size_t len;

	(void)ready;
	while ((got = genl_hear(monitor->namespaces_socket, buffer, sizeof(buffer), &len, &nsid)) >
		0) {
		if (!genl_is_sound(buffer, len))
			continue;
		message = (void *)buffer;
		for (left = len; mnl_nlmsg_ok(message, left);
			message = mnl_nlmsg_next(message, &left)) {
			if (netns_decode_id(message, &told))
				continue;
			if (message->nlmsg_type == RTM_NEWNSID) {
				monitor->begun(monitor->owner, told);
			} else if (message->nlmsg_type == RTM_DELNSID) {
				/* Its last events first. */
				monitor_drain(monitor);
				monitor->ended(monitor->owner, told);
			}
		}
	}
}

static int join(struct mnl_socket *socket, unsigned int group)
{
	int fd = mnl_socket_get_fd(socket), bytes = RECEIVE_BUFFER_BYTES;

	/* Beyond rmem_max with CAP_NET_ADMIN; a smaller buffer only overruns earlier. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		log_debug("SO_RCVBUFFORCE: %s", strerror(errno));
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	return mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0
		       ? -errno
		       : 0;
}

int monitor_init(struct monitor *monitor, struct loop *loop, const struct genl_family *family)
{
	int on = 1, err;

	monitor->loop = loop;
	monitor->family = *family;
	err = genl_open(NETLINK_GENERIC, &monitor->events_socket);
	if (err)
		return err;
	err = genl_open(NETLINK_ROUTE, &monitor->namespaces_socket);
	if (err)
		goto fail;
	if (mnl_socket_setsockopt(
		    monitor->events_socket, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on)) < 0) {
		err = -errno;
		goto fail;
	}
	err = join(monitor->events_socket, family->events_group);
	if (!err)
		err = join(monitor->namespaces_socket, RTNLGRP_NSID);
	if (err)
		goto fail;
	monitor->events.fd = mnl_socket_get_fd(monitor->events_socket);
	monitor->events.ready = read_events;
	monitor->namespaces.fd = mnl_socket_get_fd(monitor->namespaces_socket);
	monitor->namespaces.ready = read_namespaces;
	monitor->rest.ready = end_rest;
	err = timer_open(&monitor->rest, loop);
	if (!err)
		err = loop_add(loop, &monitor->events, EPOLLIN);
	if (!err)
		err = loop_add(loop, &monitor->namespaces, EPOLLIN);
	if (!err)
		return 0;
fail:
	monitor_done(monitor);
	return err;
}

void monitor_done(struct monitor *monitor)
{
	if (monitor->events_socket)
		mnl_socket_close(monitor->events_socket);
	if (monitor->namespaces_socket)
		mnl_socket_close(monitor->namespaces_socket);
	monitor->events_socket = monitor->namespaces_socket = NULL;
	timer_close(&monitor->rest);
}

bool monitor_is_listener(const char *line, uint32_t group, uint64_t *ret_inode)
{
	uint32_t groups, protocol;

	/* sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode: net/netlink/af_netlink.c */
	return sscanf(line, "%*s %" SCNu32 " %*u %" SCNx32 " %*d %*d %*d %*d %*u %" SCNu64,
		       &protocol, &groups, ret_inode) == 3 &&
	       protocol == NETLINK_GENERIC && groups & 1u << (group - 1);
}

int monitor_has_rival(const struct monitor *monitor, bool *ret_has)
{
	uint32_t group = monitor->family.events_group;
	struct stat own;
	uint64_t inode;
	char line[256];
	FILE *file;

	if (fstat(mnl_socket_get_fd(monitor->events_socket), &own) < 0)
		return -errno;
	/* The file shows the first 32 groups only. */
	if (group > 32)
		return listener_find(NETLINK_GENERIC, group, own.st_ino, ret_has);
	file = fopen("/proc/thread-self/net/netlink", "re");
	if (!file)
		return -errno;
	*ret_has = false;
	while (fgets(line, sizeof(line), file)) {
		if (monitor_is_listener(line, group, &inode) && inode != own.st_ino)
			*ret_has = true;
	}
	fclose(file);
	return 0;
}
