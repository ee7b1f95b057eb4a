/* SPDX-License-Identifier: MIT */
/*
 * The kernel's MPTCP path manager, over generic netlink (family mptcp_pm):
 * its commands and the decoder of its events.
 */
#ifndef SUBFLOW_PM_H
#define SUBFLOW_PM_H

#include "core/event.h"
#include "kernel/genl.h"

#include <stdbool.h>

/* Looks the family up; the same for every namespace. -ENOENT: a kernel without MPTCP. */
int pm_resolve(struct genl_family *ret_family);

/*
 * Opens one more subflow of the connection @token (MPTCP_PM_CMD_SUBFLOW_CREATE).
 * @local->port 0: the kernel chooses; @device 0: by its routes; @is_backup: it joins as one, where
 * the kernel heeds that (diag_is_backup() tells). Returns once the SYN is sent.
 * -ENOTCONN     not fully established yet
 * -EADDRINUSE   the port is taken
 * -EINVAL       no such connection, or it is not in userspace mode, or
 *               (address, port) and id disagree with an earlier use, or an address is
 *               link-local and @device is 0, or not heeded by the kernel
 */
int pm_create(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, const struct endpoint *remote, uint8_t id, uint32_t device,
	bool is_backup);

/*
 * Whether the connection @token is ours to change. -EINVAL: it is not in userspace mode, or there
 * is none such. Changes nothing: it asks for the end of a subflow that there is not.
 */
int pm_claim(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, const struct endpoint *remote);

/* Closes one subflow (MPTCP_PM_CMD_SUBFLOW_DESTROY). -ESRCH: there is none such. */
int pm_destroy(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, const struct endpoint *remote);

/*
 * Makes one subflow a backup or an ordinary one, and tells the peer (MPTCP_PM_CMD_SET_FLAGS).
 * -EINVAL: there is none such.
 */
int pm_set_backup(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, const struct endpoint *remote, bool is_backup);

/*
 * Tells the peer of one more local address (MPTCP_PM_CMD_ANNOUNCE). @id is not 0; without a port
 * it is that of the connection. -EINVAL: (address, port) and id disagree with an earlier use.
 */
int pm_announce(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, uint8_t id);

/*
 * Tells the peer that the local address with this id is no more (MPTCP_PM_CMD_REMOVE); a Linux
 * peer then closes its subflows. -EINVAL: there is none such.
 */
int pm_withdraw(
	struct mnl_socket *socket, const struct genl_family *family, uint32_t token, uint8_t id);

/* Whether the in-kernel path manager of the socket's namespace has endpoints. */
int pm_has_endpoints(struct mnl_socket *socket, const struct genl_family *family, bool *ret_has);

/*
 * Decodes one event message; all but @ret_event->key.netns and now_ns is filled in.
 * Events that mean nothing to us become EVENT_NONE. -EBADMSG: not of the family's form.
 */
int pm_decode(const struct nlmsghdr *message, struct event *ret_event);

#endif
