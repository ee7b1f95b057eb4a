/* SPDX-License-Identifier: MIT */
/* Whether a namespace may be served, and what is set there. */
#include "takeover.h"

#include "kernel/claim.h"
#include "kernel/netns.h"
#include "kernel/pm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Whether somebody else manages the paths of the namespace that the thread is in. */
static bool is_taken(struct served *served, struct served_netns *netns)
{
	struct mnl_socket *socket;
	bool has = false;
	int err;

	err = genl_open(NETLINK_GENERIC, &socket);
	if (!err) {
		err = pm_has_endpoints(socket, &served->monitor->family, &has);
		mnl_socket_close(socket);
	}
	if (err) {
		served_say(netns, "its MPTCP endpoints cannot be read: %s", strerror(-err));
		return true;
	}
	if (has) {
		served_say(netns,
			"the in-kernel path manager has endpoints there; flush them (ip mptcp "
			"endpoint flush) and run `subflow reload`, or set take_over = yes");
		return true;
	}
	err = monitor_has_rival(served->monitor, &has);
	if (err) {
		served_say(netns,
			"whether another path manager (mptcpd?) listens there is not known: %s; "
			"set take_over = yes if there is none",
			strerror(-err));
		return true;
	}
	if (has) {
		served_say(netns,
			"another path manager (mptcpd? ip mptcp monitor?) listens there; stop it "
			"and run `subflow reload`, or set take_over = yes");
		return true;
	}
	return false;
}

/* Switches the namespace that the thread is in to the userspace path manager. */
static int switch_over(struct served *served, struct served_netns *netns)
{
	struct guardian_note *note = &netns->note;
	const char *sysctl, *userspace;
	int err;

	sysctl = netns_pm_sysctl(&userspace);
	if (!sysctl) {
		served_say(netns, "this kernel has no userspace path manager (net.mptcp.pm_type)");
		return -EOPNOTSUPP;
	}
	netns->is_taken = !served->take_over && is_taken(served, netns);
	if (netns->is_taken)
		return -EBUSY;
	err = netns_read_sysctl(sysctl, note->before, sizeof(note->before));
	if (err || !strcmp(note->before, userspace)) /* already: nothing to put back */
		return err;
	snprintf(note->path, sizeof(note->path), "%s", netns->path);
	snprintf(note->sysctl, sizeof(note->sysctl), "%s", sysctl);
	snprintf(note->ours, sizeof(note->ours), "%s", userspace);
	note->cookie = netns->cookie;
	note->inode = netns->inode;
	err = guardian_tell(served->guardian, note);
	if (!err)
		err = netns_write_sysctl(sysctl, userspace);
	if (err)
		*note->sysctl = '\0';
	return err;
}

static int claim(struct served *served, struct served_netns *netns)
{
	int err = served->claims_fd < 0 ? 0 : claim_take(served->claims_fd, netns->cookie);

	if (err == -EBUSY)
		served_say(netns,
			"another subflowd serves it; stop that one and run `subflow reload`, or "
			"name the namespace to one of them only ([namespaces] serve)");
	return err;
}

/* Whether the thread is there: the name, or the number of a process, may be another's by now. */
static bool is_inside(const struct served_netns *netns)
{
	struct stat st;

	return stat("/proc/thread-self/ns/net", &st) == 0 && st.st_ino == netns->inode;
}

int takeover_begin(struct served *served, struct served_netns *netns)
{
	char enabled[8] = "1";
	int err = netns_enter(netns->path, 0);

	netns->is_taken = netns->is_free = false;
	if (err)
		return err;
	if (*netns->path && !is_inside(netns)) {
		netns_leave();
		return -ENOENT;
	}
	err = netns_cookie(&netns->cookie);
	/* The id first: without one, nothing of a socket that is made after the switch is heard. */
	if (!err && *netns->path) {
		netns_leave();
		err = netns_assign_id(netns->path, &netns->nsid);
		if (!err)
			err = netns_enter(netns->path, netns->cookie);
		if (err)
			return err;
	}
	if (!err)
		err = claim(served, netns);
	if (!err)
		err = switch_over(served, netns);
	if (!err)
		err = netns_read_sysctl("mptcp/enabled", enabled, sizeof(enabled));
	served_leave(netns);
	if (!err && !strcmp(enabled, "0"))
		served_say(netns, "MPTCP is off there (sysctl net.mptcp.enabled=1)");
	return err;
}

void takeover_forget(struct served *served, struct served_netns *netns)
{
	if (*netns->note.sysctl) {
		*netns->note.sysctl = '\0';
		guardian_tell(served->guardian, &netns->note);
	}
	if (netns->cookie && served->claims_fd >= 0)
		claim_drop(served->claims_fd, netns->cookie);
}

void takeover_undo(struct served *served, struct served_netns *netns)
{
	if (*netns->note.sysctl && netns_enter(netns->path, netns->cookie) == 0) {
		netns_write_sysctl(netns->note.sysctl, netns->note.before);
		served_leave(netns);
	}
	takeover_forget(served, netns);
}

bool takeover_is_free(struct served *served, struct served_netns *netns)
{
	bool is_free;

	if (served_enter(netns))
		return false;
	is_free = !is_taken(served, netns);
	served_leave(netns);
	return is_free;
}
