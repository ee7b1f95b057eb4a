/* SPDX-License-Identifier: MIT */
/* The paper's ears: TCP packets of interfaces in promiscuous mode, by libpcap. */
#ifndef SUBFLOW_CAPTURE_H
#define SUBFLOW_CAPTURE_H

#include "base/loop.h"
#include "core/packet.h"

#include <net/if.h>
#include <pcap/pcap.h>
#include <stdint.h>

#define CAPTURE_INTERFACES_MAX 8

struct capture_interface {
	struct source source;
	struct capture *capture;
	char name[IFNAMSIZ];
	pcap_t *pcap; /* NULL: it is not there, and tried again every second */
	enum packet_link link;
	bool has_complained;
};

struct capture {
	struct loop *loop;
	struct source timer; /* every second */
	struct capture_interface interfaces[CAPTURE_INTERFACES_MAX];
	size_t n_interfaces;
	uint64_t packets, malformed; /* TCP packets that were read; and could not be */
	uint64_t dropped;            /* that the kernel had no room for, of interfaces that went */

	void *owner;
	void (*heard)(void *owner, const struct packet *packet);
	void (*tick)(void *owner);
};

/* Whether @names are names of interfaces, separated by blanks, and not too many. -EINVAL. */
int capture_check(const char *names);

/*
 * Listens on @names, in the daemon's own namespace. @loop, @owner and the callbacks are set by the
 * caller. One that is not there is waited for. -errno of the timer only.
 */
int capture_init(struct capture *capture, const char *names);
void capture_done(struct capture *capture);

/* Packets that the kernel had no room for. */
uint64_t capture_count_dropped(const struct capture *capture);

#endif
