/* SPDX-License-Identifier: MIT */
/* The addresses of the namespaces, which of them subflows can leave from, and which have gone. */
#ifndef SUBFLOW_ADDRESSES_H
#define SUBFLOW_ADDRESSES_H

#include "base/loop.h"
#include "core/endpoint.h"
#include "kernel/genl.h"

#include <stdbool.h>
#include <stdint.h>

/* In one namespace; those beyond it are counted, not used and not seen to go. */
#define ADDRESSES_MAX 64

struct addresses {
	/* Of global scope, on devices that are up, have a carrier and are no loopback. Ports are 0.
	 */
	struct endpoint usable[ADDRESSES_MAX];
	uint32_t n_usable;
	/* On no device that is up and has a carrier. */
	struct endpoint gone[ADDRESSES_MAX];
	uint32_t n_gone;
	uint32_t refused; /* for which a list had no room */
};

/* It is in gone from now on, once. */
void addresses_note_gone(struct addresses *addresses, const struct endpoint *endpoint);

/*
 * Reads those of the namespace that the thread is in. Of those that are in gone before, what is
 * there again is taken out.
 */
int addresses_read(struct addresses *addresses);

struct device {
	int index;
	bool is_up; /* and has a carrier */
	bool is_loopback;
};

struct address {
	struct endpoint endpoint;
	int device;
	bool is_usable; /* as far as it is a matter of the address */
};

/* A message of RTM_NEWLINK, of RTM_NEWADDR or RTM_DELADDR. -EBADMSG. */
int addresses_decode_device(const struct nlmsghdr *message, struct device *ret_device);
int addresses_decode_address(const struct nlmsghdr *message, struct address *ret_address);

/* Ears for their changes, in all namespaces that have an id in ours. */
struct addresses_watch {
	struct source source;
	struct mnl_socket *socket;
	struct addresses addresses; /* of the change that is being heard */

	void *owner;
	/* In gone stands what was deleted; the reading of the rest is the owner's. */
	void (*changed)(void *owner, int nsid, struct addresses *addresses);
	/* Changes went unheard: whatever has gone in any namespace is to be sought. */
	void (*lost)(void *owner);
};

/* @owner and the callbacks are set by the caller. */
int addresses_watch_init(struct addresses_watch *watch, struct loop *loop);

/* Hears all changes that wait. */
void addresses_hear(struct addresses_watch *watch);

void addresses_watch_done(struct addresses_watch *watch);

#endif
