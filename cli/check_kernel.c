/* SPDX-License-Identifier: MIT */
/* Checks of Multipath TCP, its path managers and its netlink interfaces. */
#include "doctor.h"
#include "listener.h"

#include <bpf/btf.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SYSCTL "/proc/sys/net/mptcp/"

enum { SUBFLOWS_WANTED = 4 };

static void check_sockets(struct host *host, struct finding *f)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);

	(void)host;
	if (fd >= 0) {
		close(fd);
		doctor_found(f, STATE_OK, NULL, "socket(2) makes them");
	} else if (errno == ENOPROTOOPT) {
		doctor_found(f, STATE_OK, NULL, "this kernel has them, switched off (next line)");
	} else if (errno == EPROTONOSUPPORT || errno == EINVAL) {
		doctor_found(f, STATE_FAIL, "a kernel with CONFIG_MPTCP=y",
			"this kernel has no Multipath TCP");
	} else {
		doctor_found(f, STATE_FAIL,
			"allow socket(..., IPPROTO_MPTCP) in the security module (SELinux, "
			"AppArmor) or seccomp filter",
			"socket(2) refuses them: %s", strerror(errno));
	}
}

static void check_enabled(struct host *host, struct finding *f)
{
	char word[16];

	(void)host;
	if (doctor_read_word(SYSCTL "enabled", word, sizeof(word)) < 0)
		doctor_found(f, STATE_FAIL, "a kernel with CONFIG_MPTCP=y", "no such sysctl");
	else if (!strcmp(word, "0"))
		doctor_found(f, STATE_FAIL, "sysctl -w net.mptcp.enabled=1",
			"0: switched off in this namespace");
	else
		doctor_found(f, STATE_OK, NULL, "%s", word);
}

/* The sysctl that chooses the path manager has two names, by kernel. NULL: there is none. */
static const char *find_path_manager(bool *ret_is_userspace)
{
	static const char *const paths[] = {SYSCTL "pm_type", SYSCTL "path_manager"};
	char word[32];

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (doctor_read_word(paths[i], word, sizeof(word)) < 0)
			continue;
		*ret_is_userspace = !strcmp(word, "1") || !strcmp(word, "userspace");
		return paths[i];
	}
	return NULL;
}

static void check_path_manager(struct host *host, struct finding *f)
{
	bool is_userspace;
	const char *path = find_path_manager(&is_userspace);

	if (!path)
		doctor_found(f, STATE_FAIL,
			"a kernel with net.mptcp.pm_type or net.mptcp.path_manager",
			"this kernel has no userspace path manager");
	/* access(2) tells a read-only /proc/sys even to root. */
	else if (host->is_privileged && access(path, W_OK) < 0)
		doctor_found(f, is_userspace ? STATE_WARN : STATE_FAIL,
			"mount /proc/sys writable (in a container: run subflowd outside)",
			"%s cannot be written: %s", path, strerror(errno));
	else
		doctor_found(f, STATE_OK, NULL, "available; %s",
			is_userspace ? "this namespace has it"
				     : "subflowd switches the namespaces that it serves to it");
}

static void check_family(struct host *host, struct finding *f)
{
	if (host->pm_error)
		doctor_found(f, STATE_FAIL, "a kernel with CONFIG_MPTCP=y",
			"no generic netlink family mptcp_pm: %s", strerror(-host->pm_error));
	else if (!host->pm.events_group)
		doctor_found(f, STATE_FAIL, "a kernel whose mptcp_pm has mptcp_pm_events",
			"generic netlink family mptcp_pm announces no events");
	else
		doctor_found(f, STATE_OK, NULL, "commands and events");
}

static void check_endpoints(struct host *host, struct finding *f)
{
	unsigned count;
	int r = host->pm_error;

	if (r == 0)
		r = netlink_count_endpoints(&host->pm, &count);
	if (r == -EPERM)
		doctor_unprivileged(f);
	else if (r < 0)
		doctor_found(f, STATE_UNKNOWN, NULL, "the kernel does not tell: %s", strerror(-r));
	else if (count)
		doctor_found(f, STATE_WARN,
			"ip mptcp endpoint flush; or [namespaces] take_over = yes",
			"%u of the in-kernel path manager: subflowd leaves this namespace alone",
			count);
	else
		doctor_found(f, STATE_OK, NULL, "none of the in-kernel path manager");
}

