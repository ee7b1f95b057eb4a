/* SPDX-License-Identifier: MIT */
/* What the daemon and its guardian may do: as little as their work takes. */
#include "privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>

/* The unit dist/subflowd.service.in grants the same, but for CAP_SYS_PTRACE. */
static const unsigned int needed[] = {
	CAP_NET_ADMIN,     /* path manager, attaching BPF, net sysctls */
	CAP_NET_RAW,       /* probes, captures */
	CAP_NET_BROADCAST, /* events of all namespaces on one socket */
	CAP_BPF,           /* loading programs and maps */
	CAP_PERFMON,       /* reading kernel memory in them */
	CAP_SYS_ADMIN,     /* entering namespaces: setns(2); looking up BPF programs by id */
	CAP_SYS_PTRACE,    /* finding the namespaces of other users' processes; see below */
};

/* To put a sysctl back. */
static const unsigned int guards[] = {
	CAP_NET_ADMIN,
	CAP_SYS_ADMIN,
	CAP_SYS_PTRACE,
};

#define N_NEEDED (sizeof(needed) / sizeof(*needed))
#define N_GUARDS (sizeof(guards) / sizeof(*guards))

/* Of @list those that the process has. */
static int keep(const unsigned int *list, size_t n)
{
	bool has[N_NEEDED], may_bound;

	if (capng_get_caps_process() < 0)
		return -EPERM;
	for (size_t i = 0; i < n; i++)
		has[i] = capng_have_capability(CAPNG_PERMITTED, list[i]);
	may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < n; i++) {
		if (has[i])
			capng_update(CAPNG_ADD,
				CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, list[i]);
	}
	return capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}

int privilege_drop(bool looks_at_processes)
{
	/* The last one of the list. */
	int err = keep(needed, looks_at_processes ? N_NEEDED : N_NEEDED - 1);

	if (err)
		return err;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int privilege_drop_to_guard(void)
{
	return keep(guards, N_GUARDS);
}

bool privilege_serves(void)
{
	return capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN) &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN);
}
