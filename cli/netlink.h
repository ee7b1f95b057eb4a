/* SPDX-License-Identifier: MIT */
/* Read-only questions to the kernel's generic netlink family mptcp_pm. */
#ifndef NETLINK_H
#define NETLINK_H

#include <stdbool.h>
#include <stdint.h>

struct mnl_socket;

struct netlink {
	struct mnl_socket *socket;
	uint16_t family;
	uint32_t events_group; /* of the multicast group mptcp_pm_events; 0: there is none */
};

/* Finds the family. -ENOENT when this kernel has none. */
int netlink_init(struct netlink *pm);
void netlink_done(struct netlink *pm);

/* In-kernel endpoints of this namespace. -EPERM without CAP_NET_ADMIN. */
int netlink_count_endpoints(struct netlink *pm, unsigned *ret_count);

/* The in-kernel path manager's limit of extra subflows in this namespace. */
int netlink_get_subflow_limit(struct netlink *pm, uint32_t *ret_limit);

/* Whether sock_diag lists MPTCP connections: 0, or -ENOENT when it does not. */
int netlink_ask_mptcp_diag(void);

#endif
