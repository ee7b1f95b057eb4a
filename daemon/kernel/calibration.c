/* SPDX-License-Identifier: MIT */
/* Which bit of mptcp_sock.flags says that a connection fell back to TCP. */
#include "calibration.h"

#include "base/log.h"
#include "kernel/netns.h"

#include <errno.h>
#include <linux/mptcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_MS 2000
#define SAMPLES    3
#define TRIES      50

/* The walk's records are told apart by marks, which no count of calls reaches. */
enum { HEALTHY, FALLEN_BACK, MARKS };

struct pair {
	int listener, client, server;
};

struct sample {
	uint32_t flags[MARKS];
	bool has[MARKS];
};

static void pair_close(struct pair *pair)
{
	if (pair->server >= 0)
		close(pair->server);
	if (pair->client >= 0)
		close(pair->client);
	if (pair->listener >= 0)
		close(pair->listener);
}

static int wait_readable(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	return poll(&ready, 1, TIMEOUT_MS) == 1 ? 0 : -ETIMEDOUT;
}

/* One connection over lo, with a byte each way so that it is fully established. */
static int pair_open(struct pair *pair, int server_protocol)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	char byte = 0;

	*pair = (struct pair){-1, -1, -1};
	pair->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, server_protocol);
	pair->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
	if (pair->listener < 0 || pair->client < 0)
		return -EPROTONOSUPPORT;
	if (bind(pair->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(pair->listener, 1) < 0 ||
		getsockname(pair->listener, (struct sockaddr *)&address, &len) < 0 ||
		connect(pair->client, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (wait_readable(pair->listener))
		return -ETIMEDOUT;
	pair->server = accept4(pair->listener, NULL, NULL, SOCK_CLOEXEC);
	if (pair->server < 0)
		return -errno;
	if (send(pair->client, &byte, 1, MSG_NOSIGNAL) != 1 || wait_readable(pair->server) ||
		recv(pair->server, &byte, 1, 0) != 1 ||
		send(pair->server, &byte, 1, MSG_NOSIGNAL) != 1 || wait_readable(pair->client))
		return -EIO;
	return 0;
}

/* The kernel hands questions about MPTCP on to TCP then, which knows none. */
static bool is_fallen(int fd)
{
	struct mptcp_info info;
	socklen_t len = sizeof(info);

	return getsockopt(fd, SOL_MPTCP, MPTCP_INFO, &info, &len) < 0;
}

static void take_sample(void *arg, const struct wide_record *wide)
{
	const struct record *record = &wide->record;
	uint32_t which = record->generation - CALIBRATION_MARK;
	struct sample *sample = arg;

	if (which >= MARKS)
		return;
	sample->flags[which] = record->msk_flags;
	sample->has[which] = true;
}

static int raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int take_samples(struct hooks *hooks, struct sample *sample)
{
	struct pair healthy = {-1, -1, -1}, fallen = {-1, -1, -1};
	int err;

	err = pair_open(&healthy, IPPROTO_MPTCP);
	if (!err && is_fallen(healthy.client))
		err = -EUSERS;
	if (!err)
		err = pair_open(&fallen, IPPROTO_TCP);
	if (!err)
		err = hooks_mark(hooks, healthy.client, CALIBRATION_MARK + HEALTHY);
	if (!err)
		err = hooks_mark(hooks, fallen.client, CALIBRATION_MARK + FALLEN_BACK);
	if (!err)
		err = hooks_walk(hooks, take_sample, sample);
	pair_close(&healthy);
	pair_close(&fallen);
	if (!err && (!sample->has[HEALTHY] || !sample->has[FALLEN_BACK]))
		err = -ENODATA;
	return err;
}

/*
 * On a crowded machine a connection that should not may fall back, and does for as long as the
 * kernel's table of tokens is full.
 */
static int take_healthy(struct hooks *hooks, struct sample *sample)
{
	int err = -EUSERS;

	for (int i = 0; i < TRIES && (err == -EUSERS || err == -ETIMEDOUT); i++)
		err = take_samples(hooks, sample);
	return err;
}

/* Other bits come and go: the one that is looked for is there each time, and the only one. */
static int compare(struct hooks *hooks, uint64_t *ret_mask)
{
	uint32_t always = UINT32_MAX, never = 0, mask;
	int err = 0;

	for (int i = 0; i < SAMPLES && !err; i++) {
		struct sample sample = {};

		err = take_healthy(hooks, &sample);
		always &= sample.flags[FALLEN_BACK];
		never |= sample.flags[HEALTHY];
	}
	if (err)
		return err;
	mask = always & ~never;
	if (!mask || mask & (mask - 1)) {
		log_debug(
			"flags of connections that fell back: %#x, of others: %#x", always, never);
		return -ENODATA;
	}
	*ret_mask = mask;
	return 0;
}

int calibration_run(struct hooks *hooks, uint64_t *ret_mask)
{
	int err;

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	err = raise_loopback();
	if (!err)
		err = compare(hooks, ret_mask);
	netns_leave();
	return err;
}
