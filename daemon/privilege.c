/* SPDX-License-Identifier: MIT */
/* What the daemon may do: as little as its work takes. */
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

#define N_NEEDED (sizeof(needed) / sizeof(*needed))

int privilege_drop(bool looks_at_processes)
{
	bool has[N_NEEDED], may_bound;

	if (capng_get_caps_process() < 0)
		return -EPERM;
	for (size_t i = 0; i < N_NEEDED; i++)
		has[i] = capng_have_capability(CAPNG_PERMITTED, needed[i]) &&
			 (needed[i] != CAP_SYS_PTRACE || looks_at_processes);
	may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < N_NEEDED; i++) {
		if (has[i])
			capng_update(CAPNG_ADD,
				CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, needed[i]);
	}
	if (capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}