static void check_listeners(struct host *host, struct finding *f)
{
	struct listeners found;
	int r;

	if (host->pm_error || !host->pm.events_group) {
		doctor_found(f, STATE_UNKNOWN, NULL, "no path-manager events to listen for");
		return;
	}
	r = listener_find(host->pm.events_group, "subflowd", &found);
	if (r == -ERANGE)
		doctor_found(f, STATE_UNKNOWN, "look for mptcpd in the list of processes",
			"/proc/net/netlink does not show group %u", host->pm.events_group);
	else if (r < 0)
		doctor_found(f, STATE_UNKNOWN, NULL, "/proc/net/netlink: %s", strerror(-r));
	else if (found.other_pid)
		doctor_found(f, STATE_WARN, "stop it; or [namespaces] take_over = yes",
			"%s (pid %d) listens for path-manager events: subflowd leaves this "
			"namespace alone",
			found.other_name, found.other_pid);
	else if (found.has_hidden && host->is_privileged)
		doctor_found(f, STATE_WARN, "look for it outside of this container",
			"a process of another PID namespace listens for path-manager events");
	else if (found.has_hidden)
		doctor_found(f, STATE_UNKNOWN, "run as root",
			"a process that this user cannot see listens for path-manager events");
	else
		doctor_found(f, STATE_OK, NULL, "%s listens for path-manager events",
			found.has_ours ? "only subflowd" : "nobody");
}

static void check_initial_join(struct host *host, struct finding *f)
{
	char word[16];

	(void)host;
	if (doctor_read_word(SYSCTL "allow_join_initial_addr_port", word, sizeof(word)) < 0)
		doctor_found(f, STATE_OK, NULL, "this kernel has no such switch");
	else if (!strcmp(word, "0"))
		doctor_found(f, STATE_WARN, "sysctl -w net.mptcp.allow_join_initial_addr_port=1",
			"0: clients cannot add subflows to the address that they connected to");
	else
		doctor_found(f, STATE_OK, NULL, "allow_join_initial_addr_port is %s", word);
}

static void check_limits(struct host *host, struct finding *f)
{
	uint32_t limit = 0;
	bool is_userspace;
	char remedy[96];
	int r = host->pm_error;

	if (r == 0)
		r = netlink_get_subflow_limit(&host->pm, &limit);
	if (r == -EPERM) {
		doctor_unprivileged(f);
	} else if (r < 0) {
		doctor_found(f, STATE_UNKNOWN, NULL, "the kernel does not tell: %s", strerror(-r));
	} else if (find_path_manager(&is_userspace) && is_userspace) {
		doctor_found(f, STATE_OK, NULL, "%u, without effect on the userspace path manager",
			limit);
	} else if (limit < SUBFLOWS_WANTED - 1) {
		snprintf(remedy, sizeof(remedy), "ip mptcp limits set subflows %d",
			SUBFLOWS_WANTED - 1);
		doctor_found(f, STATE_WARN, remedy,
			"a server here that subflowd does not serve accepts %u subflows in all, "
			"not %d",
			limit + 1, SUBFLOWS_WANTED);
	} else {
		doctor_found(
			f, STATE_OK, NULL, "a server here accepts %u subflows in all", limit + 1);
	}
}

static void check_all_namespaces(struct host *host, struct finding *f)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	int on = 1, r;

	(void)host;
	r = fd < 0 ? -1 : setsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on));
	if (r == 0)
		doctor_found(f, STATE_OK, NULL, "one socket hears them (NETLINK_LISTEN_ALL_NSID)");
	else if (errno == EPERM)
		doctor_unprivileged(f);
	else
		doctor_found(f, STATE_FAIL, "a kernel with NETLINK_LISTEN_ALL_NSID",
			"one socket cannot hear them: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

static bool is_module_loaded(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return access(path, F_OK) == 0;
}

/* Whether asking for the feature of module @name would make the kernel load it. */
static bool is_module_loadable(const char *name)
{
	struct utsname kernel;
	char path[256], line[4096], wanted[64];
	bool is_found = false;
	FILE *file;

	if (is_module_loaded(name) || uname(&kernel) < 0)
		return false;
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", kernel.release);
	file = fopen(path, "re");
	if (!file)
		return false;
	snprintf(wanted, sizeof(wanted), "/%s.ko", name);
	while (!is_found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, ":\n")] = '\0';
		is_found = strstr(line, wanted) != NULL;
	}
	fclose(file);
	return is_found;
}

static void check_diag(struct host *host, struct finding *f)
{
	int r;

	(void)host;
	/* The question itself would load the modules, and this command changes nothing. */
	if (is_module_loadable("mptcp_diag")) {
		doctor_found(f, STATE_OK, NULL, "module mptcp_diag, loaded when first needed");
		return;
	}
	r = is_module_loadable("inet_diag") ? -ENOENT : netlink_ask_mptcp_diag();
	if (r == 0)
		doctor_found(f, STATE_OK, NULL, "lists MPTCP connections");
	else if (r == -EPERM || r == -EACCES)
		doctor_unprivileged(f);
	else
		doctor_found(f, STATE_WARN,
			"the kernel's module mptcp_diag (CONFIG_INET_MPTCP_DIAG)",
			"does not list MPTCP connections (%s): those that are older than subflowd "
			"stay unknown",
			strerror(-r));
}

/* Whether the kernel's struct @type has @wanted. -ENODATA: it does not show its types. */
static int has_member(const struct host *host, const char *type_name, const char *wanted)
{
	const struct btf_type *type;
	const struct btf_member *member;
	int id;

	if (!host->btf)
		return -ENODATA;
	id = btf__find_by_name_kind(host->btf, type_name, BTF_KIND_STRUCT);
	if (id < 0)
		return 0;
	type = btf__type_by_id(host->btf, (unsigned)id);
	member = btf_members(type);
	for (unsigned i = 0; i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(host->btf, member[i].name_off), wanted))
			return 1;
	return 0;
}

/* What works without, one way or another: no reason to warn. */
static const struct member {
	const char *check, *type, *name, *with, *without;
} members[] = {
	{"byte-counters", "mptcp_sock", "bytes_sent",
		"the kernel counts the bytes of each connection",
		"not in the kernel: status shows none, elephants are told by sequence numbers"},
	/* What SUBFLOW_CREATE passes on is the kernel's struct mptcp_pm_local; before there was
	 * one it passed on the address alone. */
	{"joins-as-backup", "mptcp_pm_local", "flags",
		"a subflow joins as a backup if the command says so",
		"not in the kernel: subflowd says it once more while the SYN is on its way"},
	{"link-local-joins", "mptcp_pm_local", "ifindex", "a subflow can be told its device",
		"not in the kernel: connections between link-local addresses are not split, and "
		"subflows of a socket bound to a device may leave by another"},
	/* [fairness] coupled: without the link it would outlive subflowd. */
	{"coupled-control", "bpf_struct_ops_link", "link",
		"a BPF congestion control goes with its link",
		"not in the kernel: [fairness] coupled has no effect"},
};

static void report_member(const struct host *host, struct finding *f, const struct member *member)
{
	int r = has_member(host, member->type, member->name);

	if (r < 0)
		doctor_found(f, STATE_UNKNOWN, NULL, "the kernel does not show its types");
	else
		doctor_found(f, STATE_OK, NULL, "%s", r ? member->with : member->without);
}

static void check_member(struct host *host, struct finding *f)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (!strcmp(members[i].check, f->check))
			report_member(host, f, &members[i]);
}

/* ENABLE carries what was set to another socket: only what the MPTCP sockets of this kernel know.
 */
static void check_carried_options(struct host *host, struct finding *f)
{
	static const struct {
		int level, number;
		const char *name;
	} options[] = {
		{IPPROTO_TCP, TCP_MAXSEG, " TCP_MAXSEG"},
		{IPPROTO_TCP, TCP_FASTOPEN, " TCP_FASTOPEN"},
		{IPPROTO_TCP, TCP_NOTSENT_LOWAT, " TCP_NOTSENT_LOWAT"},
		{IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, " IP_BIND_ADDRESS_NO_PORT"},
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP), value;
	char unknown[128] = "";

	(void)host;
	if (fd < 0) {
		doctor_found(f, STATE_UNKNOWN, NULL, "no MPTCP sockets: %s", strerror(errno));
		return;
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		socklen_t len = sizeof(value);

		if (getsockopt(fd, options[i].level, options[i].number, &value, &len) < 0)
			strcat(unknown, options[i].name);
	}
	close(fd);
	doctor_found(f, STATE_OK, NULL,
		*unknown ? "not with%s, unknown to MPTCP sockets here"
			 : "MPTCP sockets know the common options%s",
		unknown);
}

static void check_congestion_control(struct host *host, struct finding *f)
{
	char word[32];

	(void)host;
	if (doctor_read_word("/proc/sys/net/ipv4/tcp_congestion_control", word, sizeof(word)) < 0)
		doctor_found(f, STATE_UNKNOWN, NULL, "no such sysctl");
	else
		doctor_found(f, STATE_OK, NULL,
			"%s, for each subflow by itself: N on one link take N shares", word);
}

/* What `[detect] source = capture` and the probes of paths need. */
static void check_packet_sockets(struct host *host, struct finding *f)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		close(fd);
		doctor_found(f, STATE_OK, NULL, "interfaces can be captured from");
	} else if (errno == EPERM && !host->is_privileged) {
		doctor_unprivileged(f);
	} else {
		doctor_found(f, STATE_WARN,
			"give CAP_NET_RAW and a kernel with CONFIG_PACKET, or leave [detect] "
			"source at bpf",
			"none (%s): [detect] source = capture finds nothing", strerror(errno));
	}
}

const struct check kernel_checks[] = {
	{"mptcp-sockets", check_sockets},
	{"net.mptcp.enabled", check_enabled},
	{"userspace-pm", check_path_manager},
	{"mptcp_pm-netlink", check_family},
	{"endpoints", check_endpoints},
	{"other-listeners", check_listeners},
	{"initial-address-joins", check_initial_join},
	{"subflow-limit", check_limits},
	{"events-of-namespaces", check_all_namespaces},
	{"mptcp-sock_diag", check_diag},
	{"byte-counters", check_member},
	{"joins-as-backup", check_member},
	{"link-local-joins", check_member},
	{"enable-carries", check_carried_options},
	{"congestion-control", check_congestion_control},
	{"coupled-control", check_member},
	{"packet-sockets", check_packet_sockets},
	{0},
};
